from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cmarr import history
from cmarr.history import Events, HistoryFile
from extractors.files import UserError, read_csv

ROWS: list[dict[str, Any]] = [
    {"stage": "teacher", "epoch": 1, "loss_total": 3.0},
    {"stage": "main", "epoch": 1, "loss_total": 2.0, "validation_mean_uar": 40.0},
    {"stage": "main", "epoch": 2, "loss_total": 1.0, "validation_mean_uar": 50.0},
]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds, as the module under test reads them."""
    now = [100.0]
    monkeypatch.setattr(history.time, "monotonic", lambda: now[0])
    return now


def test_the_file_grows_but_not_with_every_short_epoch(tmp_path: Path, clock: list[float]) -> None:
    path = tmp_path / "seed1/history.csv"
    file = HistoryFile(path, "synthetic")
    clock[0] += 9
    file(ROWS[:1])
    assert not path.exists()
    clock[0] += 1
    file(ROWS[:2])
    assert [row["stage"] for row in read_csv(path)] == ["teacher", "main"]
    clock[0] += 9
    file(ROWS)
    assert len(read_csv(path)) == 2
    clock[0] += 2
    file(ROWS)
    assert [row["validation_mean_uar"] for row in read_csv(path)] == ["", "40.0", "50.0"]
    assert {row["origin"] for row in read_csv(path)} == {"synthetic"}


Point = tuple[str, float, int]


class Writer:
    """What a folder holds, as TensorBoard reads it: a start drops all points from its step on."""

    folders: dict[str, list[Point]]

    def __init__(self, folder: str, purge_step: int, flush_secs: int) -> None:
        assert flush_secs <= 10
        kept = [point for point in self.folders.get(folder, []) if point[2] < purge_step]
        self._points = self.folders[folder] = kept
        self.is_open = True

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        assert self.is_open
        self._points.append((tag, value, step))

    def close(self) -> None:
        self.is_open = False


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[Point]]]:
    module: Any = ModuleType("torch.utils.tensorboard")
    Writer.folders = {}
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    return Writer.folders


EXPECTED = [
    ("main/loss_total", 1.0, 3),
    ("main/loss_total", 2.0, 2),
    ("main/validation_mean_uar", 40.0, 2),
    ("main/validation_mean_uar", 50.0, 3),
    ("teacher/loss_total", 3.0, 1),
]


def watched(folder: Path) -> None:
    """A job that is killed after its last epoch, and one that goes on from the state after the first epoch."""
    with closing(Events(folder)) as events:
        for count in (1, 2, 3):
            events(ROWS[:count])
    with closing(Events(folder)) as events:
        for count in (1, 2, 3):
            events(ROWS[:count])


def test_events_are_the_history_and_a_second_job_doubles_none(tmp_path: Path, folders: dict[str, list[Point]]) -> None:
    watched(tmp_path)
    assert sorted(folders[str(tmp_path)]) == EXPECTED


def test_real_events_come_back(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    watched(tmp_path)
    found = EventAccumulator(str(tmp_path))
    found.Reload()
    points = [(tag, scalar.value, scalar.step) for tag in found.Tags()["scalars"] for scalar in found.Scalars(tag)]
    assert sorted(points) == EXPECTED


def test_without_the_package_the_line_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UserError, match="pip install tensorboard") as problem:
        Events(tmp_path)
    assert "\n" not in str(problem.value)
