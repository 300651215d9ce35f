"""Sequences of different lengths: masks, means over time, and a common number of steps."""

from __future__ import annotations

import torch
from torch import Tensor


def real_frames(lengths: Tensor, time: int) -> Tensor:
    """(batch, time) bool, true before each sample's length."""
    return torch.arange(time, device=lengths.device) < lengths[:, None]


def mean_over_time(x: Tensor, lengths: Tensor) -> Tensor:
    """(batch, dim): mean over the real frames of `x` (batch, time, dim); padding does not count, whatever it holds."""
    real = real_frames(lengths, x.shape[1])[:, :, None]
    return torch.where(real, x, 0).sum(1) / lengths[:, None]


def resample(x: Tensor, lengths: Tensor, steps: int) -> Tensor:
    """(batch, steps, dim): the real frames of `x` (batch, time, dim), linearly interpolated at `steps` even places.

    The first and the last step are the first and the last real frame; one step is the mean over time. Each sample has
    its own length, at least 1. The places are computed in whole numbers, so they are exact. The paper adds latents of
    sequences of different lengths and does not say how (eq. 7; docs/cm-arr.md, point 6).
    """
    if steps == 1:
        return mean_over_time(x, lengths)[:, None]
    place = torch.arange(steps, device=x.device) * (lengths[:, None] - 1)  # (batch, steps), in units of 1 / (steps - 1)
    low = place // (steps - 1)
    high = torch.minimum(low + 1, lengths[:, None] - 1)
    share = (place % (steps - 1)).to(x.dtype) / (steps - 1)
    return torch.lerp(_frames(x, low), _frames(x, high), share[:, :, None])


def _frames(x: Tensor, index: Tensor) -> Tensor:
    return x[torch.arange(len(x), device=x.device)[:, None], index]
