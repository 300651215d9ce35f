"""IF-MMIN: missing modality imagination with modality-invariant features (Zuo et al., ICASSP 2023).

Public code: ZhuoYulang/IF-MMIN, models/utt_shared_model.py (stage `teacher`) and models/IFMMIN_model.py (stage `main`).
Deviations: docs/mmin.md.
"""

from __future__ import annotations

from itertools import combinations
from typing import cast

import torch
from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.blocks.cascade import Cascade
from cmarr.blocks.classifier import classifier
from cmarr.blocks.initial import kaiming_
from cmarr.blocks.moments import moment_discrepancy
from cmarr.blocks.student import Student
from cmarr.blocks.utterance import Encoders
from cmarr.settings import IfMmin, System
from cmarr.systems.base import Stage, SystemModule, classification_loss
from cmarr.vocabulary import FULL, MISSING_CONDITIONS, MODALITIES


class SpecificAndInvariant(nn.Module):
    """Specific features of each modality, and invariant features from these by one encoder G for all modalities.

    G has two linear layers with LeakyReLU (models/networks/shared.py, its last branch).
    """

    def __init__(self, settings: IfMmin, dims: dict[str, int]) -> None:
        super().__init__()
        width = settings.embedding
        self.encoders = Encoders(dims, settings)
        self.invariance = nn.Sequential(
            nn.Linear(width, width), nn.LeakyReLU(), nn.Linear(width, width), nn.LeakyReLU()
        )

    def parts(self) -> tuple[nn.Module, ...]:
        """Three encoders and G."""
        return *self.encoders.parts(), self.invariance

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """h and g, both (batch, 3 * width) in the order of `MODALITIES`; silence stands for what is missing."""
        h = self.encoders(batch, batch.available)
        return h, self.invariance(h.unflatten(1, (len(MODALITIES), -1))).flatten(1)


class IfMminSystem(Student):
    """A student beside its teacher, whose features it starts from."""

    def __init__(self, settings: IfMmin, dims: dict[str, int], classes: int) -> None:
        super().__init__()
        width, layers, blocks = settings.embedding, settings.cascade_layers, settings.cascade_blocks
        together = len(MODALITIES) * width
        self.settings, self.averaged = settings, {"speech": settings.speech_pool}
        self.teacher = SpecificAndInvariant(settings, dims)
        self.teacher_classify = classifier(2 * together, width, classes, settings.teacher_dropout)
        self.student = SpecificAndInvariant(settings, dims)
        self.cascade = Cascade(together, layers, blocks, skip=False)
        self.classify = classifier(blocks * layers[-1], width, classes, settings.head_dropout)
        kaiming_(self)

    def stages(self) -> tuple[Stage, ...]:
        """The teacher on complete utterances, then the student on incomplete ones."""
        settings, patterns = self.settings, MISSING_CONDITIONS
        taught = (*self.teacher.parts(), self.teacher_classify)
        learning = (*self.student.parts(), self.cascade, self.classify)
        return (
            Stage(settings.teacher, self.teacher_loss, self.teacher_logits, taught, (FULL,), "teacher", judged=(FULL,)),
            Stage(
                settings.training, self.loss, self, learning, patterns,
                begin=self.begin, targets=self.targets, judge=self.judge,
            ),
        )  # fmt: skip

    def teacher_logits(self, batch: Batch) -> Tensor:
        """Logits (batch, classes) of the teacher, from all specific and invariant features."""
        return cast(Tensor, self.teacher_classify(torch.cat(self.teacher(batch), dim=1)))

    def teacher_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Parts: `cls` and `cmd`, the mean over pairs of modalities of their invariant features' discrepancy."""
        h, g = self.teacher(batch)
        cls = classification_loss(self.teacher_classify(torch.cat((h, g), dim=1)), batch)
        pairs = combinations(g.chunk(len(MODALITIES), dim=1), 2)
        cmd = torch.stack([moment_discrepancy(one, other) for one, other in pairs]).mean()
        return {"total": cls + self.settings.cmd_weight * cmd, "cls": cls, "cmd": cmd}

    def classified(self, h: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, classes) from the cascade's codes, and imagined features (n, 3 * width)."""
        imagined, codes = self.cascade(h, g)
        return self.classify(codes), imagined


def build(settings: System, dims: dict[str, int], classes: int) -> SystemModule:
    """A fresh IF-MMIN; ValueError when the settings are another system's."""
    if not isinstance(settings, IfMmin):
        raise ValueError(f"if_mmin needs IfMmin settings, not {type(settings).__name__}")
    return IfMminSystem(settings, dims, classes)
