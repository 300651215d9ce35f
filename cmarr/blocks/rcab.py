"""Reconstruction module of residual channel attention blocks (paper 3.2, before eq. 9).

The paper's citation names another work; the blocks are RCAN's, in one dimension, arranged as in DiCMoR.
"""

from __future__ import annotations

from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """(batch, channels, time) scaled per channel by a gate computed from the mean over time."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        squeezed = max(1, channels // reduction)
        self.gate = nn.Sequential(
            nn.Conv1d(channels, squeezed, 1),
            nn.ReLU(),
            nn.Conv1d(squeezed, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        scaled: Tensor = x * self.gate(x.mean(2, keepdim=True))
        return scaled


class Rcab(nn.Module):
    """Two convolutions and channel attention around a skip, (batch, channels, time)."""

    def __init__(self, channels: int, reduction: int, kernel: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(channels, channels, kernel, padding="same"),
            nn.ReLU(),
            nn.Conv1d(channels, channels, kernel, padding="same"),
            ChannelAttention(channels, reduction),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


class ResidualGroup(nn.Module):
    """Blocks and a last convolution around a long skip, (batch, channels, time)."""

    def __init__(self, channels: int, blocks: int, reduction: int, kernel: int = 3) -> None:
        super().__init__()
        rcabs = [Rcab(channels, reduction, kernel) for _ in range(blocks)]
        self.body = nn.Sequential(*rcabs, nn.Conv1d(channels, channels, kernel, padding="same"))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


def reconstruction(
    width: int, blocks: int, reduction: int = 16, widening: int = 2, time_steps: int | None = None
) -> nn.Sequential:
    """Module from (batch, width, time) to the same shape: widened so many times, one residual group, narrowed again.

    Kernels span 3 steps, or 1 if there is a single step.
    """
    wide = widening * width
    group = ResidualGroup(wide, blocks, reduction, 1 if time_steps == 1 else 3)
    return nn.Sequential(nn.Conv1d(width, wide, 1), group, nn.Conv1d(wide, width, 1))
