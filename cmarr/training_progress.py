"""What the log shows of a training while it runs: a bar, and a line after each epoch."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Self

from cmarr.systems.base import Stage
from cmarr.training_state import Fit
from extractors.console import counter

LOG = logging.getLogger("cmarr")
LINE_SECONDS = 1.0


class TrainingProgress:
    """A context manager; `steps` is the number of steps in an epoch of each stage, by its name."""

    def __init__(
        self,
        stages: Sequence[Stage],
        steps: Mapping[str, int],
        outcome: Fit,
        counter: Callable[..., Any] = counter,
    ) -> None:
        """`counter` makes the bar, as that of `extractors.console` does."""
        self._stages, self._steps, self._outcome, self._counter = stages, steps, outcome, counter
        self._open = ExitStack()
        self._line = -math.inf

    def __enter__(self) -> Self:
        from tqdm.contrib.logging import logging_redirect_tqdm

        done = [len(self._outcome.epochs(stage)) for stage in self._stages]
        total = sum(
            self._steps[stage.name] * (epochs if number < self._outcome.stage else stage.training.epochs)
            for number, (stage, epochs) in enumerate(zip(self._stages, done, strict=True))
        )
        so_far = sum(self._steps[stage.name] * epochs for stage, epochs in zip(self._stages, done, strict=True))
        self.bar: Any = self._open.enter_context(self._counter("training", "step", total, so_far))
        self._open.enter_context(logging_redirect_tqdm())
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def begin(self) -> None:
        """A stage is about to train."""
        self._start = self._epoch = time.monotonic()
        self._before = len(self._outcome.history)

    def epoch(self, stage: Stage, column: str) -> None:
        """An epoch is over; a line says what it brought, at most one a second.

        `column` of the history decides which epoch is kept. The time left is an upper bound where a stage has patience.
        """
        now, outcome = time.monotonic(), self._outcome
        seconds, self._epoch = now - self._epoch, now
        if now - self._line < LINE_SECONDS:
            return
        self._line = now
        row = outcome.history[-1]
        parts = ", ".join(f"{key.removeprefix('loss_')} {row[key]:.4g}" for key in row if key.startswith("loss_"))
        score = ""
        if best := column in row and outcome.chosen(stage):
            score = f", {column} {row[column]:.2f} % (best {best[column]:.2f} in epoch {best['epoch']})"
        own = self._steps[stage.name]
        to_come = own * (stage.training.epochs - row["epoch"])
        to_come += sum(self._steps[each.name] * each.training.epochs for each in self._stages[outcome.stage + 1 :])
        left = (now - self._start) / (own * (len(outcome.history) - self._before)) * to_come
        bound = "at most " if any(each.training.patience for each in self._stages[outcome.stage :]) else ""
        time_left = bound + self.bar.format_interval(left)
        LOG.info(
            "%s: epoch %d of %d, loss %s%s, %.1f s, %s left",
            stage.name, row["epoch"], stage.training.epochs, parts, score, seconds, time_left,
        )  # fmt: skip

    def end(self, stage: Stage, column: str) -> None:
        """A stage is over; a line says which epoch is kept."""
        row, done = self._outcome.chosen(stage) or {}, len(self._outcome.epochs(stage))
        self.bar.total -= self._steps[stage.name] * (stage.training.epochs - done)
        score = f", {column} {row[column]:.2f} %" if column in row else ""
        LOG.info("%s: epoch %d of %d is kept%s", stage.name, row["epoch"], done, score)
