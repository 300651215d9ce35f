"""CM-ARR: cross-modal alignment, reconstruction and refinement (paper section 3; docs/cm-arr.md)."""

from __future__ import annotations

from itertools import combinations
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cmarr.batch import Batch
from cmarr.blocks.flow import Flow
from cmarr.blocks.fusion import Fusion, MeanFusion
from cmarr.blocks.instance_contrast import DistributionContrast, PointContrast
from cmarr.blocks.label_contrast import label_contrast
from cmarr.blocks.projection import Projection
from cmarr.blocks.rcab import reconstruction
from cmarr.blocks.resample import mean_over_time, real_frames
from cmarr.blocks.rows import rows_of, spread
from cmarr.blocks.umc import Umc, normal_init
from cmarr.settings import CmArr, System
from cmarr.systems.base import SystemModule, labels_of, observed
from cmarr.vocabulary import CONDITIONS, MISSING_CONDITIONS, MODALITIES


class Branch(nn.Module):
    """What one modality has of its own: uncertainty component, projection, flow and reconstruction module."""

    def __init__(self, settings: CmArr, dim: int) -> None:
        super().__init__()
        sizes = settings.sizes()
        self.from_features = settings.x_source == "R"
        self.point = settings.ablation == "point"
        self.widen = nn.Linear(dim, sizes.umc_width).apply(normal_init)
        self.umc = Umc(sizes.umc_width, sizes.umc_heads, deviation=not self.point)
        self.project = Projection(dim if self.from_features else sizes.umc_width, sizes.width, sizes.time_steps)
        self.flow = Flow(sizes.width, sizes.flow_steps, sizes.flow_hidden, settings.flow == "dicmor_literal")
        self.reconstruct = reconstruction(sizes.width, sizes.rcab_blocks)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """X_n (batch, width, time_steps) of `features` (batch, time, dim)."""
        if self.from_features:
            return cast(Tensor, self.project(features, lengths))
        mean = self.umc(self.widen(features), real_frames(lengths, features.shape[1]))
        return cast(Tensor, self.project(mean, lengths))

    def align(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """X_n, and the instance's mean and deviation, each (batch, umc width): means over time of the frames'.

        The ablation `point` has no deviation.
        """
        wide, real = self.widen(features), real_frames(lengths, features.shape[1])
        frames = (self.umc(wide, real),) if self.point else self.umc.gaussian(wide, real)
        x = self.project(features if self.from_features else frames[0], lengths)
        return x, tuple(mean_over_time(part, lengths) for part in frames)

    def recover(self, latent: Tensor) -> Tensor:
        """Recovered X_n from an estimated latent, both (batch, width, time_steps): eq. 8, then reconstruction."""
        return cast(Tensor, self.reconstruct(self.flow.inverse(latent)))


class CmArrSystem(SystemModule):
    """A branch per modality, and one fusion for all."""

    def __init__(self, settings: CmArr, dims: dict[str, int], classes: int) -> None:
        super().__init__()
        sizes = settings.sizes()
        self.patterns = CONDITIONS if settings.training_patterns == "missing_and_full" else MISSING_CONDITIONS
        self.weights = settings.weights()
        self.empty = (sizes.width, sizes.time_steps)
        self.branches = nn.ModuleDict({modality: Branch(settings, dims[modality]) for modality in MODALITIES})
        self.contrast = PointContrast() if settings.ablation == "point" else DistributionContrast(sizes.umc_width)
        self.fuse = (
            MeanFusion(sizes.width, settings.head_dropout, classes)
            if settings.ablation == "no_attention"
            else Fusion(sizes, settings.dropout, settings.head_dropout, classes)
        )

    def forward(self, batch: Batch) -> Tensor:
        """Logits (batch, classes)."""
        x = observed(batch, self.branches, self.empty)
        return cast(Tensor, self.fuse(self.complete(x, batch.available)[0]))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Parts: `cls`, `udcl`, `spcl`, `rec` (eq. 14). L_udcl also sees the modalities that count as missing."""
        labels = labels_of(batch)
        aligned = {m: self.branch(m).align(batch.features[m], batch.lengths[m]) for m in MODALITIES}
        x = {modality: aligned[modality][0] for modality in MODALITIES}
        instances = [aligned[modality][1] for modality in MODALITIES]
        completed, recovered = self.complete(x, batch.available)
        parts = {
            "cls": functional.cross_entropy(self.fuse(completed), labels),
            "udcl": torch.stack([self.contrast(one, other) for one, other in combinations(instances, 2)]).mean(),
            "spcl": label_contrast(torch.stack([completed[m].mean(2) for m in MODALITIES], dim=1), labels),
            "rec": reconstruction_loss(x, recovered),
        }
        total = torch.stack([self.weights[name] * part for name, part in parts.items() if self.weights[name]]).sum()
        return {"total": total, **parts}

    def branch(self, modality: str) -> Branch:
        """The branch of a modality."""
        return cast(Branch, self.branches[modality])

    def complete(self, x: dict[str, Tensor], available: Tensor) -> tuple[dict[str, Tensor], Recovered]:
        """Y_n = X_n where available and its recovery elsewhere (eq. 6 to 8), and the recoveries by themselves.

        `x` holds (batch, width, time_steps) per modality; rows that `available` denies are not read. The latent of a
        missing modality is the mean of the sample's available latents. Complete samples meet no flow at all. The
        gradient runs through the inverse, since no likelihood term trains the flows (docs/cm-arr.md, point 13).
        """
        incomplete = ~available.all(1)
        total = torch.zeros_like(x[MODALITIES[0]])
        for column, modality in enumerate(MODALITIES):
            rows = rows_of(available[:, column] & incomplete)
            if len(rows):
                total = total + spread(self.branch(modality).flow(x[modality][rows])[0], rows, len(total))
        latent = total / available.sum(1)[:, None, None]
        completed, recovered = dict(x), {}
        for column, modality in enumerate(MODALITIES):
            rows = rows_of(~available[:, column])
            if len(rows):
                values = self.branch(modality).recover(latent[rows])
                completed[modality] = x[modality].index_copy(0, rows, values)
                recovered[modality] = (rows, values)
        return completed, recovered


Recovered = dict[str, tuple[Tensor, Tensor]]
"""per modality that any sample lacks: rows (n,) and their recovered features (n, width, time_steps)"""


def reconstruction_loss(x: dict[str, Tensor], recovered: Recovered) -> Tensor:
    """Mean over all missing modalities of all samples of the mean squared error to the true X, which is held fixed.

    Eq. 9 has the squared Frobenius norm, a sum; the mean keeps lambda = 10 in proportion to the cross-entropy, and a
    fixed target cannot shrink to please the loss (docs/cm-arr.md, points 14 and 15). 0 when nothing is missing.
    """
    errors = [
        (values - x[modality][rows].detach()).square().mean((1, 2)) for modality, (rows, values) in recovered.items()
    ]
    return torch.cat(errors).mean() if errors else x[MODALITIES[0]].new_zeros(())


def build(settings: System, dims: dict[str, int], classes: int) -> SystemModule:
    """A fresh CM-ARR; ValueError when the settings are another system's."""
    if not isinstance(settings, CmArr):
        raise ValueError(f"cm_arr needs CmArr settings, not {type(settings).__name__}")
    return CmArrSystem(settings, dims, classes)
