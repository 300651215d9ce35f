import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

from cmarr.metrics import confusion, interval, uar, war


def test_hand_example_with_a_class_that_is_never_predicted() -> None:
    labels = np.array([0, 0, 1, 1, 2, 3])
    guesses = np.array([0, 1, 1, 1, 0, 3])
    counts = confusion(labels, guesses, 4)
    assert war(counts) == pytest.approx(100 * 4 / 6)
    assert uar(counts) == pytest.approx(100 * (0.5 + 1 + 0 + 1) / 4)


def test_a_class_without_labels_does_not_count() -> None:
    assert uar(confusion(np.array([0, 0]), np.array([0, 3]), 4)) == 50


@pytest.mark.parametrize("seed", range(5))
def test_against_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, guesses = rng.integers(0, 4, (2, 60))
    counts = confusion(labels, guesses, 4)
    assert (counts == confusion_matrix(labels, guesses, labels=range(4))).all()
    assert war(counts) == pytest.approx(100 * accuracy_score(labels, guesses))
    assert uar(counts) == pytest.approx(100 * recall_score(labels, guesses, average="macro"))


def test_interval_against_scipy() -> None:
    values = np.array([50.0, 55.0, 61.0, 48.0, 52.0])
    low, high = scipy.stats.t.interval(0.95, 4, values.mean(), scipy.stats.sem(values))
    assert interval(values) == pytest.approx((high - low) / 2)
    assert np.isnan(interval(values[:1]))
