"""Batches of sequences of different lengths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def batches(lengths: Sequence[int], budget: float, waste: float = 1.0) -> list[list[int]]:
    """Indices into `lengths`, longest first, in batches whose padded length is at most `budget`.

    The padded length is the number of sequences times the longest one; at most a share of `waste` of it is padding, so
    that 0 puts only equal lengths together. A sequence longer than the budget is a batch of its own.
    """
    found: list[list[int]] = []
    longest = total = 0
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        padded = longest * (len(found[-1]) + 1) if found else 0
        if found and padded <= budget and padded - total - lengths[index] <= waste * padded:
            found[-1].append(index)
            total += lengths[index]
        else:
            found.append([index])
            longest = total = lengths[index]
    return found


def averaged(values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """`values` (rows, dim) with every `count` neighbouring rows averaged to one; the last may be of fewer."""
    if count == 1:
        return values
    starts = np.arange(0, len(values), count)
    sums = np.add.reduceat(values, starts, axis=0, dtype=np.float64)
    means: NDArray[np.float32] = (sums / np.diff([*starts, len(values)])[:, None]).astype(np.float32)
    return means
