"""Attention block of MulT as DiCMoR uses it, with LayerNorm first; one layer, for eq. 10, 11 and 13."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class AttentionBlock(nn.Module):
    """Cross-attention of `query` to `source`, or self-attention when both are the same, with 12 d^2 + 15 d parameters.

    Inputs are scaled by sqrt(d) and get sinusoidal positions; queries and sources share the first LayerNorm. No causal
    mask, since nothing is predicted here (DiCMoR has one).
    """

    positions: Tensor

    def __init__(self, width: int, heads: int, time_steps: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.register_buffer("positions", sinusoids(time_steps, width), persistent=False)
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.last_norm = nn.LayerNorm(width)
        self.drop = nn.Dropout(dropout)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, query: Tensor, source: Tensor) -> Tensor:
        """(batch, time, width) for each step of `query` (batch, time, width); `source` has the same shape."""
        x = self._placed(query)
        keys = self.norm(self._placed(source))
        x = x + self.drop(self.attention(self.norm(x), keys, keys, need_weights=False)[0])
        x = x + self.drop(self.feed_forward(self.feed_forward_norm(x)))
        out: Tensor = self.last_norm(x)
        return out

    def _placed(self, x: Tensor) -> Tensor:
        return math.sqrt(x.shape[2]) * x + self.positions


def sinusoids(time_steps: int, width: int) -> Tensor:
    """Positions (time_steps, width): sines in the first half of the channels, cosines in the second; width even."""
    half = width // 2
    rates = torch.exp(-math.log(10000) * torch.arange(half) / max(1, half - 1))
    angles = torch.arange(time_steps)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
