"""Training and evaluation of any system: index batches on one device, one synchronisation an epoch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from cmarr.batch import Batch
from cmarr.blocks.rows import moved
from cmarr.choice import Choice
from cmarr.data import Dataset
from cmarr.optimisation import optimizer_of, rate_factor, set_up, train_step
from cmarr.systems.base import Stage, SystemModule
from cmarr.training_state import TrainingState
from cmarr.vocabulary import FULL, MODALITIES, availability, present
from extractors.console import counter
from extractors.files import UserError

LOG = logging.getLogger("cmarr")
EVALUATION_BATCH = 64
Seeds = Callable[[str, int], int]
"""purpose and number of the epoch, counted over all stages, to a seed"""


@dataclass
class Fit:
    """A training so far."""

    best: dict[str, Tensor] = field(default_factory=dict)
    """weights of the chosen epoch, on the CPU"""
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


@dataclass
class Task:
    """What a system is trained with."""

    data: Dataset
    train: Tensor
    """rows of the data, (utterances,), on the CPU"""
    judged: Tensor
    """rows whose scores choose the epoch"""
    choice: Choice
    seeds: Seeds
    state: TrainingState


def probabilities(
    system: SystemModule, data: Dataset, rows: Tensor, condition: str, logits: Callable[[Batch], Tensor] | None = None
) -> Tensor:
    """Class probabilities (len(rows), classes) under one condition, on the device; a missing modality has no say.

    `rows` are on the CPU. `logits` stands in for the system's own `forward`. Leaves the system in evaluation mode.
    """
    system.eval()

    def work(part: Tensor) -> Tensor:
        return (logits or system)(data.batch(part, condition)).float().softmax(dim=1)

    return _in_batches(work, data, rows, present(condition))


def _in_batches(work: Callable[[Tensor], Tensor], data: Dataset, rows: Tensor, modalities: Iterable[str]) -> Tensor:
    """`work` on all `rows`, without gradient; utterances of like length share a batch, which spares padding."""
    lengths = torch.stack([data.packed[modality].lengths(rows) for modality in modalities]).sum(dim=0)
    order = lengths.argsort(stable=True)
    with torch.inference_mode():
        parts = [work(rows[part]) for part in order.split(EVALUATION_BATCH)]
    return torch.cat(parts)[order.argsort().to(data.labels.device)]


def fit(system: SystemModule, task: Task) -> Fit:
    """Train stage by stage; of each, the epoch with the best score of the judged rows is kept and starts the next one.

    Ties go to the earlier epoch. With `choice.rows` none, the last one is kept and nothing judged. Each training
    sample draws one of the stage's availability patterns, uniformly, whenever it is used, or each batch draws one for
    all its samples. Every epoch has random streams of its own and ends by publishing the state; with a state at hand,
    training goes on behind it, on a CPU with the same bits. UserError when the loss is not finite.
    """
    stages = system.stages()
    outcome, optimizer_state = _resume(system, task)
    begin = time.monotonic() - outcome.seconds
    steps = {stage.name: len(_batches(task.train, stage.training.batch_size)) for stage in stages}
    total = sum(steps[stage.name] * stage.training.epochs for stage in stages)
    with counter("training", "step", total, sum(steps[row["stage"]] for row in outcome.history)) as bar:
        for number, stage in enumerate(stages):
            if number < outcome.stage:
                continue
            if number > outcome.stage:
                system.load_state_dict(outcome.best)
                outcome.stage, optimizer_state = number, {}
            first = len(outcome.epochs(stage)) + 1
            if first == 1 and stage.begin:
                with torch.no_grad():
                    stage.begin()
            optimizer = optimizer_of(stage)
            if optimizer_state:
                optimizer.load_state_dict(optimizer.state_dict() | {"state": optimizer_state})
            targets = _targets(system, stage, task)
            for epoch in range(first, stage.training.epochs + 1):
                row = _epoch(system, stage, task, epoch, len(outcome.history) + 1, optimizer, targets, bar)
                best = outcome.chosen(stage)
                kept = best is None or task.choice.rows == "none" or row[task.choice.column] > best[task.choice.column]
                if kept:
                    outcome.best_epochs[stage.name] = epoch
                    outcome.best = {name: value.detach().cpu().clone() for name, value in system.state_dict().items()}
                outcome.history.append(row)
                outcome.seconds = time.monotonic() - begin
                _publish(system, optimizer, outcome, kept, task.state)
            score = (outcome.chosen(stage) or {}).get(task.choice.column)
            text = "" if score is None else f", {task.choice.column} {score:.2f} %"
            LOG.info(
                "%s: epoch %d of %d is kept%s",
                stage.name,
                outcome.best_epochs[stage.name],
                len(outcome.epochs(stage)),
                text,
            )
    return outcome


def _batches(rows: Tensor, size: int) -> list[Tensor]:
    """`rows` in batches; a last one of a single row is left out, since contrastive losses need two instances."""
    return [batch for batch in rows.split(size) if len(batch) > 1]


def _targets(system: SystemModule, stage: Stage, task: Task) -> Tensor | None:
    """`Stage.targets` of all training rows, (rows of the data, ...); zeros for the others."""
    if stage.targets is None:
        return None
    system.eval()
    compute = stage.targets
    found = _in_batches(lambda part: compute(task.data.batch(part, FULL)), task.data, task.train, MODALITIES)
    everything = found.new_zeros(len(task.data.ids), *found.shape[1:])
    return everything.index_copy(0, task.train.to(found.device), found)


def _epoch(
    system: SystemModule,
    stage: Stage,
    task: Task,
    epoch: int,
    stream: int,
    optimizer: torch.optim.Optimizer,
    targets: Tensor | None,
    bar: Any,
) -> dict[str, Any]:
    """One epoch and its scores: a row of the history. `stream` numbers the random streams."""
    settings, data = stage.training, task.data
    torch.manual_seed(task.seeds("dropout", stream))
    generator = torch.Generator().manual_seed(task.seeds("order and patterns", stream))
    order = _batches(task.train[torch.randperm(len(task.train), generator=generator)], settings.batch_size)
    first, steps = (epoch - 1) * len(order), settings.epochs * len(order)
    rates = [settings.learning_rate * rate_factor(step, steps, settings) for step in range(first, first + len(order))]
    set_up(system, stage)
    losses = _run(stage, data, targets, order, rates, optimizer, generator, bar)
    guesses = {} if task.choice.rows == "none" else _guesses(system, stage, task)
    means = _means(losses, data, order, stage, epoch)  # the first wait for the device
    row = {"stage": stage.name, "epoch": epoch, "steps": len(order), "learning_rate": rates[0]}
    row["gradient_norm"] = means.pop("gradient_norm")
    row |= {f"loss_{name}": mean for name, mean in means.items()}
    if guesses:
        labels = data.labels.cpu()[task.judged].numpy()
        found = {condition: guess.cpu().numpy() for condition, guess in guesses.items()}
        row |= task.choice.scores(labels, found, len(data.classes))
    return row


def _guesses(system: SystemModule, stage: Stage, task: Task) -> dict[str, Tensor]:
    """Classes of the judged rows under each condition that the stage is judged by."""
    data, judge = task.data, stage.judge
    if judge is None:
        return {
            condition: probabilities(system, data, task.judged, condition, stage.logits).argmax(dim=1)
            for condition in stage.judged
        }
    system.eval()
    found = _in_batches(lambda part: judge(data.batch(part, FULL)).argmax(dim=2), data, task.judged, MODALITIES)
    return dict(zip(stage.judged, found.unbind(1), strict=True))


def _run(
    stage: Stage,
    data: Dataset,
    targets: Tensor | None,
    order: list[Tensor],
    rates: list[float],
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    bar: Any,
) -> dict[str, Tensor]:
    """The steps of one epoch; what each logs, (steps,) each, still on the device."""
    patterns = torch.tensor([availability(condition) for condition in stage.patterns])
    log: dict[str, list[Tensor]] = {}
    for rows, rate in zip(order, rates, strict=True):
        draws = len(rows) if stage.patterns_per == "sample" else 1
        drawn = patterns[torch.randint(len(patterns), (draws,), generator=generator)].expand(len(rows), -1)
        batch = data.batch(rows, drawn)
        if targets is not None:
            batch = replace(batch, targets=targets.index_select(0, moved(rows, targets.device)))
        for name, value in train_step(stage, batch, optimizer, rate).items():
            log.setdefault(name, []).append(value)
        bar.update()
    return {name: torch.stack(values) for name, values in log.items()}


def _means(losses: dict[str, Tensor], data: Dataset, order: list[Tensor], stage: Stage, epoch: int) -> dict[str, float]:
    """Mean of each part over the epoch; UserError that names step, parts and utterances where one is not finite."""
    table = torch.stack(list(losses.values())).cpu()  # (parts, steps)
    bad = (~table.isfinite().all(dim=0)).nonzero()
    if len(bad):
        step = int(bad[0])
        parts = ", ".join(f"{name} {value:.4g}" for name, value in zip(losses, table[:, step].tolist(), strict=True))
        names = " ".join(data.ids[row] for row in order[step].tolist())
        raise UserError(
            f"the loss is not finite in stage {stage.name}, epoch {epoch}, step {step + 1} ({parts}); lower its "
            f"learning_rate, or look at the features of its utterances with `python -m extractors show`: {names}"
        )
    return dict(zip(losses, table.mean(dim=1).tolist(), strict=True))


def _publish(
    system: SystemModule, optimizer: torch.optim.Optimizer, outcome: Fit, kept: bool, state: TrainingState
) -> None:
    """Publish the state; `kept`: the weights are those of the chosen epoch."""
    tensors = {f"system.{name}": value for name, value in system.state_dict().items()}
    for number, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{key}": value for key, value in values.items()}
    if not kept:
        tensors |= {f"best.{name}": value for name, value in outcome.best.items()}
    plain = {name: value.detach().cpu().clone() for name, value in tensors.items()}  # shared weights are written twice
    content = {key: getattr(outcome, key) for key in ("best_epochs", "stage", "history", "seconds")}
    state.save(plain, content)


def _resume(system: SystemModule, task: Task) -> tuple[Fit, dict[int, dict[str, Tensor]]]:
    """The training so far with the state of its optimiser, the system as it was; an empty one without a state."""
    found = task.state.load(task.data.labels.device)
    if found is None:
        return Fit(), {}
    tensors, content = found
    system.load_state_dict(_part(tensors, "system."))
    values: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _part(tensors, "optimizer.").items():
        number, key = name.split(".")
        values.setdefault(int(number), {})[key] = tensor
    best = _part(tensors, "best.") or _part(tensors, "system.")
    LOG.info("going on behind epoch %d", len(content["history"]))
    return Fit({name: value.cpu().clone() for name, value in best.items()}, **content), values


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
