"""Unsupervised contrast of instances: two modalities of one utterance attract each other (eq. 2 to 5)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cmarr.blocks.wasserstein import squared_wasserstein
from cmarr.settings import CmArr


def info_nce(similarity: Tensor) -> Tensor:
    """InfoNCE of a (batch, batch) similarity in both directions, summed (eq. 2 to 4); positives on the diagonal."""
    own = torch.arange(len(similarity), device=similarity.device)
    return functional.cross_entropy(similarity, own) + functional.cross_entropy(similarity.T, own)


class Temperature(nn.Module):
    """A temperature, learnable or fixed. `clamp` brings a learned one back into its range, after each step."""

    def __init__(self, settings: CmArr) -> None:
        super().__init__()
        self.least, self.most = settings.tau_least, settings.tau_most
        self.tau: Tensor  # a buffer when it is fixed: every parameter learns
        if settings.tau_learned:
            self.tau = nn.Parameter(torch.tensor(settings.tau_start))
        else:
            self.register_buffer("tau", torch.tensor(settings.tau_start))

    def forward(self) -> Tensor:
        return self.tau

    @torch.no_grad()
    def clamp(self) -> None:
        self.tau.clamp_(self.least, self.most)


class DistributionContrast(nn.Module):
    """InfoNCE with S = (a D_2W + b) / tau (eq. 5).

    a = -tau_start / width, so that S starts as minus the mean squared difference of a dimension; b = 4 cancels in the
    softmax. Both are fixed, as in MAP's code (objectives.py), whose a = -1/200 at width 768 starts 55 times as sharp:
    with new weights the loss is then six times that of guessing, its gradient hundreds of times that of the
    classification, and clipping leaves nothing of the latter (docs/cm-arr.md, point 5). With `sigma: variance` the
    squared deviations take their place in D_2W.
    """

    def __init__(self, settings: CmArr) -> None:
        super().__init__()
        self.scale = settings.distance_scale or -settings.tau_start / settings.sizes().umc_width
        self.shift = settings.distance_shift
        self.variance = settings.sigma == "variance"
        self.temperature = Temperature(settings)

    def forward(self, one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> Tensor:
        """Scalar for the instances (mean, deviation) of two modalities, each (batch, width)."""
        if self.variance:
            one, other = (one[0], one[1].float().square()), (other[0], other[1].float().square())
        distance = squared_wasserstein(*one, *other)
        return info_nce((self.scale * distance + self.shift) / self.temperature())


class PointContrast(nn.Module):
    """InfoNCE with S = cosine(mean, mean) / tau, for the ablation `point` (Table 3)."""

    def __init__(self, settings: CmArr) -> None:
        super().__init__()
        self.temperature = Temperature(settings)

    def forward(self, one: tuple[Tensor], other: tuple[Tensor]) -> Tensor:
        """Scalar for the instances (mean,) of two modalities, each (batch, width)."""
        with torch.autocast(one[0].device.type, enabled=False):
            cosine = functional.normalize(one[0].float(), dim=1) @ functional.normalize(other[0].float(), dim=1).T
        return info_nce(cosine / self.temperature())
