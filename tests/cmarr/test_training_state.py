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
from cmarr.engine import Fit, fit
from cmarr.systems import build
from cmarr.training_state import TrainingState
from cmarr.variants import base
from cmarr.vocabulary import MODALITIES
from tests.cmarr.mock_training import Mock, Staged, dataset, run, task


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
}


@pytest.mark.parametrize("rows", ["validation", "none"])
@pytest.mark.parametrize("name", KINDS)
def test_a_killed_training_ends_with_the_same_bits(
    name: str, rows: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at five random steps and started again, against one that ran through; the best epoch lies before some."""
    generator = torch.Generator().manual_seed(0)
    data = dataset(torch.randn(13, 6, generator=generator))
    settings = kind_of(base(name)).model_validate(KINDS[name])

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


def test_a_state_takes_the_place_of_all_others(tmp_path: Path) -> None:
    for fingerprint in ("one", "other"):
        TrainingState(tmp_path, fingerprint).save({"x": torch.zeros(1)}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["other.safetensors"]


def fit_steps(folder: Path) -> int:
    found = TrainingState(folder, "f").load(torch.device("cpu"))
    assert found is not None
    return int(found[0]["system.steps"])
