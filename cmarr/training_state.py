"""A training so far, and its state on disk, from which a killed job goes on, bit for bit."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cmarr.systems.base import Stage
from cmarr.weight_average import WeightAverage
from extractors.files import publish

CONTENT = "content"
SAVE_SECONDS = 180.0


@dataclass
class Fit:
    """A training so far."""

    best: dict[str, Tensor] = field(default_factory=dict)
    """weights of the chosen epoch, on the CPU; where the last one is, only from the end of a stage on"""
    best_epochs: dict[str, int] = field(default_factory=dict)
    """the chosen one of each stage, by its name"""
    stage: int = 0
    """number of the stage in work, from 0"""
    history: list[dict[str, Any]] = field(default_factory=list)
    """one row per epoch of each stage: learning rate, means of the loss parts and of the gradient's norm before
    clipping, and the scores that choose the epoch"""
    seconds: float = 0.0
    """of all jobs that had a part in it, up to the last published state"""

    def epochs(self, stage: Stage) -> list[dict[str, Any]]:
        """Rows of one stage."""
        return [row for row in self.history if row["stage"] == stage.name]

    def chosen(self, stage: Stage) -> dict[str, Any] | None:
        """Row of the chosen epoch of a stage; None before its first."""
        return self.epochs(stage)[self.best_epochs[stage.name] - 1] if stage.name in self.best_epochs else None

    def is_over(self, stage: Stage) -> bool:
        """Whether a stage has had all its epochs, or its patience is at an end."""
        done, settings = len(self.epochs(stage)), stage.training
        waited = done - self.best_epochs.get(stage.name, 0)
        return done >= settings.epochs or (settings.patience is not None and waited >= settings.patience)


class TrainingState:
    """One file in a folder, of use only to a job with the same `fingerprint` of everything that the weights depend on.

    No random state is kept, since each epoch seeds its own (`engine.fit`).
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        self._path = folder / f"{fingerprint}.safetensors"
        self._saved = time.monotonic()

    def is_due(self) -> bool:
        """Whether the last `save`, or the start of the job, was `SAVE_SECONDS` ago."""
        return time.monotonic() - self._saved >= SAVE_SECONDS

    def load(self, device: torch.device) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Tensors and content as given to `save`; None when there is no file or it is damaged."""
        try:
            with safetensors.safe_open(self._path, "pt") as file:
                content: dict[str, Any] = json.loads(file.metadata()[CONTENT])
            return load_file(self._path, str(device)), content
        except (OSError, safetensors.SafetensorError, ValueError, KeyError, TypeError):
            return None

    def save(self, tensors: dict[str, Tensor], content: dict[str, Any]) -> None:
        """Publish the state in place of the one before; states of other fingerprints go."""
        with publish(self._path) as draft:
            save_file(tensors, draft, {CONTENT: json.dumps(content)})
        for other in self._folder.glob("[!.]*"):
            if other != self._path:
                other.unlink(missing_ok=True)
        self._saved = time.monotonic()

    def remove(self) -> None:
        """Delete everything, once the model is published."""
        shutil.rmtree(self._folder, ignore_errors=True)


def save(
    state: TrainingState, system: nn.Module, stage: Stage, optimizer: torch.optim.Optimizer,
    average: WeightAverage | None, outcome: Fit,
) -> None:  # fmt: skip
    """Publish everything that the rest of a training depends on, after the last epoch of the outcome.

    The best weights are in it by themselves unless they are those of that epoch.
    """
    tensors = {f"system.{name}": value for name, value in system.state_dict().items()}
    for number, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{key}": value for key, value in values.items()}
    if average:
        tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    if outcome.best_epochs[stage.name] < len(outcome.epochs(stage)):
        tensors |= {f"best.{name}": value for name, value in outcome.best.items()}
    plain = {name: value.detach().cpu().clone() for name, value in tensors.items()}  # shared weights are written twice
    content = {key: getattr(outcome, key) for key in ("best_epochs", "stage", "history", "seconds")}
    state.save(plain, content)


@dataclass
class Resumed:
    """What a stage in work goes on from; empty at the beginning of a stage."""

    optimizer: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    """state of the optimiser by number of the weight"""
    average: dict[str, Tensor] = field(default_factory=dict)
    """averages of the weights by name"""


def resume(state: TrainingState, system: nn.Module, device: torch.device) -> tuple[Fit, Resumed]:
    """The training so far, the system as it was then; an empty one without a state."""
    found = state.load(device)
    if found is None:
        return Fit(), Resumed()
    tensors, content = found
    own, average = _part(tensors, "system."), _part(tensors, "average.")
    system.load_state_dict(own)
    optimizer: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _part(tensors, "optimizer.").items():
        number, key = name.split(".")
        optimizer.setdefault(int(number), {})[key] = tensor
    best = _part(tensors, "best.") or own | average
    fit = Fit({name: value.cpu().clone() for name, value in best.items()}, **content)
    return fit, Resumed(optimizer, average)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
