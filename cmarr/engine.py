"""Training and evaluation of any system: index batches on one device, one synchronisation an epoch."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cmarr.data import Dataset
from cmarr.metrics import confusion, uar
from cmarr.settings import Training
from cmarr.systems.base import SystemModule
from cmarr.vocabulary import CONDITIONS, availability
from extractors.console import progress
from extractors.files import UserError

LOG = logging.getLogger("cmarr")
EVALUATION_BATCH = 64


@dataclass
class Fit:
    """Outcome of a training run."""

    state: dict[str, Tensor]
    """weights of the chosen epoch, on the CPU"""
    best_epoch: int
    history: list[dict[str, Any]]
    """one row per epoch: learning rate, mean of each loss part, validation UAR per condition and their mean"""


def probabilities(system: SystemModule, data: Dataset, rows: Tensor, condition: str) -> Tensor:
    """Class probabilities (len(rows), classes) under one condition, with the system in evaluation mode."""
    was_training = system.training
    system.eval()
    with torch.no_grad():
        parts = [system(data.batch(part, condition)).softmax(dim=1) for part in rows.split(EVALUATION_BATCH)]
    system.train(was_training)
    return torch.cat(parts)


def rate_factor(step: int, steps: int, settings: Training) -> float:
    """Factor of the learning rate at a step from 0: linear rise over the share `warm_up`, then linear decay to 0.

    1 throughout when the schedule is constant (docs/cm-arr.md, point 26).
    """
    if settings.schedule == "constant":
        return 1.0
    rising = max(1, round(settings.warm_up * steps))
    if step < rising:
        return (step + 1) / rising
    return (steps - step) / max(1, steps - rising)


def fit(
    system: SystemModule,
    data: Dataset,
    train: Tensor,
    validation: Tensor,
    settings: Training,
    generator: torch.Generator,
) -> Fit:
    """Train on the rows `train`; keep the epoch with the best validation UAR, averaged over all seven conditions.

    Each training sample draws one of the system's availability patterns, uniformly, whenever it is used. Ties go to
    the earlier epoch. `generator` (CPU) orders samples and draws patterns; dropout uses torch's global state.
    UserError when the loss is not finite.
    """
    device = data.labels.device
    patterns = torch.tensor([availability(condition) for condition in system.patterns])
    optimizer = torch.optim.AdamW(
        system.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    steps_per_epoch = sum(1 for begin in range(0, len(train), settings.batch_size) if len(train) - begin > 1)
    steps = settings.epochs * steps_per_epoch
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(step, steps, settings))
    outcome = Fit({}, 0, [])
    best = -1.0
    for epoch in progress(range(1, settings.epochs + 1), "training", "epoch"):
        system.train()
        sums: dict[str, Tensor] = {}
        rate = scheduler.get_last_lr()[0]
        for rows in train[torch.randperm(len(train), generator=generator)].split(settings.batch_size):
            if len(rows) < 2:  # contrastive losses need two instances
                continue
            drawn = patterns[torch.randint(len(patterns), (len(rows),), generator=generator)]
            parts = system.loss(data.batch(rows.to(device), drawn.to(device)))
            optimizer.zero_grad(set_to_none=True)
            parts["total"].backward()
            torch.nn.utils.clip_grad_norm_(system.parameters(), settings.clip_norm)
            optimizer.step()
            scheduler.step()
            for name, value in parts.items():
                sums[name] = sums.get(name, torch.zeros((), device=device)) + value.detach()
        means = {name: float(value) / steps_per_epoch for name, value in sums.items()}
        if not np.isfinite(means["total"]):
            raise UserError(f"the loss is not finite in epoch {epoch} ({means}); lower training.learning_rate")
        scores = {condition: _validation_uar(system, data, validation, condition) for condition in CONDITIONS}
        mean = float(np.mean(list(scores.values())))
        outcome.history.append(
            {"epoch": epoch, "learning_rate": rate}
            | {f"loss_{name}": value for name, value in means.items()}
            | {f"validation_uar_{name}": value for name, value in scores.items()}
            | {"validation_uar": mean}
        )
        if mean > best:
            best, outcome.best_epoch = mean, epoch
            outcome.state = {name: value.detach().cpu().clone() for name, value in system.state_dict().items()}
    LOG.info("best epoch %d of %d: validation UAR %.2f %%", outcome.best_epoch, settings.epochs, best)
    return outcome


def _validation_uar(system: SystemModule, data: Dataset, rows: Tensor, condition: str) -> float:
    guesses = probabilities(system, data, rows.to(data.labels.device), condition).argmax(dim=1)
    labels: NDArray[np.int64] = data.labels[rows].cpu().numpy()
    return uar(confusion(labels, guesses.cpu().numpy(), len(data.classes)))
