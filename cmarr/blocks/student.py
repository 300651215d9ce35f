"""Student and teacher of IF-MMIN and CIF-MMIN: what both systems do with specific and invariant features."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from cmarr.batch import Batch
from cmarr.blocks.imagination import imagination_errors, under_each_condition
from cmarr.systems.base import SystemModule, classification_loss


class Student(SystemModule):
    """A student beside its teacher, whose features it starts from.

    Features are h, specific ones, and g, invariant ones, both (batch, 3 * width) in the order of `MODALITIES`.
    """

    settings: Any
    """`IfMmin` or `CifMmin`"""
    teacher: Any
    """module that gives h and g of a batch"""
    student: Any
    """the same, with the same weights at first"""

    @abstractmethod
    def classified(self, h: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, classes) and imagined specific features (n, 3 * width)."""

    def begin(self) -> None:
        """The student's features start as the teacher's."""
        self.student.load_state_dict(self.teacher.state_dict())

    def targets(self, batch: Batch) -> Tensor:
        """(batch, 3, 3 * width): the teacher's h of the utterance, its h of silence, and its g of the utterance."""
        h, g = self.teacher(batch)
        silence, _ = self.teacher(replace(batch, available=torch.zeros_like(batch.available)))
        return torch.stack([h, silence, g], dim=1)

    def forward(self, batch: Batch) -> Tensor:
        """Logits (batch, classes)."""
        return self.classified(*self.student(batch))[0]

    def judge(self, batch: Batch) -> Tensor:
        """Logits (batch, conditions, classes) of complete utterances under each condition."""
        real, silence = (
            self.student(replace(batch, available=torch.full_like(batch.available, flag))) for flag in (True, False)
        )
        h, g = (under_each_condition(*pair) for pair in zip(real, silence, strict=True))
        logits = self.classified(h, g)[0]
        return cast(Tensor, logits.unflatten(0, (len(batch.available), -1)))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Parts: `cls`, and the mean squared errors `imagination` of the cascade's output and `invariance` of g.

        g, of which missing modalities have that of silence, is to be what the teacher has of the complete utterance.
        """
        settings = self.settings
        h, g = self.student(batch)
        logits, imagined = self.classified(h, g)
        cls = classification_loss(logits, batch)
        errors = imagination_errors(batch, imagined, g, settings.regressed == "missing")
        weighted = (
            settings.imagination_weight * errors["imagination"] + settings.invariance_weight * errors["invariance"]
        )
        return {"total": cls + weighted, "cls": cls, **errors}
