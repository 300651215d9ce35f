"""Unsupervised contrast of instances: two modalities of one utterance attract each other (eq. 2 to 5)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cmarr.blocks.wasserstein import squared_wasserstein

TAU_START, TAU_LEAST, TAU_MOST = 0.07, 0.01, 1.0


def info_nce(similarity: Tensor) -> Tensor:
    """InfoNCE of a (batch, batch) similarity in both directions, summed (eq. 2 to 4); positives on the diagonal."""
    own = torch.arange(len(similarity), device=similarity.device)
    return functional.cross_entropy(similarity, own) + functional.cross_entropy(similarity.T, own)


class Temperature(nn.Module):
    """A learnable temperature from 0.07, kept in [0.01, 1].

    Outside the range the clamped value counts but the gradient still passes, so that the parameter can come back.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tau = nn.Parameter(torch.tensor(TAU_START))

    def forward(self) -> Tensor:
        return self.tau + (self.tau.clamp(TAU_LEAST, TAU_MOST) - self.tau).detach()


class DistributionContrast(nn.Module):
    """InfoNCE with S = (a D_2W + b) / tau (eq. 5).

    a = -1/200 at MAP's width 768, scaled to keep a D_2W comparable at other widths; b = 4 cancels in the softmax. Both
    are fixed, as in MAP's code (objectives.py).
    """

    def __init__(self, width: int, shift: float = 4.0) -> None:
        super().__init__()
        self.scale = -768 / width / 200
        self.shift = shift
        self.temperature = Temperature()

    def forward(self, one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> Tensor:
        """Scalar for the instances (mean, deviation) of two modalities, each (batch, width)."""
        distance = squared_wasserstein(*one, *other)
        return info_nce((self.scale * distance + self.shift) / self.temperature())


class PointContrast(nn.Module):
    """InfoNCE with S = cosine(mean, mean) / tau, for the ablation `point` (Table 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.temperature = Temperature()

    def forward(self, one: tuple[Tensor], other: tuple[Tensor]) -> Tensor:
        """Scalar for the instances (mean,) of two modalities, each (batch, width)."""
        cosine = functional.normalize(one[0], dim=1) @ functional.normalize(other[0], dim=1).T
        return info_nce(cosine / self.temperature())
