"""Paired bootstrap over dialogues, speakers or utterances, and p-values corrected for how many there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST = 5
"""units of a fold; where one has fewer, those of all folds are drawn together"""
LEAST = 6
"""units of a corpus: the differences of five have the same sign in one of sixteen cases, by chance alone"""
FEW = 20
"""units of a corpus below which p-values after Holm's correction are too small (docs/statistics.md)"""
LEVEL = 0.05
"""that a corrected p-value is below when a difference is significant"""
AT_ONCE = 4_000_000
"""numbers in the largest array that grows with the resamples in memory"""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fold:
    """What is compared on the utterances of one test fold."""

    right: Floats
    """(utterances, columns): how often an utterance was recognised, or the difference of two such numbers"""
    labels: NDArray[np.int64]
    """(utterances,)"""
    units: Sequence[str]
    """(utterances,): what is drawn as a whole; a name that several folds have is the same unit in all of them"""

    def sums(self, names: Sequence[str]) -> Floats:
        """Per class and unit the utterances, and the sums of each column of `right`: (classes, names, 1 + columns)."""
        place = {name: number for number, name in enumerate(names)}
        kinds, classes = np.unique(self.labels, return_inverse=True)
        found = np.zeros((len(kinds), len(names), 1 + self.right.shape[1]))
        counted = np.hstack([np.ones((len(self.right), 1)), self.right])
        np.add.at(found, (classes, np.array([place[name] for name in self.units])), counted)
        return found


def scores(counts: Floats, sums: Floats) -> Floats:
    """WAR and UAR in percent (2, resamples, columns) of one fold's `sums`; 0 for a resample that has none of it.

    `counts` (resamples, units) says how often a resample has a unit. Both scores are linear in `Fold.right`. UAR is
    the mean recall of the classes that a resample has, as the scores of tables are of the classes that a fold has.
    """
    drawn = counts @ sums
    sizes, hits = drawn[..., :1], drawn[..., 1:]
    war = hits.sum(axis=0) / np.maximum(sizes.sum(axis=0), 1)
    uar = (hits / np.maximum(sizes, 1)).sum(axis=0) / np.maximum((sizes > 0).sum(axis=0), 1)
    return 100 * np.stack([war, uar])


def strata(folds: Sequence[Fold]) -> list[tuple[list[Fold], list[str]]]:
    """Folds whose units are drawn together, with the names of these units.

    These are folds that share units, such as those of the two speakers of a dialogue or one that is there twice, and
    all folds where one has fewer than FEWEST units.
    """
    own = [dict.fromkeys(fold.units) for fold in folds]
    few = min(map(len, own)) < FEWEST
    groups: list[tuple[list[Fold], dict[str, None]]] = []
    for fold, names in zip(folds, own, strict=True):
        joined: tuple[list[Fold], dict[str, None]] = ([], {})
        apart = []
        for group in groups:
            if few or not names.keys().isdisjoint(group[1]):
                joined = (joined[0] + group[0], joined[1] | group[1])
            else:
                apart.append(group)
        groups = [*apart, ([*joined[0], fold], joined[1] | names)]
    return [(members, list(names)) for members, names in groups]


def drawn(units: int, draws: int, rng: np.random.Generator) -> Floats:
    """How often each resample has each unit (draws, units): one less than there are, drawn with replacement.

    As many as there are would vary too little, by a factor of (units - 1) / units.
    """
    chosen = rng.integers(units, size=(draws, units - 1)) + units * np.arange(draws)[:, None]
    return np.bincount(chosen.ravel(), minlength=draws * units).reshape(draws, units).astype(np.float64)


def compared(folds: Sequence[Fold], draws: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Differences (2, columns) and their resamples (2, draws, columns), each the mean over folds.

    A fold weighs in a resample as much as the share of its units that were drawn, which is the same for all folds
    whose units are drawn by themselves. Resamples are stretched about the difference from the normal distribution to
    that of t, which matters when units are few, and rounded so that sums that are nought are it.
    """
    from scipy.stats import norm, t

    groups = [(len(names), [fold.sums(names) for fold in members]) for members, names in strata(folds)]
    found = np.mean([scores(np.ones((1, size)), sums)[:, 0] for size, own in groups for sums in own], axis=0)
    stretch = t.ppf(0.975, sum(size - 1 for size, _ in groups)) / norm.ppf(0.975)
    widest = max(max(size, sums[:, 0].size) for size, own in groups for sums in own)
    step = max(1, AT_ONCE // widest)
    resamples = np.empty((2, draws, found.shape[1]))
    streams = rng.spawn(len(groups))
    for begin in range(0, draws, step):
        part = resamples[:, begin : begin + step]
        total, weights = np.zeros_like(part), np.zeros((part.shape[1], 1))
        for (size, own), stream in zip(groups, streams, strict=True):
            counts = drawn(size, part.shape[1], stream)
            for sums in own:
                there = sums[..., 0].any(axis=0)
                weight = (counts @ there)[:, None] / there.sum() * size / (size - 1)
                total += weight * scores(counts, sums)
                weights += weight
        part[:] = found[:, None] + stretch * (total / weights - found[:, None])
    return found, np.round(resamples, 9, out=resamples)


def limits(resamples: Floats) -> tuple[Floats, Floats]:
    """95 % percentile interval of differences over the first axis, within -100 and 100."""
    low, high = np.clip(np.percentile(resamples, (2.5, 97.5), axis=0), -100, 100)
    return low, high


def two_sided(resamples: Floats) -> Floats:
    """P-values of no difference: twice the share of resamples on the rarer side of nought, over the first axis.

    Resamples that are nought count for both sides, and one more on each side keeps p above nought: 1 for equal
    systems, at least `floor`.
    """
    below, above = ((side * resamples <= 0).sum(axis=0) + 1 for side in (1, -1))
    p: Floats = np.minimum(below, above) * floor(len(resamples))
    return np.minimum(p, 1)


def floor(draws: int) -> float:
    """Least p-value that so many resamples can give: of a difference that no resample contradicts."""
    return 2 / (draws + 1)


def holm(p: Floats) -> Floats:
    """P-values (tests,) after Holm's step-down correction for all of them."""
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty_like(p)
    found[order] = np.minimum(1, steps)
    return found


def bounds(p: Floats, least: float) -> NDArray[np.bool_]:
    """Which of Holm's p-values (tests,) are only upper bounds: of tests not above `least`, and what these raise."""
    found: NDArray[np.bool_] = holm(np.where(p <= least, 0, p)) < holm(p)
    return found


def fewest_draws(tests: int) -> int:
    """Least number of resamples with which the least of so many corrected p-values can be below LEVEL."""
    return math.ceil(round(2 / LEVEL * tests, 6))
