"""The majority class: what a classifier reaches that sees nothing."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.blocks.rows import moved
from cmarr.choice import Choice
from cmarr.data import Dataset
from cmarr.settings import AnySystem, Majority
from cmarr.systems.base import SolvedModule


class MajoritySystem(SolvedModule):
    """The shares of the classes among the training utterances as probabilities of every utterance."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.log_shares = nn.Parameter(torch.zeros(classes))

    def solve(self, data: Dataset, train: Tensor, judged: Tensor, choice: Choice) -> list[dict[str, Any]]:
        """There is nothing to choose."""
        labels = data.labels[moved(train, data.labels.device)].cpu()
        self.log_shares.copy_((labels.bincount(minlength=len(data.classes)) / len(labels)).log())
        return []

    def forward(self, batch: Batch) -> Tensor:
        """Logits (batch, classes), all rows alike; a class that training lacks has -inf."""
        return self.log_shares.expand(len(batch.available), -1)


def build(settings: AnySystem, dims: dict[str, int], classes: int) -> SolvedModule:
    """A fresh one; ValueError when the settings are another system's."""
    if not isinstance(settings, Majority):
        raise ValueError(f"majority needs Majority settings, not {type(settings).__name__}")
    return MajoritySystem(classes)
