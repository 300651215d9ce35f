"""The contract between a system and the engine that trains and tests it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from cmarr.batch import Batch


class SystemModule(nn.Module, ABC):
    """A classifier of utterances that may lack modalities."""

    patterns: tuple[str, ...]
    """conditions (`vocabulary.CONDITIONS`) of which training draws one per sample, uniformly"""

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """Logits (batch, classes). Inputs that `batch.available` does not allow are never read."""

    @abstractmethod
    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars: `total`, which is to be minimised, and its parts without their weights, `cls` among them.

        Every modality of every sample is real; `batch.available` says which ones count as missing. ValueError without
        labels.
        """


def labels_of(batch: Batch) -> Tensor:
    """The batch's labels; ValueError when it has none."""
    if batch.labels is None:
        raise ValueError("a loss needs labels, and this batch has none")
    return batch.labels
