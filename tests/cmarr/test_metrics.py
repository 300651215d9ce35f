import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from cmarr.metrics import confusion, interval, macro_f1, reach, uar, war


def test_hand_example_with_a_class_that_is_never_predicted() -> None:
    labels = np.array([0, 0, 1, 1, 2, 3])
    guesses = np.array([0, 1, 1, 1, 0, 3])
    counts = confusion(labels, guesses, 4)
    assert war(counts) == pytest.approx(100 * 4 / 6)
    assert uar(counts) == pytest.approx(100 * (0.5 + 1 + 0 + 1) / 4)


def test_a_class_without_labels_does_not_count() -> None:
    counts = confusion(np.array([0, 0]), np.array([0, 3]), 4)
    assert uar(counts) == 50
    assert macro_f1(counts) == pytest.approx(100 * 2 / 3)


@pytest.mark.parametrize("seed", range(20))
def test_macro_f1_of_small_sets_in_which_classes_are_absent(seed: int) -> None:
    labels, guesses = np.random.default_rng(seed).integers(0, 5, (2, 6))
    wanted = f1_score(labels, guesses, average="macro", labels=np.unique(labels), zero_division=0)
    assert macro_f1(confusion(labels, guesses, 5)) == pytest.approx(100 * wanted)


@pytest.mark.parametrize("seed", range(5))
def test_against_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, guesses = rng.integers(0, 4, (2, 60))
    counts = confusion(labels, guesses, 4)
    assert (counts == confusion_matrix(labels, guesses, labels=range(4))).all()
    assert war(counts) == pytest.approx(100 * accuracy_score(labels, guesses))
    assert uar(counts) == pytest.approx(100 * recall_score(labels, guesses, average="macro"))
    assert macro_f1(counts) == pytest.approx(100 * f1_score(labels, guesses, average="macro"))


def test_interval_against_scipy() -> None:
    values = np.array([50.0, 55.0, 61.0, 48.0, 52.0])
    low, high = scipy.stats.t.interval(0.95, 4, values.mean(), scipy.stats.sem(values))
    assert interval(values) == pytest.approx((high - low) / 2)
    assert np.isnan(interval(values[:1]))


@pytest.mark.parametrize(
    ("values", "lowest", "ends"),
    [
        ([50.0, 52.0], 0, (51 - 12.706205, 51 + 12.706205)),
        ([45.0, 85.0], 0, (0, 100)),
        ([10.0, 14.0], 0, (0, 12 + 25.41241)),
        ([86.0, 90.0], 0, (88 - 25.41241, 100)),
        ([-45.0, 85.0], -100, (-100, 100)),
        ([-2.0, 2.0], -100, (-25.41241, 25.41241)),
        ([100.0, 100.0, 100.0], 0, (100, 100)),
    ],
)
def test_an_interval_does_not_reach_beyond_what_is_possible(
    values: list[float], lowest: float, ends: tuple[float, float]
) -> None:
    below, above = reach(np.array(values), lowest)
    assert (np.mean(values) - below, np.mean(values) + above) == pytest.approx(ends)


@pytest.mark.parametrize("values", [[], [50.0]])
def test_too_few_values_reach_nowhere(values: list[float]) -> None:
    assert np.isnan(reach(np.array(values))).all()
