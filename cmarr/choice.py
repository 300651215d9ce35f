"""Which epoch of a training is kept: whose predictions are scored, and how (protocols in docs/protocols.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmarr.metrics import confusion, macro_f1, uar
from cmarr.vocabulary import MISSING_CONDITIONS

ROWS = ("validation", "test", "none")
METRICS = ("mean_uar", "pooled_uar", "pooled_macro_f1")
SMOOTHED = "_smoothed"
"""ending of the column with the mean over epochs"""


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

    def deciding(self, window: int) -> str:
        """The column that decides when scores are averaged over so many epochs."""
        return self.column + SMOOTHED if window > 1 else self.column

    def smoothed(self, history: Sequence[Mapping[str, Any]], window: int) -> dict[str, float]:
        """The mean over the last `window` epochs, or all if there are fewer, where it decides; empty for a window of 1.

        `history` has the rows of one stage.
        """
        if window == 1 or self.rows == "none":
            return {}
        return {self.deciding(window): float(np.mean([row[self.column] for row in history[-window:]]))}

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
