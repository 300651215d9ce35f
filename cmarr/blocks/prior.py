"""Densities of latents and the flows' likelihood term, after DiCMoR (docs/cm-arr.md, point 12)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class StandardPrior(nn.Module):
    """One standard normal for all classes and modalities; nothing to learn."""

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Log density (batch,) of latents `z` (batch, width, time); `labels` do not matter."""
        return log_normal(z, z.new_zeros(()), z.new_zeros(()))


class ClassPrior(nn.Module):
    """A normal per class, shared by modalities and constant over time, with a learnable mean and log sigma per channel.

    Both start at zero. DiCMoR computes them as a 1x1 convolution of zeros, whose 2 d^2 weights never act and whose
    scales only repeat the bias: 8,448 parameters a class at d = 64, of which these 128 count.
    """

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(classes, width))
        self.log_sigma = nn.Parameter(torch.zeros(classes, width))

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Log density (batch,) of latents `z` (batch, width, time) under their classes `labels` (batch,)."""
        return log_normal(z, self.mean[labels][:, :, None], self.log_sigma[labels][:, :, None])


def log_normal(z: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
    """Log density (batch,) of `z` (batch, width, time), every entry by itself; the others broadcast to its shape."""
    squares = ((z - mean) * (-log_sigma).exp()).square()
    return (-0.5 * (squares + math.log(2 * math.pi)) - log_sigma).sum((1, 2))


def bits_per_dimension(log_likelihood: Tensor, dimensions: int) -> Tensor:
    """Mean over the batch of the negative log likelihood (batch,) in bits for each of `dimensions` numbers, at least 0.

    The floor is DiCMoR's; without it latents that shrink would lower the loss without end.
    """
    return (-log_likelihood.mean() / (math.log(2) * dimensions)).clamp(min=0)
