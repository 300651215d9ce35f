"""The contract between a system and the engine that trains and tests it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from cmarr.batch import Batch
from cmarr.blocks.rows import rows_of, spread
from cmarr.settings import Training
from cmarr.vocabulary import CONDITIONS, MODALITIES

if TYPE_CHECKING:
    from cmarr.choice import Choice
    from cmarr.data import Dataset


@dataclass(frozen=True)
class Stage:
    """One part of a training: what is trained, on what, and how. Most systems have a single one."""

    training: Training
    """optimiser and schedule"""
    loss: Callable[[Batch], dict[str, Tensor]]
    """as `SystemModule.loss`"""
    logits: Callable[[Batch], Tensor]
    """as `SystemModule.forward`; its predictions choose the epoch"""
    trained: tuple[nn.Module, ...]
    """parts whose weights change, each with a gradient norm of its own; all others are in evaluation mode"""
    patterns: tuple[str, ...]
    """conditions (`vocabulary.CONDITIONS`) of which training draws one, uniformly"""
    name: str = "main"
    patterns_per: Literal["sample", "batch"] = "sample"
    """what training draws a pattern for"""
    judged: tuple[str, ...] = CONDITIONS
    """conditions under which predictions choose the epoch"""
    judge: Callable[[Batch], Tensor] | None = None
    """(batch, conditions, classes) of complete utterances: `logits` under each of `judged`, for systems that are faster
    when they give them together"""
    begin: Callable[[], None] | None = None
    """called before the first step, with the chosen weights of the stage before in place"""
    targets: Callable[[Batch], Tensor] | None = None
    """(batch, ...) of complete utterances; computed once, after `begin`, in evaluation mode and without gradient, and
    found again in `Batch.targets` whenever the utterance is trained on. Parts that are trained must have no say in it,
    or a killed training would go on with other targets"""
    after_step: Callable[[], None] | None = None
    """called after each step of the optimiser, to bring weights back into a range"""


class SystemModule(nn.Module, ABC):
    """A classifier of utterances that may lack modalities."""

    averaged: Mapping[str, int] = MappingProxyType({})
    """modality to the number of its frames that are averaged into one before the system gets them"""

    @abstractmethod
    def stages(self) -> tuple[Stage, ...]:
        """Parts of the training, in order. After each, the weights of its chosen epoch are loaded."""

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """Logits (batch, classes). Inputs that `batch.available` does not allow are never read."""

    @abstractmethod
    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars of the last stage: `total`, which is to be minimised, and its parts without their weights, `cls` too.

        Every modality of every sample is real; `batch.available` says which ones count as missing. ValueError without
        labels.
        """


class SolvedModule(SystemModule):
    """A classifier whose weights are solved for at once, not trained in epochs: it has no stages."""

    @abstractmethod
    def solve(self, data: Dataset, train: Tensor, judged: Tensor, choice: Choice) -> list[dict[str, Any]]:
        """Set the weights from the rows `train` of the data, (utterances,) on the CPU, without gradient.

        What is chosen is chosen by `choice.scores` of the rows `judged`; there are none under protocols without. One
        dictionary per candidate, which becomes a row of history.csv: `stage` (what a candidate was chosen for, such as
        a condition), `candidate` (a number), `kept` (1 or 0) and its scores; none where nothing is chosen.
        """

    def stages(self) -> tuple[Stage, ...]:
        """None."""
        return ()

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Parts: `cls`, the cross-entropy."""
        cls = functional.cross_entropy(self(batch), labels_of(batch))
        return {"total": cls, "cls": cls}


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
