"""DiCMoR+: recovery of missing modalities by flows to class-wise distributions (docs/dicmor.md).

Wang et al., ICCV 2023, public code mdswyz/DiCMoR (trains/singleTask/model/dicmor.py, trains/singleTask/DICMOR.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cmarr.batch import Batch
from cmarr.blocks.coupling_stack import CouplingStack
from cmarr.blocks.flow import Flow
from cmarr.blocks.mult import MultFusion
from cmarr.blocks.prior import ClassPrior, bits_per_dimension
from cmarr.blocks.projection import Projection
from cmarr.blocks.rcab import reconstruction
from cmarr.blocks.rows import moved, rows_of, spread
from cmarr.settings import Dicmor, System
from cmarr.systems.base import Stage, SystemModule, classification_loss, labels_of, observed
from cmarr.vocabulary import CONDITIONS, FULL, MISSING_CONDITIONS, MODALITIES


class Branch(nn.Module):
    """What recovers one modality: its flow, a convolution that joins two estimates, and its reconstruction module."""

    def __init__(self, settings: Dicmor) -> None:
        super().__init__()
        sizes, limit = settings.sizes(), settings.flow_logit_limit
        self.inverse_gradient = settings.inverse_gradient
        self.flow: CouplingStack | Flow
        if settings.flow == "code":
            self.flow = CouplingStack(sizes.width, sizes.flow_hidden, sizes.flow_steps, limit)
        else:
            self.flow = Flow(sizes, settings.flow, limit)
        self.join = nn.Conv1d(2 * sizes.width, sizes.width, 1) if settings.combine == "code" else None
        self.reconstruct = reconstruction(sizes.width, sizes.rcab_blocks, time_steps=sizes.time_steps)

    def recover(self, single: Tensor, pairs: tuple[Tensor, Tensor]) -> Tensor:
        """X_n (n + m, width, time_steps) of `single` (n, ...) latents, then of m pairs of latents that are joined.

        Without a convolution to join them there are no pairs.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.inverse_gradient):
            estimate = self.flow.inverse(torch.cat([single, *pairs]))
        if self.join is not None and len(pairs[0]):
            alone, one, other = estimate.split([len(single), len(pairs[0]), len(pairs[1])])
            estimate = torch.cat([alone, self.join(torch.cat([one, other], dim=1))])
        return cast(Tensor, self.reconstruct(estimate))


class DicmorSystem(SystemModule):
    """A projection and a branch per modality, one prior for all, and MulT's fusion."""

    def __init__(self, settings: Dicmor, dims: dict[str, int], classes: int) -> None:
        super().__init__()
        sizes = settings.sizes()
        self.settings = settings
        self.empty = (sizes.width, sizes.time_steps)
        self.project = nn.ModuleDict({modality: Projection(dims[modality], settings) for modality in MODALITIES})
        self.branches = nn.ModuleDict({modality: Branch(settings) for modality in MODALITIES})
        self.prior = ClassPrior(classes, sizes.width)
        self.fuse = MultFusion(settings, classes)

    def stages(self) -> tuple[Stage, ...]:
        """Complete utterances first, then a missing pattern for each sample or batch."""
        settings = self.settings
        complete = Stage(settings.complete, self.loss, self, (self,), patterns=(FULL,), name="complete", judged=(FULL,))
        trained = (self.branches, self.prior, self.fuse) if settings.frozen_projection else (self,)
        patterns = CONDITIONS if settings.training_patterns == "missing_and_full" else MISSING_CONDITIONS
        main = Stage(settings.training, self.loss, self, trained, patterns, patterns_per=settings.patterns_per)
        return complete, main

    def forward(self, batch: Batch) -> Tensor:
        """Logits (batch, classes)."""
        x = observed(batch, self.project, self.empty)
        return cast(Tensor, self.fuse(self.complete(x, batch.available)[0]))

    def representations(self, batch: Batch) -> dict[str, Tensor]:
        """Mean over time (batch, width) of X_n where available and of its recovery elsewhere, in evaluation mode."""
        was_training = self.training
        self.eval()
        with torch.no_grad():
            completed = self.complete(observed(batch, self.project, self.empty), batch.available)[0]
        self.train(was_training)
        return {modality: value.mean(2) for modality, value in completed.items()}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Parts: `cls`; `nll`, the flows' negative log likelihood of all real modalities, summed; and `rec`.

        The dropout of text comes before the resampling, the public code has frames that are aligned already.
        """
        settings, labels = self.settings, labels_of(batch)
        text = functional.dropout(batch.features["text"], settings.text_dropout, self.fuse.training)
        features = batch.features | {"text": text}
        x = {modality: self.project[modality](features[modality], batch.lengths[modality]) for modality in MODALITIES}
        encoded = {modality: self.branch(modality).flow(x[modality]) for modality in MODALITIES}
        completed, recovered = self.complete(x, batch.available, {m: z for m, (z, _) in encoded.items()})
        bits = [bits_per_dimension(log_det + self.prior(z, labels), z[0].numel()) for z, log_det in encoded.values()]
        parts = {
            "cls": classification_loss(self.fuse(completed), batch),
            "nll": torch.stack(bits).sum(),
            "rec": reconstruction_loss(x, recovered),
        }
        total = parts["cls"] + settings.nll_weight * parts["nll"] + settings.reconstruction_weight * parts["rec"]
        return {"total": total, **parts}

    def branch(self, modality: str) -> Branch:
        """The branch of a modality."""
        return cast(Branch, self.branches[modality])

    def complete(
        self, x: dict[str, Tensor], available: Tensor, latents: Mapping[str, Tensor] = MappingProxyType({})
    ) -> tuple[dict[str, Tensor], dict[str, tuple[Tensor, Tensor]]]:
        """X_n where available and its recovery elsewhere, and per missing modality its rows and their recoveries.

        `x` holds (batch, width, time_steps) per modality; rows that `available` denies are not read. Latents are
        computed where a recovery needs them, unless `latents` brings them along.
        """
        empty = torch.zeros_like(x[MODALITIES[0]], dtype=torch.float32)
        seen = []
        for column, modality in enumerate(MODALITIES):
            rows = rows_of(available[:, column] & ~available.all(1), empty.device)
            if not len(rows):
                seen.append(empty)
                continue
            known = latents.get(modality)
            z = self.branch(modality).flow.latent(x[modality][rows]) if known is None else known[rows]
            seen.append(spread(z, rows, len(available)))
        completed, recovered = dict(x), {}
        for column, modality in enumerate(MODALITIES):
            if not available[:, column].all():
                rows, single, pairs = self._asked(column, seen, available)
                values = self.branch(modality).recover(single, pairs)
                completed[modality] = x[modality].index_copy(0, rows, values)
                recovered[modality] = rows, values
        return completed, recovered

    def _asked(
        self, column: int, seen: list[Tensor], available: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """Rows that lack the modality of that column, and the latents `Branch.recover` is to get for them.

        `seen` holds the latents (batch, width, time_steps) of each modality, zeros where it is missing.
        """
        device = seen[0].device
        lacks = ~available[:, column]
        if self.settings.combine == "mean":
            rows = rows_of(lacks, device)
            mean = torch.stack(seen).sum(0) / moved(available.sum(1), device)[:, None, None]
            return rows, mean[rows], (mean[:0], mean[:0])
        one, other = (number for number in range(len(MODALITIES)) if number != column)
        only_one = rows_of(lacks & available[:, one] & ~available[:, other], device)
        only_other = rows_of(lacks & ~available[:, one] & available[:, other], device)
        both = rows_of(lacks & available[:, one] & available[:, other], device)
        single = torch.cat([seen[one][only_one], seen[other][only_other]])
        return torch.cat([only_one, only_other, both]), single, (seen[one][both], seen[other][both])


def reconstruction_loss(x: dict[str, Tensor], recovered: dict[str, tuple[Tensor, Tensor]]) -> Tensor:
    """Mean over all missing modalities of all samples of the mean squared error to the true X, which is held fixed.

    It is the public code's loss where all samples of a batch lack the same modalities; 0 when nothing is missing.
    """
    errors = [
        (values.float() - x[modality][rows].detach().float()).square().mean((1, 2))
        for modality, (rows, values) in recovered.items()
    ]
    return torch.cat(errors).mean() if errors else x[MODALITIES[0]].new_zeros(())


def build(settings: System, dims: dict[str, int], classes: int) -> SystemModule:
    """A fresh DiCMoR+; ValueError when the settings are another system's."""
    if not isinstance(settings, Dicmor):
        raise ValueError(f"dicmor needs Dicmor settings, not {type(settings).__name__}")
    return DicmorSystem(settings, dims, classes)
