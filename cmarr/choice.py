"""Which epoch of a training is kept: whose predictions are scored, and how (protocols in docs/protocols.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmarr.metrics import confusion, macro_f1, uar
from cmarr.vocabulary import MISSING_CONDITIONS

ROWS = ("validation", "test", "none")
METRICS = ("mean_uar", "pooled_uar", "pooled_macro_f1")


@dataclass(frozen=True)
class Choice:
    """`rows`: utterances whose scores choose the epoch, `none` for the last epoch. `metric`: see `scores`."""

    rows: str
    metric: str

    def __post_init__(self) -> None:
        if self.rows not in ROWS or self.metric not in METRICS:
            raise ValueError(f"unknown choice of the epoch: {self.rows}, {self.metric}")

    @property
    def column(self) -> str:
        """Of `scores`: the number that decides, the larger the better."""
        return f"{self.rows}_{self.metric}"

    def scores(
        self, labels: NDArray[np.int64], guesses: Mapping[str, NDArray[np.int64]], classes: int
    ) -> dict[str, float]:
        """UAR per condition and the metric, in percent, of `guesses` (condition to (utterances,)).

        `mean_uar` is the mean over all conditions that are there; `pooled_uar` and `pooled_macro_f1` are those of one
        confusion matrix summed over the missing conditions, as MMIN's code does, or over all if none of them is there.
        """
        counts = {condition: confusion(labels, guess, classes) for condition, guess in guesses.items()}
        found = {f"{self.rows}_uar_{condition}": uar(count) for condition, count in counts.items()}
        if self.metric == "mean_uar":
            return found | {self.column: float(np.mean(list(found.values())))}
        missing = [counts[condition] for condition in MISSING_CONDITIONS if condition in counts]
        pooled = np.sum(missing or [*counts.values()], axis=0)
        return found | {self.column: uar(pooled) if self.metric == "pooled_uar" else macro_f1(pooled)}
