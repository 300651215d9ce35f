"""The first stage of MMIN: a classifier of complete utterances, whose embeddings later stages start from."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.blocks.classifier import classifier
from cmarr.blocks.utterance import Encoders
from cmarr.settings.mmin import Family
from cmarr.systems.base import classification_loss
from cmarr.vocabulary import MODALITIES


class Teacher(nn.Module):
    """Encoders and a classifier of their embeddings (public code AIM3-RUC/MMIN, models/utt_fusion_model.py)."""

    def __init__(self, dims: dict[str, int], settings: Family, classes: int) -> None:
        super().__init__()
        width = settings.embedding
        self.encoders = Encoders(dims, settings)
        self.classify = classifier(len(MODALITIES) * width, width, classes, settings.teacher_dropout)

    def parts(self) -> tuple[nn.Module, ...]:
        """Three encoders and the classifier."""
        return *self.encoders.parts(), self.classify

    def embeddings(self, batch: Batch) -> Tensor:
        """(batch, 3 * width) in the order of `MODALITIES`, of silence where a modality is missing."""
        return cast(Tensor, self.encoders(batch, batch.available))

    def forward(self, batch: Batch) -> Tensor:
        """Logits (batch, classes)."""
        return cast(Tensor, self.classify(self.embeddings(batch)))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Parts: `cls`, the cross-entropy."""
        cls = classification_loss(self(batch), batch)
        return {"total": cls, "cls": cls}
