"""Paired bootstrap over utterances within folds, and p-values corrected for how many there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 500
"""resamples in memory"""
Floats = NDArray[np.float64]


def scores(counts: Floats, right: Floats, labels: NDArray[np.int64]) -> Floats:
    """WAR and UAR in percent (2, resamples, columns) of one fold.

    `counts` (resamples, utterances) says how often a resample has an utterance, `right` (utterances, columns) how
    often it was recognised, or the difference of two such numbers: both scores are linear in it. UAR is the mean
    recall of the classes that a resample has, as the scores of tables are of the classes that a fold has.
    """
    kinds = np.unique(labels)
    sizes = np.stack([counts[:, labels == kind].sum(axis=1) for kind in kinds])[:, :, None]
    hits = np.stack([counts[:, labels == kind] @ right[labels == kind] for kind in kinds])
    war = hits.sum(axis=0) / sizes.sum(axis=0)
    uar = (hits / np.maximum(sizes, 1)).sum(axis=0) / (sizes > 0).sum(axis=0)
    return 100 * np.stack([war, uar])


def resampled(right: Floats, labels: NDArray[np.int64], draws: int, rng: np.random.Generator) -> Floats:
    """`scores` (2, draws, columns) of as many utterances of a fold as it has, drawn from it with replacement."""
    size, found = len(labels), []
    for begin in range(0, draws, AT_ONCE):
        count = min(AT_ONCE, draws - begin)
        drawn = rng.integers(size, size=(count, size)) + size * np.arange(count)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size).astype(np.float64)
        found.append(scores(counts, right, labels))
    return np.concatenate(found, axis=1)


def compared(
    folds: Sequence[tuple[Floats, NDArray[np.int64]]],
    draws: int,
    rng: Callable[[int], np.random.Generator],
) -> tuple[Floats, Floats]:
    """Differences (2, columns) and their resamples (2, draws, columns), each the mean over folds (`right`, `labels`).

    `rng` gives the random numbers of the fold at a place. Resamples are rounded so that sums that are nought are it.
    """
    found = np.mean([scores(np.ones((1, len(labels))), right, labels)[:, 0] for right, labels in folds], axis=0)
    total = sum(resampled(right, labels, draws, rng(place)) for place, (right, labels) in enumerate(folds))
    return found, np.round(total / len(folds), 9)


def limits(resamples: Floats) -> tuple[Floats, Floats]:
    """95 % percentile interval over the first axis."""
    low, high = np.percentile(resamples, (2.5, 97.5), axis=0)
    return low, high


def two_sided(resamples: Floats) -> Floats:
    """P-values of no difference: twice the share of resamples on the rarer side of nought, over the first axis.

    Resamples that are nought count for both sides, and one more on each side keeps p above nought: 1 for equal
    systems, at least 2 / (draws + 1).
    """
    below, above = ((side * resamples <= 0).sum(axis=0) + 1 for side in (1, -1))
    p: Floats = 2 * np.minimum(below, above) / (len(resamples) + 1)
    return np.minimum(p, 1)


def holm(p: Floats) -> Floats:
    """P-values (tests,) after Holm's step-down correction for all of them."""
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty_like(p)
    found[order] = np.minimum(1, steps)
    return found
