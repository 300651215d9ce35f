from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from torch import Tensor
from tqdm import tqdm

from cmarr import training_progress
from cmarr.batch import Batch
from cmarr.choice import Choice
from cmarr.engine import fit
from cmarr.settings import Training
from cmarr.systems.base import Stage
from tests.cmarr.mock_training import CLEAN, Staged, task


class Timed(Staged):
    """Each step takes so many seconds of a clock of its own."""

    seconds = 30.0
    now = 0.0
    patience: int | None = None

    def stages(self) -> tuple[Stage, ...]:
        first, second = super().stages()
        settings = Training(epochs=3, batch_size=4, patience=self.patience)
        return replace(first, training=settings), replace(second, training=settings)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        self.now += self.seconds
        return super().loss(batch)

    def later_loss(self, batch: Batch) -> dict[str, Tensor]:
        self.now += self.seconds
        return super().later_loss(batch)


def lines(
    system: Timed, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    choice: Choice = CLEAN,
) -> list[str]:  # fmt: skip
    monkeypatch.setattr(training_progress.time, "monotonic", lambda: system.now)
    with caplog.at_level("INFO", "cmarr"):
        fit(system, task(folder, choice))
    return [record.getMessage() for record in caplog.records]


def test_each_epoch_has_a_line_with_losses_score_and_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = lines(Timed(good_epochs=(2,)), tmp_path, monkeypatch, caplog)
    number = r"[\d.e-]+"
    assert re.fullmatch(
        rf"first: epoch 1 of 3, loss total {number}, cls {number}, validation_mean_uar 0.00 % \(best 0.00 "
        r"in epoch 1\), 60.0 s, 05:00 left",
        found[0],
    )
    assert "validation_mean_uar 100.00 % (best 100.00 in epoch 2), 60.0 s, 04:00 left" in found[1]
    assert "validation_mean_uar 0.00 % (best 100.00 in epoch 2), 60.0 s, 03:00 left" in found[2]
    assert found[3] == "first: epoch 2 of 3 is kept, validation_mean_uar 100.00 %"
    assert [line.split(",")[-1] for line in found[4:7]] == [" 02:00 left", " 01:00 left", " 00:00 left"]
    assert len(found) == 8


def test_the_time_left_is_a_bound_where_patience_may_end_a_stage_and_less_once_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    system = Timed(good_epochs=())
    system.patience = 1
    found = lines(system, tmp_path, monkeypatch, caplog)
    assert [line.split(", ")[-1] for line in found] == [
        "at most 05:00 left", "at most 04:00 left", "validation_mean_uar 0.00 %",
        "at most 02:00 left", "at most 01:00 left", "validation_mean_uar 0.00 %",
    ]  # fmt: skip


def test_short_epochs_share_a_line_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    system = Timed(good_epochs=())
    system.seconds = 0.3
    found = lines(system, tmp_path, monkeypatch, caplog, Choice("none", "mean_uar"))
    assert [re.split(" of |,", line)[0] for line in found] == [
        "first: epoch 1", "first: epoch 3", "first: epoch 3", "main: epoch 2", "main: epoch 3",
    ]  # fmt: skip
    assert "uar" not in "".join(found)


def test_a_bar_that_is_switched_off_changes_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    system = Timed(good_epochs=(2,))
    monkeypatch.setattr(training_progress.time, "monotonic", lambda: system.now)
    with caplog.at_level("INFO", "cmarr"):
        fit(
            system,
            replace(task(tmp_path, CLEAN), counter=lambda what, unit, total, done: tqdm(total=total, disable=True)),
        )
    left = [record.getMessage().split(", ")[-1] for record in caplog.records]
    assert [words for words in left if words.endswith("left")] == [
        f"0{minutes}:00 left" for minutes in (5, 4, 3, 2, 1, 0)
    ]
