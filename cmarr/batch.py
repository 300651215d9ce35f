"""What a system sees: padded features, their lengths, what is available, and labels."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """One batch of utterances on one device.

    A modality that no sample has available need not be in `features` at all; in training all three are there and
    `available` says, sample by sample, which of them the system may use as input.
    """

    features: dict[str, Tensor]
    """modality to (batch, time, dim) float32; rows past a sample's length are zeros"""
    lengths: dict[str, Tensor]
    """modality to (batch,) int64, at least 1"""
    available: Tensor
    """(batch, 3) bool, columns in the order of `vocabulary.MODALITIES`; at least one per row"""
    labels: Tensor | None = None
    """(batch,) int64 class indices"""
    targets: Tensor | None = None
    """(batch, ...) float32, what `Stage.targets` gave for these utterances"""
    class_weights: Tensor | None = None
    """(classes,) float32, of each class in the cross-entropy"""
    label_smoothing: float = 0.0
    """share of each label that goes to all classes alike, in the cross-entropy"""
