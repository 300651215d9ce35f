"""Training and evaluation of any system: index batches on one device, one synchronisation an epoch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from cmarr.batch import Batch
from cmarr.blocks.rows import moved
from cmarr.choice import Choice
from cmarr.data import Dataset
from cmarr.equal_steps import batches
from cmarr.optimisation import class_weights, optimizer_of, rate_factor, set_up, train_step
from cmarr.systems.base import Stage, SystemModule
from cmarr.training_progress import TrainingProgress
from cmarr.training_state import Fit, Resumed, TrainingState, resume, save
from cmarr.vocabulary import FULL, MODALITIES, availability, present
from cmarr.weight_average import WeightAverage
from extractors.console import counter
from extractors.files import UserError

LOG = logging.getLogger("cmarr")
EVALUATION_BATCH = 64
Seeds = Callable[[str, int], int]
"""purpose and number of the epoch, counted over all stages, to a seed"""
Watcher = Callable[[list[dict[str, Any]]], None]


class NotFiniteError(UserError):
    """The loss is infinite or no number; the message names stage, epoch, step, parts and utterances."""


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
    counter: Callable[..., Any] = counter
    """makes the bar of the training, as `extractors.console.counter` does"""
    watchers: Sequence[Watcher] = ()
    """called with the history after each epoch, and with an earlier job's before the first one"""

    def show(self, history: list[dict[str, Any]]) -> None:
        """Call the watchers."""
        for watch in self.watchers:
            watch(history)


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
    all its samples. Every epoch has random streams of its own. The state is published every few minutes, behind an
    epoch, and at the end of each stage; with one at hand, training goes on behind it, on a CPU with the same bits.
    UserError when the loss is not finite, or when settings need scores and nothing is judged.
    """
    stages, device = system.stages(), task.data.labels.device
    _check(stages, task.choice)
    outcome, resumed = resume(task.state, system, device)
    if outcome.history:
        LOG.info("going on behind epoch %d", len(outcome.history))
        task.show(outcome.history)
    start = time.monotonic() - outcome.seconds
    steps = {stage.name: batches(len(task.train), stage.training.batch_size) for stage in stages}
    with TrainingProgress(stages, steps, outcome, task.counter) as progress:
        for number, stage in enumerate(stages):
            if number < outcome.stage:
                continue
            if number > outcome.stage:
                system.load_state_dict(outcome.best)
                outcome.stage, resumed = number, Resumed()
            if not outcome.epochs(stage) and stage.begin:
                with torch.no_grad():
                    stage.begin()
            work = _work(system, stage, task, resumed)
            column = task.choice.deciding(stage.training.score_window)
            progress.begin()
            while not outcome.is_over(stage):
                row = _epoch(system, work, task, outcome, progress.bar)
                best = outcome.chosen(stage)
                outcome.history.append(row)
                better = best is None or column not in row or row[column] > best[column]
                if better:
                    outcome.best_epochs[stage.name] = row["epoch"]
                over = outcome.is_over(stage)
                if better and (over or column in row):
                    outcome.best = {name: value.detach().cpu().clone() for name, value in work.weights(system).items()}
                outcome.seconds = time.monotonic() - start
                progress.epoch(stage, column)
                task.show(outcome.history)
                if over or task.state.is_due():
                    save(task.state, system, stage, work.optimizer, work.average, outcome)
            progress.end(stage, column)
    return outcome


def _check(stages: tuple[Stage, ...], choice: Choice) -> None:
    """UserError when a stage waits for, or averages, scores that there are none of."""
    for stage in stages:
        if choice.rows == "none" and (names := stage.training.needing_scores()):
            raise UserError(
                f"stage {stage.name}: under this protocol no epoch has a score, which {' and '.join(names)} would "
                "need; leave that out, or take another protocol"
            )


@dataclass
class Work:
    """What a stage trains with."""

    stage: Stage
    optimizer: torch.optim.Optimizer
    average: WeightAverage | None
    targets: Tensor | None
    """of all rows of the data"""
    class_weights: Tensor | None

    def weights(self, system: SystemModule) -> dict[str, Tensor]:
        """Those that are judged and kept, by name."""
        own: dict[str, Tensor] = system.state_dict()
        return own | self.average.state_dict() if self.average else own


def _work(system: SystemModule, stage: Stage, task: Task, resumed: Resumed) -> Work:
    """What a stage trains with, at its beginning or as a killed job left it."""
    settings, labels = stage.training, task.data.labels
    optimizer = optimizer_of(stage)
    if resumed.optimizer:
        optimizer.load_state_dict(optimizer.state_dict() | {"state": resumed.optimizer})
    average = WeightAverage(system, stage, settings.ema_decay) if settings.ema_decay else None
    if average and resumed.average:
        average.load_state_dict(resumed.average)
    weights = None
    if settings.class_weights == "balanced":
        weights = class_weights(labels.cpu()[task.train], len(task.data.classes)).to(labels.device)
    return Work(stage, optimizer, average, _targets(system, stage, task), weights)


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


def _epoch(system: SystemModule, work: Work, task: Task, outcome: Fit, bar: Any) -> dict[str, Any]:
    """The next epoch and its scores: a row of the history."""
    stage, data = work.stage, task.data
    settings, earlier = stage.training, outcome.epochs(stage)
    stream, epoch = len(outcome.history) + 1, len(earlier) + 1
    torch.manual_seed(task.seeds("dropout", stream))
    generator = torch.Generator().manual_seed(task.seeds("order and patterns", stream))
    order = _batches(task.train[torch.randperm(len(task.train), generator=generator)], settings.batch_size)
    first, steps = (epoch - 1) * len(order), settings.epochs * len(order)
    set_up(system, stage)
    losses = _run(work, data, order, range(first, first + len(order)), steps, generator, bar)
    guesses = {}
    if task.choice.rows != "none":
        with work.average.in_place() if work.average else nullcontext():
            guesses = _guesses(system, stage, task)
    means = _means(losses, data, order, stage, epoch)  # the first wait for the device
    rate = settings.learning_rate * rate_factor(first, steps, settings)
    row = {"stage": stage.name, "epoch": epoch, "steps": len(order), "learning_rate": rate}
    row["gradient_norm"] = means.pop("gradient_norm")
    row |= {f"loss_{name}": mean for name, mean in means.items()}
    if guesses:
        labels = data.labels.cpu()[task.judged].numpy()
        found = {condition: guess.cpu().numpy() for condition, guess in guesses.items()}
        row |= task.choice.scores(labels, found, len(data.classes))
        row |= task.choice.smoothed([*earlier, row], settings.score_window)
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
    work: Work,
    data: Dataset,
    order: list[Tensor],
    numbers: range,
    steps: int,
    generator: torch.Generator,
    bar: Any,
) -> dict[str, Tensor]:
    """The steps of one epoch, with their numbers among all `steps` of the stage; what each logs, (steps,) each, still
    on the device.
    """
    stage, settings = work.stage, work.stage.training
    patterns = torch.tensor([availability(condition) for condition in stage.patterns])
    log: dict[str, list[Tensor]] = {}
    for rows, number in zip(order, numbers, strict=True):
        draws = len(rows) if stage.patterns_per == "sample" else 1
        drawn = patterns[torch.randint(len(patterns), (draws,), generator=generator)].expand(len(rows), -1)
        targets = None if work.targets is None else work.targets.index_select(0, moved(rows, work.targets.device))
        batch = replace(
            data.batch(rows, drawn),
            targets=targets,
            class_weights=work.class_weights,
            label_smoothing=settings.label_smoothing,
        )
        rate = settings.learning_rate * rate_factor(number, steps, settings)
        for name, value in train_step(stage, batch, work.optimizer, rate).items():
            log.setdefault(name, []).append(value)
        if work.average:
            work.average.update(number + 1)
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
        raise NotFiniteError(
            f"the loss is not finite in stage {stage.name}, epoch {epoch}, step {step + 1} ({parts}); lower its "
            f"learning_rate, or look at the features of its utterances with `python -m extractors show`: {names}"
        )
    return dict(zip(losses, table.mean(dim=1).tolist(), strict=True))
