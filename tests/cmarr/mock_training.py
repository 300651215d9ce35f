"""Systems that are right when they are told to be, and what they are trained with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.choice import Choice
from cmarr.data import Dataset, Packed
from cmarr.engine import Task, fit
from cmarr.seeds import derive
from cmarr.settings import Training
from cmarr.systems.base import Stage, SystemModule
from cmarr.training_state import Fit, TrainingState
from cmarr.vocabulary import CONDITIONS, MODALITIES

TRAIN, VALIDATION = torch.arange(8), torch.arange(8, 12)
CLEAN = Choice("validation", "mean_uar")


def dataset(values: Tensor | None = None) -> Dataset:
    labels = torch.arange(12) % 4
    values = torch.zeros(13, 2) if values is None else values
    packed = {name: Packed(values, torch.arange(13), torch.zeros(12, dtype=torch.bool)) for name in MODALITIES}
    return Dataset([f"u{number}" for number in range(12)], labels, packed, "abcd")


class Mock(SystemModule):
    """Right in the good epochs only; what is trained is a counter of steps, two of them an epoch."""

    training_settings = Training(epochs=4, batch_size=4)
    patterns_per: Literal["sample", "batch"] = "sample"

    def __init__(self, good_epochs: Iterable[int], bad_step: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.good_epochs, self.bad_step = good_epochs, bad_step
        self.seen: list[Tensor] = []
        self.labels: list[Tensor] = []

    def stages(self) -> tuple[Stage, ...]:
        settings, per = self.training_settings, self.patterns_per
        return (Stage(settings, self.loss, self, (self,), CONDITIONS, patterns_per=per),)

    def forward(self, batch: Batch) -> Tensor:
        assert batch.labels is not None
        right = nn.functional.one_hot(batch.labels, 4).float()
        return right if int(self.steps) // 2 in self.good_epochs else -right

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        assert batch.labels is not None
        self.steps += 1
        self.seen.append(batch.available)
        self.labels.append(batch.labels)
        broken = torch.tensor(torch.inf if int(self.steps) == self.bad_step else 1.0)
        return {"total": (self.weight - 1) ** 2 * broken, "cls": self.weight.detach()}


class Scripted(Mock):
    """Right about so many of the four classes, by epoch."""

    def __init__(self, right: Iterable[int]) -> None:
        super().__init__(())
        self.right = list(right)

    def forward(self, batch: Batch) -> Tensor:
        assert batch.labels is not None
        logits = nn.functional.one_hot(batch.labels, 4).float()
        return torch.where((batch.labels < self.right[int(self.steps) // 2 - 1])[:, None], logits, -logits)


def seeds(purpose: str, epoch: int) -> int:
    return derive("toy", purpose, epoch)


def run(system: Mock, folder: Path, choice: Choice = CLEAN, data: Dataset | None = None, **more: Any) -> Fit:
    system.training_settings = Training(**({"epochs": 4, "batch_size": 4} | more))
    return fit(system, task(folder, choice, data))


def task(folder: Path, choice: Choice = CLEAN, data: Dataset | None = None) -> Task:
    judged = VALIDATION if choice.rows != "none" else VALIDATION[:0]
    return Task(data or dataset(), TRAIN, judged, choice, seeds, TrainingState(folder, "f"))


class Staged(Mock):
    """Two stages; the second one starts from a copy of what the first one learned and needs to know its targets."""

    def __init__(self, good_epochs: Iterable[int]) -> None:
        super().__init__(good_epochs)
        torch.manual_seed(0)
        self.later = nn.Linear(1, 1)
        self.begun = 0
        self.targets: list[Tensor] = []

    def stages(self) -> tuple[Stage, ...]:
        settings = Training(epochs=3, batch_size=4)
        first = Stage(settings, self.loss, self, (nn.ParameterList([self.weight]),), ("svt",), "first", judged=("svt",))
        return first, Stage(
            settings, self.later_loss, self, (self.later,), CONDITIONS, begin=self.start, targets=self.remember
        )

    def start(self) -> None:
        self.begun = int(self.steps)
        self.later.weight.fill_(self.weight.item())

    def remember(self, batch: Batch) -> Tensor:
        assert not self.training
        assert batch.available.all()
        assert batch.labels is not None
        return batch.labels[:, None] + self.weight * 0.5

    def later_loss(self, batch: Batch) -> dict[str, Tensor]:
        assert batch.labels is not None
        assert batch.targets is not None
        assert not batch.targets.requires_grad
        self.steps += 1
        self.targets.append(batch.targets[:, 0] - batch.labels)
        return {"total": self.later(batch.targets).square().mean()}
