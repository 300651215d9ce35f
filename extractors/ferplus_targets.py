"""Training targets from the votes of FER+, as the code published with FER+ makes them, and the sizes to expect.

The ten vote columns are the eight emotions, then "unknown" and "not a face". Facts: src/ferplus.py and src/train.py of
microsoft/FERPlus, and the paper (Barsoum et al., ICMI 2016). All comparisons here are exact, in whole numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
MODES = ("majority", "probability", "cross_entropy", "multi_target")
SPLITS = {"train": "Training", "valid": "PublicTest", "test": "PrivateTest"}
"""Our name of each split, and its name in the column Usage."""

SIZES = {
    "majority": {"train": 25_060, "valid": 3_199, "test": 3_153},
    "probability": {"train": 27_956, "valid": 3_505, "test": 3_505},
    "cross_entropy": {"train": 27_956, "valid": 3_505, "test": 3_505},
    "multi_target": {"train": 27_671, "valid": 3_472, "test": 3_472},
}
"""Rows that each mode keeps of the published fer2013new.csv."""

MAJORITY_CLASSES = {
    "train": (8_740, 7_287, 3_149, 3_014, 2_100, 119, 532, 119),
    "test": (1_090, 893, 396, 384, 273, 18, 83, 16),
}
"""Rows per emotion that mode majority keeps of the published fer2013new.csv."""

Whole = NDArray[np.int64]
Truth = NDArray[np.bool_]


def targets(votes: NDArray[np.integer], mode: str) -> tuple[NDArray[np.float32], Whole]:
    """Targets (kept, 8) of the rows that a mode keeps of `votes` (rows, 10), and the indices (kept) of those rows.

    In every mode a column with a single vote counts as zero first; "the votes" are those that remain, of all ten
    columns. A row without any is dropped.

    - majority: one-hot, the column with more than half of the votes; dropped when there is none or it is not an
      emotion.
    - probability: shares that sum to one. Emotions are taken from the largest count down, those of equal count
      together, until they have at least 75 % of the votes or are three or more; emotions with fewer votes than
      unknown or not-a-face are not taken (as many are). Dropped when those taken have at most half of the votes, or
      are more than three.
    - cross_entropy: the same rows and shares. The modes differ in the loss only: the published code uses the
      shares themselves as the target of the cross-entropy here, while in mode probability it draws one emotion of
      each row with these shares, anew for each batch, and uses that as a one-hot target.
    - multi_target: 1 for each emotion with at least 30 % of the votes, the others 0. Dropped when all columns of at
      least 30 %, unknown and not-a-face among them, have at most half of the votes, or when one of those two has more
      votes than every emotion. The published loss is the negative log of the largest product of target and
      predicted probability, after the target went from 0 and 1 to 0.001 and 1.

    ValueError for another mode or shape.
    """
    if votes.ndim != 2 or votes.shape[1] != len(EMOTIONS) + 2:
        raise ValueError(f"votes have shape {votes.shape}, not (rows, {len(EMOTIONS) + 2})")
    counts = np.where(votes > 1, votes, 0).astype(np.int64)
    if mode == "majority":
        chosen = 2 * counts[:, :8] > counts.sum(1, keepdims=True)
        kept = chosen.any(1)
    elif mode in ("probability", "cross_entropy"):
        chosen, kept = _largest(counts)
    elif mode == "multi_target":
        chosen, kept = _at_least_30_percent(counts)
    else:
        raise ValueError(f"mode {mode!r} is none of {', '.join(MODES)}")
    weights = chosen[kept].astype(np.float32)
    if mode in ("probability", "cross_entropy"):
        weights *= counts[kept, :8]
        weights /= weights.sum(1, keepdims=True)
    return weights, np.flatnonzero(kept)


def _largest(counts: Whole) -> tuple[Truth, Truth]:
    """Emotions (rows, 8) that mode probability takes, and the rows that it keeps."""
    total, emotions, other = counts.sum(1), counts[:, :8], counts[:, 8:].max(1)
    ahead = emotions[:, None, :] > emotions[:, :, None]  # (rows, emotion, those with more votes)
    covered = (ahead * emotions[:, None, :]).sum(2)
    open_yet = (4 * covered < 3 * total[:, None]) & (ahead.sum(2) < 3)
    chosen = open_yet & (emotions > 0) & (emotions >= other[:, None])
    return chosen, (2 * (chosen * emotions).sum(1) > total) & (chosen.sum(1) <= 3)


def _at_least_30_percent(counts: Whole) -> tuple[Truth, Truth]:
    """Emotions (rows, 8) that mode multi_target takes, and the rows that it keeps."""
    total = counts.sum(1)
    chosen = 10 * counts >= 3 * total[:, None]
    kept = (2 * (chosen * counts).sum(1) > total) & (counts[:, :8].max(1) >= counts[:, 8:].max(1))
    return chosen[:, :8], kept


def split_targets(
    votes: NDArray[np.integer], usage: NDArray[np.str_], split: str, mode: str
) -> tuple[NDArray[np.float32], Whole]:
    """Targets (kept, 8) of one split and the indices (kept) of their rows in `votes` (rows, 10) and `usage` (rows).

    `mode` is that of the training split; validation and test always use majority. ValueError for another split or mode.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is none of {', '.join(SPLITS)}")
    if mode not in MODES:
        raise ValueError(f"mode {mode!r} is none of {', '.join(MODES)}")
    rows = np.flatnonzero(usage == SPLITS[split])
    found, kept = targets(votes[rows], mode if split == "train" else "majority")
    return found, rows[kept]
