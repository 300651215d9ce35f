"""Supervised contrast of points: utterances with the same label attract each other (paper 3.3.1)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def label_contrast(points: Tensor, labels: Tensor, tau: float = 0.07, cross_modal: bool = False) -> Tensor:
    """Scalar loss of `points` (batch, modalities, dim) with one label per utterance, `labels` (batch,), in float32.

    SupCon on unit vectors with one change: the points of an anchor's own utterance are neither
    positives nor in the denominator, since the paper asks for positives from other instances. Anchors without a
    positive do not count; without any the loss is 0. `cross_modal` takes positives from other modalities only; the
    denominator stays.
    """
    batch, modalities, _ = points.shape
    unit = functional.normalize(points.float(), dim=2).flatten(0, 1)  # (batch * modalities, dim)
    instance = torch.arange(batch, device=points.device).repeat_interleave(modalities)
    label = labels.repeat_interleave(modalities)
    foreign = instance[:, None] != instance[None]
    positive = foreign & (label[:, None] == label[None])
    if cross_modal:
        modality = torch.arange(modalities, device=points.device).repeat(batch)
        positive = positive & (modality[:, None] != modality[None])
    with torch.autocast(points.device.type, enabled=False):  # bfloat16 has three digits, and tau multiplies the error
        similarity = unit @ unit.T / tau
    # Not -inf: with a single utterance every entry is masked, and the shares would be NaN on the way to a loss of 0.
    log_share = similarity.masked_fill(~foreign, torch.finfo(similarity.dtype).min).log_softmax(dim=1)
    positives = positive.sum(1)
    per_anchor = -torch.where(positive, log_share, 0).sum(1) / positives.clamp(min=1)
    return per_anchor.sum() / (positives > 0).sum().clamp(min=1)
