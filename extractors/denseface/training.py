"""Training of Denseface on FER+, step by step: repeatable bit for bit on one machine and number of threads."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import log_softmax

from extractors.denseface.augment import distorted, plain
from extractors.denseface.evaluate import measure
from extractors.denseface.network import Denseface
from extractors.ferplus import Faces
from extractors.ferplus_targets import split_targets
from extractors.settings import DensefaceRecipe

EVALUATION_BATCH = 128
SIDE = 64
"""Side of the pictures that the trained network gets."""


@dataclass(frozen=True)
class Rows:
    """Pictures (rows, 48, 48) of 0 to 255 and targets (rows, 8) of one split, on the device of the training."""

    pictures: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.pictures)


def rows(faces: Faces, split: str, mode: str, device: torch.device) -> Rows:
    """Those of one split that a target mode keeps; `valid` and `test` are always of mode majority."""
    targets, kept = split_targets(faces.votes, faces.usage, split, mode)
    return Rows(torch.from_numpy(faces.images[kept]).to(device), torch.from_numpy(targets).to(device))


class Training:
    """Network, optimiser and averaged weights after `step` steps; `state` and `restore` are its whole memory."""

    def __init__(self, recipe: DensefaceRecipe, train: Rows, valid: Rows) -> None:
        self.recipe, self.train, self.valid = recipe, train, valid
        self.device = train.pictures.device
        self.per_epoch = max(1, len(train) // recipe.batch)
        self.steps = max(1, round(recipe.epochs * self.per_epoch))
        torch.manual_seed(_seed(recipe.seed, "weights"))
        self.network = Denseface().to(self.device)
        self.averaged = {key: value.clone() for key, value in self.network.state_dict().items()}
        self.optimizer = _optimizer(self.network, recipe)
        frequency = train.targets.mean(0).clamp(min=1 / len(train))
        weights = train.targets @ frequency.pow(-recipe.class_balance)
        self.weights = weights / weights.mean()
        self.step = 0
        self.loss = math.nan
        self.seconds = 0.0
        self.curve: list[dict[str, float]] = []
        self._losses: list[float] = []

    def side(self, step: int) -> int:
        """Picture side of a step."""
        return self.recipe.sides[step * len(self.recipe.sides) // self.steps]

    def learning_rate(self, step: int) -> float:
        """Learning rate of a step: linear rise, then fall towards zero after the last."""
        recipe = self.recipe
        rise = recipe.warm_up * self.steps
        if step + 1 < rise:
            return recipe.learning_rate * (step + 1) / rise
        left = min(1.0, (self.steps - step) / max(1.0, self.steps - rise))
        shape = {"cosine": (1 - math.cos(math.pi * left)) / 2, "linear": left, "constant": 1.0}
        return recipe.learning_rate * shape[recipe.decay]

    def advance(self) -> None:
        """One step; after the last of an epoch, or of all, a row of the learning curve."""
        recipe, step = self.recipe, self.step
        generator = torch.Generator().manual_seed(_seed(recipe.seed, "step", step))
        chosen = self._batch(step)
        pictures = distorted(self.train.pictures[chosen], self.side(step), recipe, generator)
        targets = self.targets(chosen, generator)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(step)
        self.network.train()
        with self._autocast():
            logits = self.network(pictures)
        loss = -((targets * log_softmax(logits.float(), 1)).sum(1) * self.weights[chosen]).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.loss = loss.item()
        self._losses.append(self.loss)
        self._average()
        self.step += 1
        if self.step % self.per_epoch == 0 or self.step == self.steps:
            self._end_epoch()

    def targets(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """Targets (batch, 8) of the chosen rows; in mode probability one emotion of each, drawn with its shares."""
        shares = self.train.targets[chosen]
        if self.recipe.targets != "probability":
            return shares
        drawn = torch.multinomial(shares.cpu(), 1, generator=generator).to(self.device)
        return torch.zeros_like(shares).scatter_(1, drawn, 1.0)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16")

    def _batch(self, step: int) -> Tensor:
        """Row numbers (batch,) of a step: the epoch's order is drawn anew from seed and epoch."""
        epoch, place = divmod(step, self.per_epoch)
        generator = torch.Generator().manual_seed(_seed(self.recipe.seed, "order", epoch))
        order = torch.randperm(len(self.train), generator=generator)
        return order[place * self.recipe.batch : (place + 1) * self.recipe.batch].to(self.device)

    def _average(self) -> None:
        """Move the average towards the weights; early on it is the plain mean of all steps."""
        share = max(1 - self.recipe.average, 1 / (self.step + 1))
        for key, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.averaged[key].lerp_(value, share)
            else:
                self.averaged[key].copy_(value)

    def averaged_network(self) -> Denseface:
        """A network with the averaged weights, in evaluation mode."""
        network = Denseface().to(self.device)
        network.load_state_dict(self.averaged)
        return network.eval().requires_grad_(False)

    def _end_epoch(self) -> None:
        network, side = self.averaged_network(), self.side(self.step - 1)
        with self._autocast():
            found = logits(network, self.valid.pictures, side, self.recipe)
        scores = measure(self.valid.targets.argmax(1).cpu().numpy(), found.argmax(1))
        row = {
            "epoch": self.step / self.per_epoch,
            "side": side,
            "learning_rate": self.learning_rate(self.step - 1),
            "train_loss": float(np.mean(self._losses)),
            "valid_accuracy": scores["accuracy"],
            "valid_mean_recall": scores["mean_class_recall"],
        }
        self.curve.append(row)
        self._losses = []

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything the next step depends on: tensors and plain values."""
        tensors = {f"network.{key}": value for key, value in self.network.state_dict().items()}
        tensors |= {f"averaged.{key}": value for key, value in self.averaged.items()}
        for number, entry in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{key}": value for key, value in entry.items()}
        return tensors, {"step": self.step, "seconds": self.seconds, "curve": self.curve, "losses": self._losses}

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Go on from a `state` of the same recipe and data."""

        def part(name: str) -> dict[str, Tensor]:
            return {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}

        self.network.load_state_dict(part("network"))
        self.averaged = {key: value.to(self.device) for key, value in part("averaged").items()}
        memory: dict[int, dict[str, Tensor]] = {}
        for key, value in part("optimizer").items():
            number, name = key.split(".")
            memory.setdefault(int(number), {})[name] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": memory, "param_groups": groups})
        self.step, self.seconds = values["step"], values["seconds"]
        self.curve, self._losses = values["curve"], values["losses"]


def logits(
    network: Callable[[Tensor], Tensor], pictures: Tensor, side: int, recipe: DensefaceRecipe
) -> NDArray[np.float32]:
    """Logits (rows, 8) of grey pictures (rows, 48, 48)."""
    with torch.inference_mode():
        parts = [network(plain(part, side, recipe)).float().cpu() for part in pictures.split(EVALUATION_BATCH)]
    return torch.cat(parts).numpy()


def _optimizer(network: Denseface, recipe: DensefaceRecipe) -> torch.optim.Optimizer:
    decayed = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, recipe.learning_rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, recipe.learning_rate)


def _seed(*parts: object) -> int:
    """A seed of 63 bits by hashing."""
    digest = hashlib.sha256("/".join(map(str, ("denseface", *parts))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
