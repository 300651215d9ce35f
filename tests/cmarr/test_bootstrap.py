"""The bootstrap against slow loops, pandas and SciPy; how often it errs is in test_calibration.py."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from sklearn.metrics import accuracy_score, recall_score
from statsmodels.stats.multitest import multipletests

from cmarr import bootstrap
from cmarr.bootstrap import (
    FEWEST,
    LEVEL,
    Fold,
    bounds,
    compared,
    drawn,
    fewest_draws,
    floor,
    holm,
    limits,
    scores,
    strata,
    two_sided,
)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def folds_of(rng: np.random.Generator, dialogues: tuple[int, ...], columns: int = 1) -> list[Fold]:
    """Differences of two systems' hits in dialogues of one to nine utterances, and three classes, one of them rare."""
    found = []
    for number, count in enumerate(dialogues):
        units = np.repeat(np.arange(count), rng.integers(1, 10, count))
        labels = rng.choice(3, len(units), p=[0.1, 0.3, 0.6])
        ours, theirs = (rng.random((len(units), columns)) < 0.4 + 0.1 * labels[:, None] * high for high in (2, 1))
        found.append(Fold(ours.astype(float) - theirs, labels, [f"{number}-{unit}" for unit in units]))
    return found


def frame_of(fold: Fold) -> pd.DataFrame:
    """Utterances of a fold with one column of differences."""
    return pd.DataFrame({"right": fold.right[:, 0], "label": fold.labels, "unit": fold.units})


def by_pandas(folds: list[pd.DataFrame], weights: list[float] | None = None) -> np.ndarray:
    """Mean over folds of WAR and UAR, of frames with `right` and `label`."""
    found = [
        (100 * frame["right"].mean(), 100 * frame.groupby("label")["right"].mean().mean()) for frame in folds
    ]  # fmt: skip
    return np.average(found, axis=0, weights=weights)


@pytest.mark.parametrize("seed", range(5))
def test_scores_of_a_resample_are_those_of_its_utterances_one_by_one(seed: int) -> None:
    rng = generator(seed)
    labels, guesses = rng.integers(3, size=12), rng.integers(3, size=(12, 2))
    units = rng.permutation([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 4])
    chosen = rng.integers(5, size=(20, 4))
    fold = Fold((guesses == labels[:, None]).astype(float), labels, [f"d{unit}" for unit in units])
    counts = np.stack([np.bincount(rows, minlength=5) for rows in chosen]).astype(float)
    found = scores(counts, fold.sums([f"d{unit}" for unit in range(5)]))
    assert found.shape == (2, 20, 2)
    for place, dialogues in enumerate(chosen):
        rows = np.concatenate([np.flatnonzero(units == dialogue) for dialogue in dialogues])
        truth = labels[rows]
        for column in range(2):
            guessed = guesses[rows, column]
            recall = recall_score(truth, guessed, average="macro", labels=np.unique(truth))
            wanted = 100 * accuracy_score(truth, guessed), 100 * recall
            assert found[:, place, column] == pytest.approx(wanted)


def test_a_class_that_a_resample_lacks_does_not_count() -> None:
    sums = Fold(np.array([[1.0], [0.0], [1.0]]), np.array([0, 0, 2]), [*"abc"]).sums([*"abc"])
    counts = np.array([[1.0, 1, 1], [2, 1, 0], [0, 0, 3], [0, 0, 0]])
    wanted = [[200 / 3, 200 / 3, 100, 0], [75, 200 / 3, 100, 0]]
    np.testing.assert_allclose(scores(counts, sums)[..., 0], wanted)


def test_resamples_are_drawn_with_replacement_and_have_one_unit_less_than_the_fold() -> None:
    units, draws = 12, 4000
    counts = drawn(units, draws, generator())
    assert counts.shape == (draws, units)
    assert (counts.sum(axis=1) == units - 1).all()
    expected = scipy.stats.binom(units - 1, 1 / units).pmf(range(4))
    for count, share in enumerate(expected):
        assert np.mean(counts == count) == pytest.approx(share, abs=0.01)
    assert len(np.unique(counts, axis=0)) > 3900


def test_resamples_are_those_of_a_slow_loop_over_dialogues() -> None:
    """Every draw of the loop takes the rows of its dialogues together, in pandas."""
    folds = folds_of(generator(3), (6, 9, 12))
    frames = [dict([*frame_of(fold).groupby("unit")]) for fold in folds]
    rng, slow = generator(8), []
    for _ in range(700):
        own = [[*frame] for frame in frames]
        chosen = [rng.choice(names, len(names) - 1) for names in own]
        slow.append(
            by_pandas([pd.concat([frame[name] for name in names]) for frame, names in zip(frames, chosen, strict=True)])
        )
    found, resamples = compared(folds, 20_000, generator())
    wanted = by_pandas([frame_of(fold) for fold in folds])
    np.testing.assert_allclose(found[:, 0], wanted)
    stretch = scipy.stats.t(5 + 8 + 11).ppf(0.975) / scipy.stats.norm.ppf(0.975)
    loop = wanted + stretch * (np.array(slow) - wanted)
    for place in range(2):
        fast = resamples[place, :, 0]
        assert fast.std() == pytest.approx(loop[:, place].std(), rel=0.06)
        assert scipy.stats.ks_2samp(fast, loop[:, place]).pvalue > 1e-3


def test_the_variance_of_a_mean_is_that_of_its_dialogues() -> None:
    """Dialogues of one utterance: the deviation is the textbook's, with divisor n - 1, times the quantile of t."""
    rng, counts = generator(1), (5, 6)
    folds = []
    for number, count in enumerate(counts):
        folds.append(Fold(rng.normal(size=(count, 1)), np.zeros(count, int), [f"{number}-{u}" for u in range(count)]))
    error = 100 * math.sqrt(sum(fold.right.var(ddof=1) / len(fold.right) for fold in folds)) / len(folds)
    _, resamples = compared(folds, 40_000, generator())
    stretch = scipy.stats.t(sum(counts) - 2).ppf(0.975) / scipy.stats.norm.ppf(0.975)
    assert resamples[0].std() == pytest.approx(stretch * error, rel=0.02)


def test_intervals_of_many_utterances_are_those_of_scipy() -> None:
    """Of the mean of folds of different sizes, each resampled by itself."""
    folds = [Fold(fold.right, fold.labels, [f"{k}-{u}" for u in range(len(fold.labels))])
             for k, fold in enumerate(folds_of(generator(3), (30, 60, 25)))]  # fmt: skip

    def statistic(*chosen: np.ndarray) -> float:
        found = []
        for rows, fold in zip(chosen, folds, strict=True):
            labels = fold.labels[rows]
            found.append(100 * np.mean([fold.right[rows][labels == kind].mean() for kind in np.unique(labels)]))
        return float(np.mean(found))

    places = tuple(np.arange(len(fold.labels)) for fold in folds)
    wanted = scipy.stats.bootstrap(
        places, statistic, vectorized=False, method="percentile", n_resamples=2000, rng=generator(0)
    )
    found, resamples = compared(folds, 20_000, generator())
    assert found[1, 0] == pytest.approx(statistic(*places))
    low, high = limits(resamples[1])
    error = wanted.standard_error
    assert (low[0], high[0]) == pytest.approx(tuple(wanted.confidence_interval), abs=0.2 * error)
    assert resamples[1].std(ddof=1) == pytest.approx(error, rel=0.06)


def test_every_fold_has_its_own_draws_and_all_columns_the_same() -> None:
    """Two folds with the same hits: with one stream for both, the mean would vary as much as one fold."""
    (fold,) = folds_of(generator(1), (60,), 2)
    right = np.hstack([fold.right, fold.right[:, :1], -fold.right[:, :1]])
    folds = [Fold(right, fold.labels, [f"{half}-{unit}" for unit in fold.units]) for half in "ab"]
    _, resamples = compared(folds, 5000, generator())
    _, alone = compared(folds[:1], 5000, generator())
    assert (resamples.std(axis=1) / alone.std(axis=1)) == pytest.approx(np.full((2, 4), np.sqrt(0.5)), rel=0.06)
    np.testing.assert_allclose(resamples[..., 0], resamples[..., 2], atol=1e-8)
    np.testing.assert_allclose(resamples[..., 0], -resamples[..., 3], atol=1e-8)


def test_a_fold_that_is_there_twice_is_drawn_alike() -> None:
    folds = folds_of(generator(2), (20, 20))
    _, once = compared(folds[:1], 3000, generator())
    _, twice = compared([folds[0], folds[0]], 3000, generator())
    np.testing.assert_allclose(once, twice, atol=1e-8)
    assert [names for _, names in strata([folds[0], folds[1], folds[0]])] == [
        [*dict.fromkeys(folds[1].units)], [*dict.fromkeys(folds[0].units)]
    ]  # fmt: skip


def test_folds_that_share_dialogues_are_drawn_together() -> None:
    """Two speakers of the same dialogues, a fold each: what one gains the other loses, so their mean does not vary."""
    units = [f"d{number}" for number in range(10)] * 4
    labels = np.zeros(40, int)
    gains = np.tile(generator(4).normal(size=10), 4)[:, None]
    folds = [Fold(gains, labels, units), Fold(-gains, labels, units)]
    found, resamples = compared(folds, 2000, generator())
    assert np.abs(found).max() < 1e-9
    assert np.abs(resamples).max() < 1e-9
    apart = Fold(gains, labels, [f"other {unit}" for unit in units])
    assert [[id(fold) for fold in members] for members, _ in strata([folds[0], apart, folds[1]])] == [
        [id(apart)], [id(folds[0]), id(folds[1])]
    ]  # fmt: skip
    (chain,) = strata([Fold(gains[:2], labels[:2], pair) for pair in (["a", "b"], ["c", "d"], ["b", "c"])])
    assert sorted(chain[1]) == [*"abcd"]


def test_few_units_of_a_fold_are_drawn_over_all_folds() -> None:
    """Two speakers a fold: a slow loop draws nine of ten, and weighs a fold by how many of its own are among them."""
    rng = generator(6)
    folds = [
        Fold(rng.normal(3 * fold, size=(12, 1)), rng.integers(2, size=12), [f"{fold}{'FM'[u % 2]}" for u in range(12)])
        for fold in range(5)
    ]
    assert FEWEST > 2
    ((members, names),) = strata(folds)
    assert ([id(fold) for fold in members], len(names)) == ([id(fold) for fold in folds], 10)
    frames = [dict([*frame_of(fold).groupby("unit")]) for fold in folds]
    rng, slow = generator(8), []
    for _ in range(700):
        chosen = rng.choice(names, 9)
        own = [[name for name in chosen if name in frame] for frame in frames]
        drawn_of = [
            pd.concat([frame[name] for name in group]) for frame, group in zip(frames, own, strict=True) if group
        ]
        slow.append(by_pandas(drawn_of, [len(group) for group in own if group]))
    found, resamples = compared(folds, 20_000, generator())
    wanted = by_pandas([frame_of(fold) for fold in folds])
    np.testing.assert_allclose(found[:, 0], wanted)
    stretch = scipy.stats.t(9).ppf(0.975) / scipy.stats.norm.ppf(0.975)
    loop = wanted + stretch * (np.array(slow) - wanted)
    for place in range(2):
        assert scipy.stats.ks_2samp(resamples[place, :, 0], loop[:, place]).pvalue > 1e-3


@pytest.mark.parametrize("dialogues", [(5, 6), (1, 2, 4), (1,) * 6])
def test_nothing_is_ever_undefined(dialogues: tuple[int, ...]) -> None:
    found, resamples = compared(folds_of(generator(7), dialogues, 3), 3000, generator())
    assert np.isfinite(found).all()
    assert np.isfinite(resamples).all()


def test_numbers_do_not_depend_on_how_many_resamples_are_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    folds = folds_of(generator(9), (7, 30), 4)
    whole = compared(folds, 1001, generator())[1]
    monkeypatch.setattr(bootstrap, "AT_ONCE", 1000)
    np.testing.assert_allclose(compared(folds, 1001, generator())[1], whole, atol=1e-8)


def test_memory_does_not_grow_with_the_utterances(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []
    monkeypatch.setattr(bootstrap, "AT_ONCE", 50_000)

    def seen(units: int, draws: int, rng: np.random.Generator) -> np.ndarray:
        shapes.append((draws, units))
        return drawn(units, draws, rng)

    monkeypatch.setattr(bootstrap, "drawn", seen)
    fold = Fold(np.ones((5000, 1)), np.zeros(5000, int), [f"u{u}" for u in range(5000)])
    compared([fold], 25, generator())
    assert shapes == [(10, 5000), (10, 5000), (5, 5000)]


def test_equal_systems_have_p_1_and_others_p_of_their_resamples() -> None:
    fold = Fold(np.zeros((6, 1)), np.arange(6) % 2, [*"abcdef"])
    found, resamples = compared([fold], 99, generator())
    assert (found == 0).all()
    assert (resamples == 0).all()
    assert (two_sided(resamples[0])[0], *limits(resamples[0])) == (1, 0, 0)
    draws = np.array([[1.0, -1, 0], [2, -2, 1], [3, -3, -1], [-1, -4, 2]])
    np.testing.assert_allclose(two_sided(draws), [2 * (1 + 1) / 5, 2 * (0 + 1) / 5, 1])
    assert two_sided(np.ones((999, 1)))[0] == floor(999) == 0.002


def test_intervals_of_differences_stay_within_what_is_possible() -> None:
    resamples = np.linspace(60, 140, 1001)[:, None] * [1, -1]
    low, high = limits(resamples)
    assert (low[0], high[0]) == (pytest.approx(62), 100)
    assert (low[1], high[1]) == (-100, pytest.approx(-62))


def test_sums_that_are_nought_but_for_rounding_are_nought() -> None:
    """For a computer 0.1 + 0.2 - 0.3 is not nought; of all resamples a good part has as many of each."""
    fold = Fold(np.array([[0.1], [0.2], [-0.3]] * 3), np.zeros(9, int), [f"u{u}" for u in range(9)])
    _, resamples = compared([fold], 4000, generator())
    war = resamples[0, :, 0]
    assert (war == 0).sum() > 100
    assert np.abs(war[war != 0]).min() > 1e-6


@pytest.mark.parametrize("seed", range(8))
def test_holm_is_that_of_statsmodels(seed: int) -> None:
    """With ties, as at the floor."""
    p = generator(seed).integers(1, 20, size=1 + 3 * seed) / 100
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])


def test_what_a_test_at_the_floor_raises_is_a_bound_and_nothing_else() -> None:
    p = np.array([0.001, 0.001, 0.001, 0.001, 0.002, 0.9])
    assert list(holm(p)) == pytest.approx([0.006, 0.006, 0.006, 0.006, 0.006, 0.9])
    assert list(bounds(p, 0.001)) == [True] * 5 + [False]
    exact = np.array([0.001, 0.012, 0.013, 0.02])  # the last is raised by tests that are no bounds
    assert list(holm(exact)) == pytest.approx([0.004, 0.036, 0.036, 0.036])
    assert list(bounds(exact, 0.001)) == [True, False, False, False]
    assert not bounds(exact, 0.0001).any()


def test_fewest_draws_are_just_enough() -> None:
    for tests in range(1, 2000):
        assert tests * floor(fewest_draws(tests)) < LEVEL <= tests * floor(fewest_draws(tests) - 1) + 1e-12
