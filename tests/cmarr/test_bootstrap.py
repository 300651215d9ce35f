from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, recall_score

from cmarr.bootstrap import compared, holm, limits, resampled, scores, two_sided

Fold = tuple[np.ndarray, np.ndarray]


def generator(place: int) -> np.random.Generator:
    return np.random.default_rng(place)


def folds_of(rng: np.random.Generator, sizes: tuple[int, ...], columns: int = 1) -> list[Fold]:
    """Differences of two systems' hits, and labels of three classes, the first of which is rare."""
    found = []
    for size in sizes:
        labels = rng.choice(3, size, p=[0.1, 0.3, 0.6])
        ours, theirs = (rng.random((size, columns)) < 0.4 + 0.1 * labels[:, None] * high for high in (2, 1))
        found.append((ours.astype(float) - theirs, labels))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_scores_of_a_resample_are_those_of_its_utterances_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, guesses = rng.integers(3, size=12), rng.integers(3, size=(12, 2))
    drawn = rng.integers(12, size=(20, 12))
    counts = np.stack([np.bincount(rows, minlength=12) for rows in drawn]).astype(float)
    found = scores(counts, (guesses == labels[:, None]).astype(float), labels)
    assert found.shape == (2, 20, 2)
    for place, rows in enumerate(drawn):
        truth = labels[rows]
        for column in range(2):
            guessed = guesses[rows, column]
            recall = recall_score(truth, guessed, average="macro", labels=np.unique(truth))
            wanted = 100 * accuracy_score(truth, guessed), 100 * recall
            assert found[:, place, column] == pytest.approx(wanted)


def test_a_class_that_a_resample_lacks_does_not_count() -> None:
    right, labels = np.array([[1.0], [0.0], [1.0]]), np.array([0, 0, 2])
    counts = np.array([[1.0, 1, 1], [2, 1, 0], [0, 0, 3]])
    np.testing.assert_allclose(scores(counts, right, labels)[..., 0], [[200 / 3, 200 / 3, 100], [75, 200 / 3, 100]])


def test_resamples_are_drawn_with_replacement_and_are_as_large_as_the_fold() -> None:
    """With a column per utterance, WAR is the share of the resample that the utterance has."""
    size, draws = 12, 1203
    shares = resampled(np.eye(size), np.zeros(size, int), draws, np.random.default_rng(0))[0]
    assert shares.shape == (draws, size)
    counts = shares * size / 100
    np.testing.assert_allclose(counts, counts.round(), atol=1e-9)
    np.testing.assert_allclose(counts.sum(axis=1), size)
    expected = scipy.stats.binom(size, 1 / size).pmf(range(4))
    for count, share in enumerate(expected):
        assert np.mean(counts.round() == count) == pytest.approx(share, abs=0.02)
    for count in range(3):  # the last, shorter part too
        assert np.mean(counts[1000:].round() == count) == pytest.approx(expected[count], abs=0.06)
    assert len(np.unique(shares, axis=0)) > 1100


def test_intervals_are_those_of_scipy() -> None:
    """Of the mean of folds of different sizes, each resampled by itself."""
    folds = folds_of(np.random.default_rng(3), (40, 90, 25))

    def statistic(*drawn: np.ndarray) -> float:
        found = []
        for rows, (right, labels) in zip(drawn, folds, strict=True):
            hits = [right[rows][labels[rows] == kind].mean() for kind in np.unique(labels[rows])]
            found.append(100 * np.mean(hits))
        return float(np.mean(found))

    places = tuple(np.arange(len(labels)) for _, labels in folds)
    wanted = scipy.stats.bootstrap(
        places, statistic, vectorized=False, method="percentile", n_resamples=2000, rng=np.random.default_rng(0)
    )
    found, resamples = compared(folds, 8000, generator)
    assert found[1, 0] == pytest.approx(statistic(*places))
    low, high = limits(resamples[1])
    error = wanted.standard_error
    assert (low[0], high[0]) == pytest.approx(tuple(wanted.confidence_interval), abs=0.12 * error)
    assert resamples[1].std(ddof=1) == pytest.approx(error, rel=0.06)


def test_every_fold_has_its_own_draws_and_all_columns_the_same() -> None:
    """Two folds with the same utterances: with one stream for both, the mean would vary as much as one fold."""
    ((right, labels),) = folds_of(np.random.default_rng(1), (60,), 2)
    right = np.hstack([right, right[:, :1], -right[:, :1]])
    _, resamples = compared([(right, labels), (right, labels)], 3000, generator)
    _, alone = compared([(right, labels)], 3000, generator)
    assert (resamples.std(axis=1) / alone.std(axis=1)) == pytest.approx(np.full((2, 4), np.sqrt(0.5)), rel=0.06)
    np.testing.assert_allclose(resamples[..., 0], resamples[..., 2], atol=1e-8)
    np.testing.assert_allclose(resamples[..., 0], -resamples[..., 3])


def test_equal_systems_have_p_1_and_others_p_of_their_resamples() -> None:
    found, resamples = compared([(np.zeros((5, 1)), np.arange(5) % 2)], 99, generator)
    assert (found == 0).all()
    assert (resamples == 0).all()
    assert (two_sided(resamples[0])[0], *limits(resamples[0])) == (1, 0, 0)
    draws = np.array([[1.0, -1, 0], [2, -2, 1], [3, -3, -1], [-1, -4, 2]])
    np.testing.assert_allclose(two_sided(draws), [2 * (1 + 1) / 5, 2 * (0 + 1) / 5, 1])


def test_sums_that_are_nought_but_for_rounding_are_nought() -> None:
    """For a computer 0.1 + 0.2 - 0.3 is not nought; two of nine resamples have one of each."""
    right, labels = np.array([[0.1], [0.2], [-0.3]]), np.zeros(3, int)
    _, resamples = compared([(right, labels)], 400, generator)
    war = resamples[0, :, 0]
    assert (war == 0).sum() > 40
    assert np.abs(war[war != 0]).min() > 1e-6


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_the_step_down_rule(p: list[float]) -> None:
    found, highest = [0.0] * len(p), 0.0
    left = list(range(len(p)))
    while left:
        smallest = min(left, key=lambda place: p[place])
        highest = max(highest, min(1.0, p[smallest] * len(left)))
        found[smallest] = highest
        left.remove(smallest)
    np.testing.assert_allclose(holm(np.array(p)), found)


def test_p_is_roughly_uniform_when_there_is_no_difference() -> None:
    """Four hundred pairs of equally good systems, each pair with hits of its own."""
    rng, pairs = np.random.default_rng(5), 400
    folds = []
    for size in (80, 120):
        ours, theirs = (rng.random((size, pairs)) < 0.6 for _ in range(2))
        folds.append((ours.astype(float) - theirs, rng.integers(4, size=size)))
    _, resamples = compared(folds, 800, generator)
    for p in map(two_sided, resamples):
        assert 0.02 < np.mean(p < 0.05) < 0.09
        assert scipy.stats.kstest(p, "uniform").statistic < 0.08


def test_an_interval_holds_the_truth_in_nineteen_of_twenty_cases() -> None:
    """Differences of eight points in truth, by classes that are equally frequent."""
    rng, pairs = np.random.default_rng(6), 300
    folds = []
    for size in (100, 100):
        ours, theirs = (rng.random((size, pairs)) < chance for chance in (0.64, 0.56))
        folds.append((ours.astype(float) - theirs, np.arange(size) % 4))
    _, resamples = compared(folds, 800, generator)
    for low, high in map(limits, resamples):
        assert 0.9 < np.mean((low <= 8) & (high >= 8)) < 0.985
