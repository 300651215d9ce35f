"""CM-ARR: cross-modal alignment, reconstruction and refinement (paper section 3; docs/cm-arr.md)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from types import MappingProxyType
from typing import cast

import torch
from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.blocks.flow import Flow
from cmarr.blocks.fusion import MeanFusion, fusion
from cmarr.blocks.instance_contrast import DistributionContrast, PointContrast
from cmarr.blocks.label_contrast import label_contrast
from cmarr.blocks.prior import ClassPrior, StandardPrior, bits_per_dimension
from cmarr.blocks.projection import Projection
from cmarr.blocks.rcab import reconstruction
from cmarr.blocks.resample import mean_over_time, real_frames
from cmarr.blocks.rows import moved, rows_of, spread
from cmarr.blocks.umc import Umc, normal_init
from cmarr.settings import CmArr, System
from cmarr.systems.base import Stage, SystemModule, classification_loss, labels_of, observed
from cmarr.vocabulary import CONDITIONS, MISSING_CONDITIONS, MODALITIES


class Branch(nn.Module):
    """What one modality has of its own: uncertainty component, projection, flow and reconstruction module."""

    def __init__(self, settings: CmArr, dim: int) -> None:
        super().__init__()
        sizes = settings.sizes()
        self.settings = settings
        self.from_features = settings.x_source == "R"
        self.contrasted = "udcl" in settings.weights()
        self.gaussian = settings.ablation != "point" and (self.contrasted or settings.sampling)
        self.widen = nn.Linear(dim, sizes.umc_width)
        normal_init(self.widen, dim)
        self.umc = Umc(settings)
        self.project = Projection(dim if self.from_features else sizes.umc_width, settings)
        self.flow = Flow(sizes, settings.flow, settings.flow_logit_limit)
        self.reconstruct = reconstruction(
            sizes.width, sizes.rcab_blocks, settings.rcab_reduction, settings.rcab_widening, sizes.time_steps
        )

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """X_n (batch, width, time_steps) of `features` (batch, time, dim), without sampling."""
        if self.from_features:
            return cast(Tensor, self.project(features, lengths))
        mean = self.umc(self.widen(features), real_frames(lengths, features.shape[1]))
        return cast(Tensor, self.project(mean, lengths))

    def align(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """X_n, and the instance's mean and deviation, each (batch, umc width): means over frames, or the first frame's.

        The deviation is computed where something reads it: not by the ablation `point`, nor without L_udcl and
        `sampling`. In training, X_n comes from a sample of each frame if `sampling` is set.
        """
        if self.from_features and not self.contrasted:
            return self(features, lengths), ()
        wide, real = self.widen(features), real_frames(lengths, features.shape[1])
        frames: tuple[Tensor, ...] = self.umc.gaussian(wide, real) if self.gaussian else (self.umc(wide, real),)
        source = features if self.from_features else frames[0]
        if self.settings.sampling and self.training:
            source = source + frames[1] * torch.randn_like(source)
        x = self.project(source, lengths)
        if not self.contrasted:
            return x, ()
        if self.settings.instance == "first":
            return x, tuple(part[:, 0] for part in frames)
        return x, tuple(mean_over_time(part.float(), lengths) for part in frames)

    def recover(self, latent: Tensor) -> Tensor:
        """Recovered X_n from an estimated latent, both (batch, width, time_steps): eq. 8, then reconstruction."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.settings.inverse_gradient):
            estimate = self.flow.inverse(latent)
        return cast(Tensor, self.reconstruct(estimate))


class CmArrSystem(SystemModule):
    """A branch per modality, and one fusion for all."""

    def __init__(self, settings: CmArr, dims: dict[str, int], classes: int) -> None:
        super().__init__()
        sizes = settings.sizes()
        self.settings = settings
        self.weights = settings.weights()
        self.empty = (sizes.width, sizes.time_steps)
        self.branches = nn.ModuleDict({modality: Branch(settings, dims[modality]) for modality in MODALITIES})
        if settings.shared_weights:
            for modality in MODALITIES[1:]:
                self.branch(modality).umc = self.branch(MODALITIES[0]).umc
                self.branch(modality).flow = self.branch(MODALITIES[0]).flow
        point = settings.ablation == "point"
        self.contrast = PointContrast(settings) if point else DistributionContrast(settings)
        per_class = settings.flow_nll > 0 and settings.flow_prior == "class"
        self.prior = ClassPrior(classes, sizes.width) if per_class else StandardPrior()
        fuse = MeanFusion if settings.ablation == "no_attention" else fusion
        self.fuse = fuse(settings, classes)

    def stages(self) -> tuple[Stage, ...]:
        """One stage, with a missing pattern for each sample or batch."""
        settings = self.settings
        patterns = CONDITIONS if settings.training_patterns == "missing_and_full" else MISSING_CONDITIONS
        return (
            Stage(
                settings.training, self.loss, self, (self,), patterns, patterns_per=settings.patterns_per,
                after_step=self.contrast.temperature.clamp,
            ),
        )  # fmt: skip

    def forward(self, batch: Batch) -> Tensor:
        """Logits (batch, classes)."""
        x = observed(batch, self.branches, self.empty)
        return cast(Tensor, self.fuse(self.complete(x, batch.available)[0], batch.available))

    def representations(self, batch: Batch) -> dict[str, Tensor]:
        """Mean over time (batch, width) of X_n where available and of its recovery elsewhere, in evaluation mode."""
        was_training = self.training
        self.eval()
        with torch.no_grad():
            completed = self.complete(observed(batch, self.branches, self.empty), batch.available)[0]
        self.train(was_training)
        return {modality: value.mean(2) for modality, value in completed.items()}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Parts: `cls`, `udcl`, `spcl`, `rec` (eq. 14) and `nll`, those that have a weight.

        L_udcl and the likelihood also see the modalities that count as missing. `rec_relative`, which is no part of the
        total, is L_rec over the variance of its targets: 1 is what the mean of the batch would reach.
        """
        settings, labels = self.settings, labels_of(batch)
        aligned = {m: self.branch(m).align(batch.features[m], batch.lengths[m]) for m in MODALITIES}
        x = {modality: aligned[modality][0] for modality in MODALITIES}
        encoded = {m: self.branch(m).flow(x[m]) for m in MODALITIES} if "nll" in self.weights else {}
        completed, recovered = self.complete(x, batch.available, {m: z for m, (z, _) in encoded.items()})
        parts = {"cls": classification_loss(self.fuse(completed, batch.available), batch)}
        if "udcl" in self.weights:
            parts["udcl"] = self.alignment_loss([aligned[modality][1] for modality in MODALITIES], batch.available)
        if "spcl" in self.weights:
            points = x if settings.spcl_features == "X" else completed
            parts["spcl"] = label_contrast(
                torch.stack([points[m].mean(2) for m in MODALITIES], dim=1), labels, settings.spcl_tau,
                settings.spcl_positives == "cross_modal",
            )  # fmt: skip
        if "rec" in self.weights:
            parts["rec"] = reconstruction_loss(x, recovered, settings)
        if encoded:
            parts["nll"] = torch.stack(
                [bits_per_dimension(log_det + self.prior(z, labels), z[0].numel()) for z, log_det in encoded.values()]
            ).sum()
        total = torch.stack([self.weights[name] * part for name, part in parts.items()]).sum()
        if "rec" in parts:
            parts["rec_relative"] = relative_error(x, recovered)
        return {"total": total, **parts}

    def branch(self, modality: str) -> Branch:
        """The branch of a modality."""
        return cast(Branch, self.branches[modality])

    def alignment_loss(self, instances: list[tuple[Tensor, ...]], available: Tensor) -> Tensor:
        """L_udcl over the three pairs of modalities; `instances` are as in `Branch.align`, in the order of MODALITIES.

        With `udcl_on: available` a pair has the samples that have both modalities; fewer than two give 0.
        """
        losses = []
        for one, other in combinations(range(len(MODALITIES)), 2):
            pair = instances[one], instances[other]
            if self.settings.udcl_on == "available":
                rows = rows_of(available[:, one] & available[:, other], pair[0][0].device)
                if len(rows) < 2:
                    losses.append(pair[0][0].new_zeros(()))
                    continue
                pair = tuple(part[rows] for part in pair[0]), tuple(part[rows] for part in pair[1])
            losses.append(self.contrast(*pair))
        stacked = torch.stack(losses)
        return stacked.sum() if self.settings.udcl_pairs == "sum" else stacked.mean()

    def complete(
        self, x: dict[str, Tensor], available: Tensor, latents: Mapping[str, Tensor] = MappingProxyType({})
    ) -> tuple[dict[str, Tensor], Recovered]:
        """Y_n = X_n where available and its recovery elsewhere (eq. 6 to 8), and the recoveries by themselves.

        `x` holds (batch, width, time_steps) per modality; rows that `available` denies are not read. The latent of a
        missing modality is the mean of the sample's available latents. Complete samples meet no flow at all, unless
        `latents` brings all of them along. The gradient runs through the inverse by default, since no likelihood term
        trains the flows then (docs/cm-arr.md, points 12 and 13).
        """
        incomplete = ~available.all(1)
        total = torch.zeros_like(x[MODALITIES[0]])
        for column, modality in enumerate(MODALITIES):
            rows = rows_of(available[:, column] & incomplete, total.device)
            if len(rows):
                known = latents.get(modality)
                z = self.branch(modality).flow.latent(x[modality][rows]) if known is None else known[rows]
                total = total + spread(z, rows, len(total))
        latent = total / moved(available.sum(1), total.device)[:, None, None]
        completed, recovered = dict(x), {}
        for column, modality in enumerate(MODALITIES):
            rows = rows_of(~available[:, column], total.device)
            if len(rows):
                values = self.branch(modality).recover(latent[rows])
                completed[modality] = x[modality].index_copy(0, rows, values)
                recovered[modality] = (rows, values)
        return completed, recovered


Recovered = dict[str, tuple[Tensor, Tensor]]
"""per modality that any sample lacks: rows (n,) and their recovered features (n, width, time_steps)"""


def reconstruction_loss(x: dict[str, Tensor], recovered: Recovered, settings: CmArr) -> Tensor:
    """Mean over all missing modalities of all samples of the mean squared error to the true X, which is held fixed.

    Eq. 9 has the squared Frobenius norm, a sum (`rec_reduction: sum`); the mean keeps lambda = 10 in proportion to the
    cross-entropy, and a fixed target cannot shrink to please the loss unless `target_gradient` lets it (docs/cm-arr.md,
    points 14 and 15). 0 when nothing is missing.
    """
    errors = []
    for modality, (rows, values) in recovered.items():
        target = x[modality][rows].float()
        squares = (values.float() - (target if settings.target_gradient else target.detach())).square()
        errors.append(squares.sum((1, 2)) if settings.rec_reduction == "sum" else squares.mean((1, 2)))
    return torch.cat(errors).mean() if errors else x[MODALITIES[0]].new_zeros(())


@torch.no_grad()
def relative_error(x: dict[str, Tensor], recovered: Recovered) -> Tensor:
    """Squared error of all recoveries over the variance of their targets, that is over utterances of the batch."""
    errors, variances = [], []
    for modality, (rows, values) in recovered.items():
        target = x[modality].float()
        errors.append((values.float() - target[rows]).square().mean((1, 2)))
        variances.append(target.var(0, correction=0).mean().expand(len(rows)))
    if not errors:
        return x[MODALITIES[0]].new_zeros(())
    return torch.cat(errors).sum() / torch.cat(variances).sum().clamp(min=torch.finfo(torch.float32).tiny)


def build(settings: System, dims: dict[str, int], classes: int) -> SystemModule:
    """A fresh CM-ARR; ValueError when the settings are another system's."""
    if not isinstance(settings, CmArr):
        raise ValueError(f"cm_arr needs CmArr settings, not {type(settings).__name__}")
    return CmArrSystem(settings, dims, classes)
