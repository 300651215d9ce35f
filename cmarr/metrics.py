"""WAR, UAR and macro-F1, in percent, and the interval of a mean over folds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def confusion(labels: NDArray[np.int64], predictions: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Counts (classes, classes): rows are the true class, columns the predicted one."""
    return np.bincount(labels * classes + predictions, minlength=classes * classes).reshape(classes, classes)


def war(counts: NDArray[np.int64]) -> float:
    """Weighted average recall of a confusion matrix, which is the accuracy, in percent."""
    return float(100 * counts.trace() / counts.sum())


def uar(counts: NDArray[np.int64]) -> float:
    """Unweighted average recall in percent: the mean recall of the classes that occur among the labels."""
    totals = counts.sum(axis=1)
    present = totals > 0
    return float(100 * (counts.diagonal()[present] / totals[present]).mean())


def macro_f1(counts: NDArray[np.int64]) -> float:
    """Mean F1 in percent of the classes that occur among the labels; 0 for one that is never predicted."""
    totals = counts.sum(axis=1)
    present = totals > 0
    return float(100 * (2 * counts.diagonal() / np.maximum(totals + counts.sum(axis=0), 1))[present].mean())


def interval(values: NDArray[np.float64]) -> float:
    """Half width of the 95 % t interval of the mean of independent values; NaN for a single value."""
    from scipy.stats import t

    count = len(values)
    if count < 2:
        return float("nan")
    return float(t.ppf(0.975, count - 1) * values.std(ddof=1) / np.sqrt(count))


def reach(values: NDArray[np.float64], lowest: float = 0) -> NDArray[np.float64]:
    """How far the 95 % t interval of the mean goes below and above it, (2,), cut at `lowest` and 100.

    No mean lies beyond these limits, so that the cut interval holds it as often as the whole one. NaN for a single
    value.
    """
    half = interval(values)
    return np.minimum(half, [values.mean() - lowest, 100 - values.mean()]) if half >= 0 else np.full(2, np.nan)
