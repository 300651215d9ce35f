"""MMIN: missing modality imagination network (Zhao et al., ACL 2021).

Public code: AIM3-RUC/MMIN, models/utt_fusion_model.py (stage `teacher`) and models/mmin_model.py (stage `main`).
Deviations: docs/mmin.md.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cmarr.batch import Batch
from cmarr.blocks.cascade import Cascade
from cmarr.blocks.classifier import classifier
from cmarr.blocks.imagination import imagination_errors, under_each_condition
from cmarr.blocks.initial import kaiming_
from cmarr.blocks.teacher import Teacher
from cmarr.blocks.utterance import Encoders
from cmarr.settings import Mmin, System
from cmarr.systems.base import Stage, SystemModule, classification_loss
from cmarr.vocabulary import FULL, MISSING_CONDITIONS, MODALITIES


class MminSystem(SystemModule):
    """Embeddings of what is there, a cascade that imagines those of what is missing, a classifier of its codes."""

    def __init__(self, settings: Mmin, dims: dict[str, int], classes: int) -> None:
        super().__init__()
        width, layers, blocks = settings.embedding, settings.cascade_layers, settings.cascade_blocks
        together = len(MODALITIES) * width
        self.settings, self.averaged = settings, {"speech": settings.speech_pool}
        self.teacher = Teacher(dims, settings, classes)
        self.encoders = Encoders(dims, settings)
        self.imagine = Cascade(together, layers, blocks)
        self.imagine_back = None if settings.shared_cascade else Cascade(together, layers, blocks)
        self.classify = classifier(blocks * layers[-1], width, classes, settings.head_dropout)
        kaiming_(self)

    def stages(self) -> tuple[Stage, ...]:
        """The teacher on complete utterances, then the imagination on incomplete ones."""
        settings, taught, patterns = self.settings, self.teacher, MISSING_CONDITIONS
        cascades = (self.imagine,) if self.imagine_back is None else (self.imagine, self.imagine_back)
        learning: tuple[nn.Module, ...] = (*self.encoders.parts(), *cascades, self.classify)
        return (
            Stage(settings.teacher, self.teacher.loss, taught, taught.parts(), (FULL,), "teacher", judged=(FULL,)),
            Stage(
                settings.training, self.loss, self, learning, patterns,
                begin=self.begin, targets=self.targets, judge=self.judge,
            ),
        )  # fmt: skip

    def begin(self) -> None:
        """The encoders start as the teacher's."""
        self.encoders.load_state_dict(self.teacher.encoders.state_dict())

    def targets(self, batch: Batch) -> Tensor:
        """(batch, 2, 3 * width): the teacher's embeddings of the utterance and of silence."""
        silence = self.teacher.encoders(batch, torch.zeros_like(batch.available))
        return torch.stack([self.teacher.embeddings(batch), silence], dim=1)

    def forward(self, batch: Batch) -> Tensor:
        """Logits (batch, classes), from the cascade's codes."""
        return cast(Tensor, self.classify(self.imagine(self.encoders(batch, batch.available))[1]))

    def judge(self, batch: Batch) -> Tensor:
        """Logits (batch, conditions, classes) of complete utterances under each condition."""
        real, silence = (self.encoders(batch, torch.full_like(batch.available, flag)) for flag in (True, False))
        logits = self.classify(self.imagine(under_each_condition(real, silence))[1])
        return cast(Tensor, logits.unflatten(0, (len(real), -1)))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Parts: `cls`, and the mean squared errors `imagination` of the cascade's output and `cycle`.

        `cycle` is the error of the backward imagination, whose input is the output and whose target, held fixed, the
        input of the forward one.
        """
        h = self.encoders(batch, batch.available)
        imagined, codes = self.imagine(h)
        again, _ = (self.imagine_back or self.imagine)(imagined)
        cls = classification_loss(self.classify(codes), batch)
        settings = self.settings
        errors = imagination_errors(batch, imagined, missing_only=settings.regressed == "missing")
        cycle = functional.mse_loss(again, h.detach())
        total = cls + settings.imagination_weight * errors["imagination"] + settings.cycle_weight * cycle
        return {"total": total, "cls": cls, **errors, "cycle": cycle}


def build(settings: System, dims: dict[str, int], classes: int) -> SystemModule:
    """A fresh MMIN; ValueError when the settings are another system's."""
    if not isinstance(settings, Mmin):
        raise ValueError(f"mmin needs Mmin settings, not {type(settings).__name__}")
    return MminSystem(settings, dims, classes)
