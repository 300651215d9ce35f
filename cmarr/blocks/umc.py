"""Uncertainty modelling component: a Gaussian per frame (paper 3.1.2 and figure 3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from cmarr.settings import CmArr


class Umc(nn.Module):
    """The distribution encoder of MAP (map/modules/PDE.py), with 21 D^2 + 19 D parameters at width D.

    h = LN1(GELU(W_f x + b_f)); O = MHSA(h) without output projection, first half of the channels for the mean, second
    half for the deviation. m = x + W_mu O_mu; mean = m + MLP(LN2(m)). q = W_sigma O_sigma; log sigma = q + MLP(LN3(q)).
    Deviations from MAP: padded frames are masked as keys, log sigma is clamped. The ablation `point` drops the sigma
    branch; `no_umc_attention` takes the values in place of MHSA(h), so each frame sees itself only.
    """

    def __init__(self, settings: CmArr) -> None:
        super().__init__()
        width, dropout = settings.sizes().umc_width, settings.umc_dropout
        self.heads = settings.sizes().umc_heads
        self.dropout = dropout
        self.limit = settings.log_sigma_limit
        self.attention = settings.ablation != "no_umc_attention"
        self.feature = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, (3 if self.attention else 1) * width, bias=False)
        self.mean_head = nn.Linear(width // 2, width)
        self.mean_mlp = _mlp(width, dropout)
        if settings.ablation != "point":
            self.deviation_head = nn.Linear(width // 2, width)
            self.deviation_mlp = _mlp(width, dropout)
        self.drop = nn.Dropout(dropout)
        self.apply(lambda module: normal_init(module, width))

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """Means (batch, time, width) of the frames `x` (batch, time, width); `real` (batch, time) marks true frames."""
        return self._mean(x, self._attend(x, real).chunk(2, dim=2)[0])

    def gaussian(self, x: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Means and standard deviations of the frames, each (batch, time, width)."""
        for_mean, for_deviation = self._attend(x, real).chunk(2, dim=2)
        q = self.drop(self.deviation_head(for_deviation))
        log_sigma: Tensor = q + self.deviation_mlp(q)
        if self.limit is not None:
            log_sigma = log_sigma.clamp(-self.limit, self.limit)
        return self._mean(x, for_mean), log_sigma.exp()

    def _mean(self, x: Tensor, attended: Tensor) -> Tensor:
        m = x + self.drop(self.mean_head(attended))
        mean: Tensor = m + self.mean_mlp(m)
        return mean

    def _attend(self, x: Tensor, real: Tensor) -> Tensor:
        h = self.norm(functional.gelu(self.feature(x)))
        if not self.attention:
            values: Tensor = self.qkv(h)
            return values
        # each (batch, heads, time, width / heads)
        query, key, value = self.qkv(h).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=real[:, None, None], dropout_p=self.dropout if self.training else 0.0
        )
        return mixed.transpose(1, 2).flatten(2)


def _mlp(width: int, dropout: float) -> nn.Sequential:
    """LayerNorm and a feed-forward net of four times the width."""
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, 4 * width),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(4 * width, width),
        nn.Dropout(dropout),
    )


@torch.no_grad()
def normal_init(module: nn.Module, width: int) -> None:
    """Weights of linear layers from N(0, 0.02 sqrt(768 / width)), biases zero.

    At the width 768 of MAP this is MAP's start; at others a signal keeps the size that it has there, where a fixed 0.02
    would let it fade layer by layer (docs/cm-arr.md, point 35).
    """
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02 * math.sqrt(768 / width))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
