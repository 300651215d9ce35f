"""Training and evaluation of any system: index batches on one device, one synchronisation an epoch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from cmarr.batch import Batch
from cmarr.choice import Choice
from cmarr.data import Dataset
from cmarr.settings import Training
from cmarr.systems.base import SystemModule
from cmarr.training_state import TrainingState
from cmarr.vocabulary import CONDITIONS, availability, present
from extractors.console import counter
from extractors.files import UserError

LOG = logging.getLogger("cmarr")
EVALUATION_BATCH = 64
Seeds = Callable[[str, int], int]
"""purpose and epoch to a seed"""


@dataclass
class Fit:
    """A training so far."""

    best: dict[str, Tensor] = field(default_factory=dict)
    """weights of the chosen epoch, on the CPU"""
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    """one row per epoch: learning rate, means of the loss parts and of the gradient's norm before clipping, and the
    scores that choose the epoch"""
    seconds: float = 0.0
    """of all jobs that had a part in it, up to the last published state"""


def probabilities(system: SystemModule, data: Dataset, rows: Tensor, condition: str) -> Tensor:
    """Class probabilities (len(rows), classes) under one condition, on the device, with the system in evaluation mode.

    `rows` are on the CPU. Utterances of like length share a batch, which spares padding; a missing modality has no say.
    """
    was_training = system.training
    system.eval()
    lengths = torch.stack([data.packed[modality].lengths(rows) for modality in present(condition)]).sum(dim=0)
    order = lengths.argsort(stable=True)
    with torch.inference_mode():
        parts = [
            system(data.batch(rows[part], condition)).float().softmax(dim=1) for part in order.split(EVALUATION_BATCH)
        ]
    system.train(was_training)
    return torch.cat(parts)[order.argsort().to(data.labels.device)]


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
    judged: Tensor,
    choice: Choice,
    settings: Training,
    seeds: Seeds,
    state: TrainingState,
) -> Fit:
    """Train on the rows `train`; keep the epoch with the best score of the rows `judged`, ties going to the earlier.

    With `choice.rows` none, the last epoch is kept and nothing judged. Each training sample draws one of the system's
    availability patterns, uniformly, whenever it is used, or each batch draws one for all its samples, as
    `system.patterns_per` says. Every epoch has random streams of its own, from `seeds`, and ends by publishing
    `state`; with a state at hand, training goes on behind it, on a CPU with the same bits. UserError when the loss is
    not finite.
    """
    device = data.labels.device
    optimizer = torch.optim.AdamW(
        system.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    outcome = _resume(system, optimizer, state, device)
    steps_per_epoch = len(_batches(train, settings.batch_size))
    first, begin = len(outcome.history), time.monotonic() - outcome.seconds
    with counter("training", "step", settings.epochs * steps_per_epoch, first * steps_per_epoch) as bar:
        for epoch in range(first + 1, settings.epochs + 1):
            torch.manual_seed(seeds("dropout", epoch))
            generator = torch.Generator().manual_seed(seeds("order and patterns", epoch))
            order = _batches(train[torch.randperm(len(train), generator=generator)], settings.batch_size)
            rates = [
                settings.learning_rate * rate_factor(step, settings.epochs * steps_per_epoch, settings)
                for step in range((epoch - 1) * steps_per_epoch, epoch * steps_per_epoch)
            ]
            losses = _run(system, data, order, rates, optimizer, settings, generator, bar)
            guesses = {
                condition: probabilities(system, data, judged, condition).argmax(dim=1)
                for condition in CONDITIONS
                if choice.rows != "none"
            }
            means = _means(losses, data, order, epoch)  # the first wait for the device
            row = {"epoch": epoch, "learning_rate": rates[0], "gradient_norm": means.pop("gradient_norm")}
            row |= {f"loss_{name}": mean for name, mean in means.items()}
            if guesses:
                labels = data.labels.cpu()[judged].numpy()
                found = {condition: guess.cpu().numpy() for condition, guess in guesses.items()}
                row |= choice.scores(labels, found, len(data.classes))
            outcome.history.append(row)
            if not guesses or outcome.best_epoch == 0 or row[choice.column] > _best(outcome, choice):
                outcome.best_epoch = epoch
                outcome.best = {name: value.detach().cpu().clone() for name, value in system.state_dict().items()}
            outcome.seconds = time.monotonic() - begin
            _publish(system, optimizer, outcome, state)
    score = f", {choice.column} {_best(outcome, choice):.2f} %" if choice.rows != "none" else ""
    LOG.info("epoch %d of %d is kept%s", outcome.best_epoch, settings.epochs, score)
    return outcome


def _best(outcome: Fit, choice: Choice) -> float:
    return float(outcome.history[outcome.best_epoch - 1][choice.column])


def _batches(rows: Tensor, size: int) -> list[Tensor]:
    """`rows` in batches; a last one of a single row is left out, since contrastive losses need two instances."""
    return [batch for batch in rows.split(size) if len(batch) > 1]


def _run(
    system: SystemModule,
    data: Dataset,
    order: list[Tensor],
    rates: list[float],
    optimizer: torch.optim.Optimizer,
    settings: Training,
    generator: torch.Generator,
    bar: Any,
) -> dict[str, Tensor]:
    """One epoch; what each step logs, (steps,) each, still on the device."""
    system.train()
    patterns = torch.tensor([availability(condition) for condition in system.patterns])
    log: dict[str, list[Tensor]] = {}
    for rows, rate in zip(order, rates, strict=True):
        draws = len(rows) if system.patterns_per == "sample" else 1
        drawn = patterns[torch.randint(len(patterns), (draws,), generator=generator)].expand(len(rows), -1)
        for name, value in train_step(system, data.batch(rows, drawn), optimizer, rate, settings).items():
            log.setdefault(name, []).append(value)
        bar.update()
    return {name: torch.stack(values) for name, values in log.items()}


def train_step(
    system: SystemModule, batch: Batch, optimizer: torch.optim.Optimizer, rate: float, settings: Training
) -> dict[str, Tensor]:
    """One step of the optimiser; loss parts and the gradient's norm before clipping, scalars on the device."""
    device = next(iter(batch.features.values())).device
    with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
        parts = system.loss(batch)
    log = {name: value.detach().float().clone() for name, value in parts.items()}
    optimizer.zero_grad(set_to_none=True)
    parts["total"].backward()
    log["gradient_norm"] = torch.nn.utils.clip_grad_norm_(system.parameters(), settings.clip_norm)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    return log


def _means(losses: dict[str, Tensor], data: Dataset, order: list[Tensor], epoch: int) -> dict[str, float]:
    """Mean of each part over the epoch; UserError that names step, parts and utterances where one is not finite."""
    table = torch.stack(list(losses.values())).cpu()  # (parts, steps)
    bad = (~table.isfinite().all(dim=0)).nonzero()
    if len(bad):
        step = int(bad[0])
        parts = ", ".join(f"{name} {value:.4g}" for name, value in zip(losses, table[:, step].tolist(), strict=True))
        names = " ".join(data.ids[row] for row in order[step].tolist())
        raise UserError(
            f"the loss is not finite in epoch {epoch}, step {step + 1} ({parts}); lower training.learning_rate, or "
            f"look at the features of its utterances with `python -m extractors show`: {names}"
        )
    return dict(zip(losses, table.mean(dim=1).tolist(), strict=True))


def _publish(system: SystemModule, optimizer: torch.optim.Optimizer, outcome: Fit, state: TrainingState) -> None:
    tensors = {f"system.{name}": value for name, value in system.state_dict().items()}
    for number, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{key}": value for key, value in values.items()}
    if outcome.best_epoch < len(outcome.history):
        tensors |= {f"best.{name}": value for name, value in outcome.best.items()}
    plain = {name: value.detach().cpu().clone() for name, value in tensors.items()}  # shared weights are written twice
    state.save(plain, {"best_epoch": outcome.best_epoch, "history": outcome.history, "seconds": outcome.seconds})


def _resume(system: SystemModule, optimizer: torch.optim.Optimizer, state: TrainingState, device: torch.device) -> Fit:
    """The training so far, with system and optimiser as they were; an empty one without a state."""
    found = state.load(device)
    if found is None:
        return Fit()
    tensors, content = found
    system.load_state_dict(_part(tensors, "system."))
    values: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _part(tensors, "optimizer.").items():
        number, key = name.split(".")
        values.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict(optimizer.state_dict() | {"state": values})
    best = _part(tensors, "best.") or _part(tensors, "system.")
    LOG.info("going on behind epoch %d", len(content["history"]))
    return Fit({name: value.cpu().clone() for name, value in best.items()}, **content)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
