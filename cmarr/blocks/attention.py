"""Attention block with LayerNorm first, after MulT as DiCMoR uses it; one layer, for eq. 10, 11 and 13."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from cmarr.settings import Residual

FLOOR = 1e-2
"""added to the variance of attended frames: what is nearly nothing (a missing modality that is zeros) stays quiet, and
its gradient is no more than ten times that of others"""


class AttentionBlock(nn.Module):
    """Cross-attention of `query` to `source`, or self-attention when both are the same, with 12 d^2 + 15 d parameters.

    Queries and sources share the first LayerNorm and get sinusoidal positions. No causal mask, since nothing is
    predicted here (DiCMoR has one). `residual` says what stands beside the attended frames before the feed-forward net:
    `normed`, the query after LayerNorm, and the attended frames are brought to the same size; positions are in queries
    and keys alone. `plain`: the query as it comes; `none`: nothing, as eq. 10 and 11 are written. `scaled`: sqrt(d)
    times the query plus positions, like MulT, where frames are scaled like that before they enter the block.
    """

    positions: Tensor

    def __init__(
        self, width: int, heads: int, time_steps: int, dropout: float = 0.1, residual: Residual = "normed"
    ) -> None:
        super().__init__()
        self.residual = residual
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
        normed = self.norm(query)
        x = self._beside(query, normed) + self.drop(self._attended(query, normed, source))
        x = x + self.drop(self.feed_forward(self.feed_forward_norm(x)))
        out: Tensor = self.last_norm(x)
        return out

    def _attended(self, query: Tensor, normed: Tensor, source: Tensor) -> Tensor:
        if self.residual == "scaled":
            values = keys = self.norm(self._scaled(source))
            asking = self.norm(self._scaled(query))
        else:
            values = normed if source is query else self.norm(source)
            asking, keys = normed + self.positions, values + self.positions
        attended: Tensor = self.attention(asking, keys, values, need_weights=False)[0]
        return functional.layer_norm(attended, attended.shape[2:], eps=FLOOR) if self.residual == "normed" else attended

    def _beside(self, query: Tensor, normed: Tensor) -> Tensor:
        if self.residual == "normed":
            return normed
        if self.residual == "scaled":
            return self._scaled(query)
        return query if self.residual == "plain" else torch.zeros_like(query)

    def _scaled(self, x: Tensor) -> Tensor:
        return math.sqrt(x.shape[2]) * x + self.positions


def sinusoids(time_steps: int, width: int) -> Tensor:
    """Positions (time_steps, width): sines in the first half of the channels, cosines in the second; width even."""
    half = width // 2
    rates = torch.exp(-math.log(10000) * torch.arange(half) / max(1, half - 1))
    angles = torch.arange(time_steps)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
