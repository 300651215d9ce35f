"""Ranks of systems under each condition, by what tables print."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cmarr.aggregate import ROWS, Cell, Table, number
from cmarr.vocabulary import CONDITIONS

METRICS = ("war", "uar")
Ranks = dict[tuple[str, str, str], float]
"""(system, condition, metric) to its rank among the systems of a corpus"""


def ranks(table: Table, corpus: str, systems: Sequence[str]) -> Ranks:
    """1 is the best; systems whose means agree in the two printed digits share the mean of their ranks."""
    from scipy.stats import rankdata

    found = {}
    for condition in ROWS:
        for metric in METRICS:
            means = [printed(table[corpus, system, condition], metric) for system in systems]
            for system, rank in zip(systems, rankdata(np.negative(means)), strict=True):
                found[system, condition, metric] = float(rank)
    return found


def printed(cell: Cell, metric: str) -> float:
    """The mean over folds as tables print it."""
    return float(number(float(getattr(cell, metric).array.mean())))


def mean_ranks(found: Ranks, systems: Sequence[str], metrics: Sequence[str] = METRICS) -> list[list[str]]:
    """A row below a table: per system the mean rank over the seven conditions, by WAR / UAR; none for one system."""
    means = [
        [np.mean([found[system, condition, metric] for condition in CONDITIONS]) for metric in metrics]
        for system in systems
    ]
    return [["mean rank", *(" / ".join(f"{mean:.2f}" for mean in own) for own in means)]] if len(systems) > 1 else []


def places(found: Ranks, condition: str, metric: str) -> tuple[float, float]:
    """Rank of the best and rank of the second best systems, 0 where there are none to tell from others."""
    known = sorted({rank for (_, name, which), rank in found.items() if (name, which) == (condition, metric)})
    best, second = (*known, 0.0)[:2]
    return (best, second) if second else (0.0, 0.0)
