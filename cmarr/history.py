"""`history.csv` and TensorBoard's events: what is written of a training, epoch by epoch, while it runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from extractors.files import UserError, write_csv

Row = dict[str, Any]
WRITE_SECONDS = 10.0


class HistoryFile:
    """A CSV that grows: at most every `WRITE_SECONDS`, whole and in place of the one before."""

    def __init__(self, path: Path, origin: str) -> None:
        self._path, self._origin = path, origin
        self._written = time.monotonic()

    def __call__(self, history: Sequence[Row]) -> None:
        """Write all rows, if the last time was long enough ago."""
        if time.monotonic() - self._written >= WRITE_SECONDS:
            self.write(history)

    def write(self, history: Sequence[Row]) -> None:
        """Write all rows; stages may have columns of their own, which are empty in the others."""
        columns = dict.fromkeys(key for row in history for key in row)
        rows = [dict.fromkeys(columns, "") | row | {"origin": self._origin} for row in history]
        write_csv(self._path, [*columns, "origin"], rows)
        self._written = time.monotonic()


class Events:
    """TensorBoard's events of one run in a folder; they take the place of those of an earlier job.

    Steps are epochs, counted over all stages. UserError without the package.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UserError(f"--tensorboard: {error}; run `pip install tensorboard`, or leave it out") from error
        self._writer = SummaryWriter(str(folder), purge_step=1, flush_secs=10)
        self._written = 0

    def __call__(self, history: Sequence[Row]) -> None:
        """Write the rows that are new: all of them, when a killed job goes on."""
        for step, row in enumerate(history[self._written :], self._written + 1):
            for key, value in row.items():
                if key not in ("stage", "epoch"):
                    self._writer.add_scalar(f"{row['stage']}/{key}", value, step)
        self._written = len(history)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
