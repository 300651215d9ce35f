"""Reconstruction module of residual channel attention blocks (paper 3.2, before eq. 9).

The paper's citation names another work; the blocks are RCAN's, in one dimension, arranged as in DiCMoR.
"""

from __future__ import annotations

from torch import Tensor, nn

REDUCTION = 16


class ChannelAttention(nn.Module):
    """(batch, channels, time) scaled per channel by a gate computed from the mean over time."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(1, channels // REDUCTION)
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

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv1d(channels, channels, 3, padding=1),
            ChannelAttention(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


class ResidualGroup(nn.Module):
    """Blocks and a last convolution around a long skip, (batch, channels, time)."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*(Rcab(channels) for _ in range(blocks)), nn.Conv1d(channels, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


def reconstruction(width: int, blocks: int) -> nn.Sequential:
    """Module from (batch, width, time) to the same shape: widened to 2 width, one residual group, narrowed again."""
    return nn.Sequential(
        nn.Conv1d(width, 2 * width, 1), ResidualGroup(2 * width, blocks), nn.Conv1d(2 * width, width, 1)
    )
