"""The contract between a system and the engine that trains and tests it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.blocks.rows import rows_of, spread
from cmarr.vocabulary import MODALITIES


class SystemModule(nn.Module, ABC):
    """A classifier of utterances that may lack modalities."""

    patterns: tuple[str, ...]
    """conditions (`vocabulary.CONDITIONS`) of which training draws one, uniformly"""
    patterns_per: Literal["sample", "batch"] = "sample"
    """what training draws a pattern for"""

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """Logits (batch, classes). Inputs that `batch.available` does not allow are never read."""

    @abstractmethod
    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars: `total`, which is to be minimised, and its parts without their weights, `cls` among them.

        Every modality of every sample is real; `batch.available` says which ones count as missing. ValueError without
        labels.
        """


@runtime_checkable
class Recovering(Protocol):
    """A system that puts something in the place of missing modalities."""

    def representations(self, batch: Batch) -> dict[str, Tensor]:
        """(batch, width) per modality: what was seen where it is available, its recovery elsewhere."""


def observed(batch: Batch, encoders: nn.ModuleDict, empty: tuple[int, int]) -> dict[str, Tensor]:
    """X_n (batch, *empty) per modality: its encoder's output for rows that have it available, zeros for the others.

    Only available rows are ever indexed, so nothing about a missing input, not even NaN, can reach an output.
    """
    x = {}
    device = next(iter(batch.features.values())).device
    for column, modality in enumerate(MODALITIES):
        rows = rows_of(batch.available[:, column], device)
        if len(rows):
            seen = encoders[modality](batch.features[modality][rows], batch.lengths[modality][rows])
            x[modality] = spread(seen, rows, len(batch.available))
        else:
            x[modality] = torch.zeros(len(batch.available), *empty, device=device)
    return x


def labels_of(batch: Batch) -> Tensor:
    """The batch's labels; ValueError when it has none."""
    if batch.labels is None:
        raise ValueError("a loss needs labels, and this batch has none")
    return batch.labels
