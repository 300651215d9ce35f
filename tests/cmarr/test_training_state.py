from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cmarr.batch import Batch
from cmarr.choice import Choice
from cmarr.config import kind_of
from cmarr.engine import Work, fit
from cmarr.systems import build
from cmarr.training_state import Fit, TrainingState
from cmarr.variants import base
from cmarr.vocabulary import MODALITIES
from tests.cmarr.mock_training import Mock, Staged, dataset, run, task


@pytest.fixture(autouse=True)
def _after_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmarr.training_state.SAVE_SECONDS", 0)


class KilledError(Exception):
    """In the middle of a step, as a power cut would."""


SHORT = {"training": {"epochs": 4, "batch_size": 4, "learning_rate": 0.01}}
SMALL = {"embedding": 8, "cascade_layers": (8, 4), "cascade_blocks": 2, "teacher": {"epochs": 3, "batch_size": 4}}
KINDS: dict[str, dict[str, Any]] = {
    "cm_arr": {"size": "tiny", "training": SHORT["training"] | {"epochs": 9}},
    "cm_arr-text_asks": {"size": "tiny", "fusion": "text_asks", "residual": "scaled", "tau_start": 0.01} | SHORT,
    "cm_arr-each_asks": {"size": "tiny", "fusion": "each_asks", "residual": "none", "time_steps": 1} | SHORT,
    "cm_arr-means": {"size": "tiny", "fusion": "means", "alpha": 0, "beta": 0, "lambda_rec": 0} | SHORT,
    "baseline": {"size": "tiny", "training": SHORT["training"] | {"epochs": 9}},
    "mmin": SMALL | SHORT,
    "if_mmin": SMALL | SHORT,
    "cif_mmin": SMALL | SHORT,
    "cra": SHORT | {"embedding": 8},
    "cra-impute": SMALL | {"kind": "impute", "imputation": SHORT["training"]},
    "dicmor": {"size": "tiny", "complete": SMALL["teacher"]} | SHORT,
    "mmin-ema": {
        "embedding": 8, "cascade_layers": (8, 4), "cascade_blocks": 2,
        "teacher": SMALL["teacher"] | {"ema_decay": 0.8}, "training": SHORT["training"] | {"ema_decay": 0.9},
    },
    "cm_arr-shared-ema-balanced-smoothing": {
        "size": "tiny", "shared_weights": True,
        "training": {
            "epochs": 9, "batch_size": 4, "learning_rate": 0.01, "ema_decay": 0.9, "class_weights": "balanced",
            "label_smoothing": 0.1,
        },
    },
}  # fmt: skip


SCORED: dict[str, dict[str, Any]] = {
    "mmin-patience-window": {
        "embedding": 8, "cascade_layers": (8, 4), "cascade_blocks": 2,
        "teacher": {"epochs": 30, "batch_size": 4, "patience": 3, "score_window": 2, "ema_decay": 0.9},
        "training": {"epochs": 30, "batch_size": 4, "learning_rate": 0.01, "patience": 4, "score_window": 3},
    },
}  # fmt: skip
"""those that need judged rows"""


@pytest.mark.parametrize(
    ("name", "rows"),
    [*((name, rows) for name in KINDS for rows in ("validation", "none")), *((name, "validation") for name in SCORED)],
)
def test_a_killed_training_ends_with_the_same_bits(
    name: str, rows: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at five random steps and started again, against one that ran through; the best epoch lies before some."""
    generator = torch.Generator().manual_seed(0)
    data = dataset(torch.randn(13, 6, generator=generator))
    settings = kind_of(base(name)).model_validate((KINDS | SCORED)[name])

    def trained(folder: Path) -> tuple[Fit, dict[str, Tensor]]:
        torch.manual_seed(1)
        system = build(base(name), settings, dict.fromkeys(MODALITIES, 6), 4)
        return fit(system, task(folder, Choice(rows, "mean_uar"), data)), system.state_dict()

    whole, last = trained(tmp_path / "whole")
    chance = random.Random(5)
    kind = torch.optim.Adam if settings.training.optimizer == "adam" else torch.optim.AdamW
    step = kind.step
    for _ in range(5):
        left = chance.randrange(1, 5)

        def stumble(self: torch.optim.Optimizer, *more: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise KilledError
            return step(self, *more)

        monkeypatch.setattr(kind, "step", stumble)
        with pytest.raises(KilledError):
            trained(tmp_path / "killed")
    monkeypatch.setattr(kind, "step", step)
    again, same = trained(tmp_path / "killed")
    assert again.history == whole.history
    assert again.best_epochs == whole.best_epochs
    for found, expected in ((again.best, whole.best), (same, last)):
        assert set(found) == set(expected)
        assert all(torch.equal(found[key], value) for key, value in expected.items())


def test_a_stage_begins_once_however_often_the_job_is_started(tmp_path: Path) -> None:
    whole = Staged(good_epochs=(1,))
    expected = fit(whole, task(tmp_path / "whole"))
    system, calls = Staged(good_epochs=(1,)), 0

    def stumble(batch: Batch) -> dict[str, Tensor]:
        nonlocal calls
        calls += 1
        if calls in (1, 4, 6):
            raise KilledError
        return Staged.later_loss(system, batch)

    for _ in range(3):
        system = Staged(good_epochs=(1,))
        system.later_loss = stumble  # type: ignore[method-assign]
        with pytest.raises(KilledError):
            fit(system, task(tmp_path / "killed"))
    system = Staged(good_epochs=(1,))
    found = fit(system, task(tmp_path / "killed"))
    assert system.begun == 0
    assert found.history == expected.history
    assert all(torch.equal(value, expected.best[name]) for name, value in found.best.items())


def test_weights_of_an_early_best_epoch_outlive_a_kill(tmp_path: Path) -> None:
    run(Mock(good_epochs=(1,)), tmp_path, epochs=3)
    outcome = run(Mock(good_epochs=(1,)), tmp_path, epochs=5)
    assert outcome.best_epochs["main"] == 1
    assert int(outcome.best["steps"]) == 2


def test_a_state_of_other_settings_or_a_damaged_one_is_no_use(tmp_path: Path) -> None:
    run(Mock(good_epochs=(1,)), tmp_path, epochs=2)
    (file,) = tmp_path.iterdir()
    assert TrainingState(tmp_path, "other").load(torch.device("cpu")) is None
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert TrainingState(tmp_path, "f").load(torch.device("cpu")) is None
    system = Mock(good_epochs=(1,))
    run(system, tmp_path, epochs=2)
    assert int(system.steps) == 4
    run(Mock(good_epochs=(1,)), tmp_path, epochs=2)
    assert fit_steps(tmp_path) == 4


def test_a_state_is_saved_now_and_then_and_at_the_end_of_each_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An epoch takes 120 s, and what a kill costs are the epochs since the last state."""
    now, saved = [0.0], []
    monkeypatch.setattr("cmarr.training_state.SAVE_SECONDS", 180)
    monkeypatch.setattr("cmarr.training_state.time.monotonic", lambda: now[0])
    save = TrainingState.save

    def noted(state: TrainingState, tensors: dict[str, Tensor], content: dict[str, Any]) -> None:
        saved.append(len(content["history"]))
        save(state, tensors, content)

    class Slow(Staged):
        def loss(self, batch: Batch) -> dict[str, Tensor]:
            now[0] += 60
            return super().loss(batch)

        def later_loss(self, batch: Batch) -> dict[str, Tensor]:
            now[0] += 60
            return super().later_loss(batch)

    monkeypatch.setattr(TrainingState, "save", noted)
    fit(Slow(good_epochs=(1,)), task(tmp_path))
    assert saved == [2, 3, 5, 6]


def test_where_the_last_epoch_is_kept_its_weights_are_copied_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cmarr.training_state.SAVE_SECONDS", 1e9)
    system, copies = Mock(good_epochs=()), 0
    weights = Work.weights

    def counted(self: Work, system: Mock) -> dict[str, Tensor]:
        nonlocal copies
        copies += 1
        return weights(self, system)

    monkeypatch.setattr(Work, "weights", counted)
    outcome = run(system, tmp_path, Choice("none", "mean_uar"), epochs=7)
    assert (copies, int(outcome.best["steps"])) == (1, 14)


def test_a_state_takes_the_place_of_all_others(tmp_path: Path) -> None:
    for fingerprint in ("one", "other"):
        TrainingState(tmp_path, fingerprint).save({"x": torch.zeros(1)}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["other.safetensors"]


def fit_steps(folder: Path) -> int:
    found = TrainingState(folder, "f").load(torch.device("cpu"))
    assert found is not None
    return int(found[0]["system.steps"])
