"""CRA: cascaded residual autoencoder (Tran et al., CVPR 2017), as a classifier of utterances.

Tran et al. fill in missing features and leave the classifier open. `joint` is the adaptation in zeroQiaoba/GCNet,
baseline-mmin/models/mmin_CRA_model.py; `impute` is nearer to the paper: the cascade fills the embeddings of a frozen
teacher. Deviations: docs/mmin.md.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cmarr.batch import Batch
from cmarr.blocks.cascade import Cascade
from cmarr.blocks.classifier import classifier
from cmarr.blocks.initial import kaiming_
from cmarr.blocks.resample import mean_over_time
from cmarr.blocks.rows import moved, rows_of, spread
from cmarr.blocks.teacher import Teacher
from cmarr.settings import Cra, System
from cmarr.systems.base import Stage, SystemModule, classification_loss
from cmarr.vocabulary import FULL, MISSING_CONDITIONS, MODALITIES


class JointCra(SystemModule):
    """Encoders of means over time, a cascade, decoders back to these means, a classifier of the cascade's output."""

    def __init__(self, settings: Cra, dims: dict[str, int], classes: int) -> None:
        super().__init__()
        width, dropout = settings.embedding, settings.head_dropout
        together = len(MODALITIES) * width
        self.settings, self.dims = settings, dims
        self.encode = nn.ModuleDict({m: classifier(dims[m], width, width, dropout) for m in MODALITIES})
        self.complete = Cascade(together, settings.joint_layers, settings.joint_blocks)
        self.decode = nn.ModuleDict({m: classifier(together, width, dims[m], dropout) for m in MODALITIES})
        self.classify = classifier(together, width, classes, dropout)
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.normal_(part.weight, std=0.02)
                nn.init.zeros_(part.bias)

    def stages(self) -> tuple[Stage, ...]:
        """One stage on incomplete utterances."""
        return (Stage(self.settings.training, self.loss, self, (self,), MISSING_CONDITIONS),)

    def forward(self, batch: Batch) -> Tensor:
        """Logits (batch, classes)."""
        return cast(Tensor, self.classify(self.completed(batch)))

    def completed(self, batch: Batch) -> Tensor:
        """(batch, 3 * width): the cascade's output, for zeros in the place of the means of what is missing."""
        device = next(self.parameters()).device
        embeddings = []
        for column, (modality, encode) in enumerate(self.encode.items()):
            rows = rows_of(batch.available[:, column], device)
            if len(rows):
                means = mean_over_time(batch.features[modality][rows], batch.lengths[modality][rows])
                x = spread(means, rows, len(batch.available))
            else:
                x = torch.zeros(len(batch.available), self.dims[modality], device=device)
            embeddings.append(encode(x))
        return cast(Tensor, self.complete(torch.cat(embeddings, dim=1))[0])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Parts: `cls`, and `reconstruction`, squared errors of missing means, divided by their width and summed."""
        completed = self.completed(batch)
        cls = classification_loss(self.classify(completed), batch)
        errors = []
        for column, (modality, decode) in enumerate(self.decode.items()):
            rows = rows_of(~batch.available[:, column], completed.device)
            means = mean_over_time(batch.features[modality][rows], batch.lengths[modality][rows])
            errors.append((decode(completed[rows]) - means).square().sum() / means.shape[1])
        reconstruction = torch.stack(errors).sum()
        total = cls + self.settings.reconstruction_weight * reconstruction
        return {"total": total, "cls": cls, "reconstruction": reconstruction}


class ImputingCra(SystemModule):
    """MMIN's teacher, and a cascade that fills its embeddings of missing modalities."""

    def __init__(self, settings: Cra, dims: dict[str, int], classes: int) -> None:
        super().__init__()
        together = len(MODALITIES) * settings.embedding
        self.settings, self.averaged = settings, {"speech": settings.speech_pool}
        self.teacher = Teacher(dims, settings, classes)
        self.complete = Cascade(together, settings.cascade_layers, settings.cascade_blocks, transition=False)
        kaiming_(self)

    def stages(self) -> tuple[Stage, ...]:
        """The teacher on complete utterances, then the cascade on incomplete ones."""
        settings, taught, learning, patterns = self.settings, self.teacher, (self.complete,), MISSING_CONDITIONS
        return (
            Stage(settings.teacher, self.teacher.loss, taught, taught.parts(), (FULL,), "teacher", judged=(FULL,)),
            Stage(settings.imputation, self.loss, self, learning, patterns, "imputation", targets=taught.embeddings),
        )

    def forward(self, batch: Batch) -> Tensor:
        """Logits (batch, classes): the teacher's, with imagined embeddings where a modality is missing."""
        filled, _ = self._filled(self.teacher.embeddings(batch), batch.available)
        return cast(Tensor, self.teacher.classify(filled))

    def _filled(self, embeddings: Tensor, available: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings with those of missing modalities filled in, and the cascade's output, both (batch, 3 * width)."""
        seen = moved(available, embeddings.device).repeat_interleave(self.settings.embedding, dim=1)
        estimate, _ = self.complete(torch.where(seen, embeddings, 0))
        return torch.where(seen, embeddings, estimate), estimate

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Parts: `imputation`, the cascade's mean squared error over all embeddings, is the total; `cls` has no say.

        ValueError without labels or targets.
        """
        if batch.targets is None:
            raise ValueError("a loss needs targets and labels, and this batch has no targets")
        filled, estimate = self._filled(batch.targets, batch.available)
        imputation = functional.mse_loss(estimate, batch.targets)
        with torch.no_grad():
            cls = classification_loss(self.teacher.classify(filled), batch)
        return {"total": imputation, "cls": cls, "imputation": imputation}


def build(settings: System, dims: dict[str, int], classes: int) -> SystemModule:
    """A fresh CRA of the settings' kind; ValueError when the settings are another system's."""
    if not isinstance(settings, Cra):
        raise ValueError(f"cra needs Cra settings, not {type(settings).__name__}")
    kind = JointCra if settings.kind == "joint" else ImputingCra
    return kind(settings, dims, classes)
