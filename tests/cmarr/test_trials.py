"""Trials of tuning on the toy corpus: equal budgets, scores, trainings that end early or fail."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from cmarr.__main__ import VERBS
from cmarr.engine import fit
from cmarr.settings.space import Range
from extractors.console import counter, run
from extractors.files import read_csv, read_json, write_json
from tests.cmarr.tuning_runs import SLOW, arguments, replaced


@pytest.mark.parametrize("system", ["baseline", "mmin", "dicmor"])
def test_all_systems_get_the_same_steps(toy, tmp_path: Path, system: str) -> None:
    """Within half an epoch of the shortest stage, on the mean over folds of different sizes."""
    once = {"epochs": 3, "batch_size": 8}
    settings: dict[str, Any] = {"size": "tiny", "training": once}
    if system == "mmin":
        settings = {
            "embedding": 8, "cascade_layers": [4], "teacher": {"epochs": 1, "batch_size": 16}, "training": once,
        }  # fmt: skip
    if system == "dicmor":
        settings |= {"complete": once | {"epochs": 1}}
    plan = read_json(toy.folds)
    plan["folds"]["2"]["train"] = plan["folds"]["2"]["train"][:20]
    folds = tmp_path / "folds.json"
    write_json(folds, plan)
    words = replaced(arguments(toy, tmp_path / "out", system, settings, 1, 40), "--folds", str(folds))
    assert run("cmarr", VERBS, [*words, "2"]) == 0
    (row,) = read_csv(tmp_path / "out/trials.csv")
    sizes = [len(plan["folds"][name]["train"]) for name in "12"]
    batches = {size: sum(-(-count // size) for count in sizes) / 2 for size in (8, 16)}
    shortest = batches[16 if system == "mmin" else 8]
    assert abs(int(row["steps"]) - 40) <= shortest / 2 + 1
    if system != "baseline":
        first = int(row["teacher.epochs" if system == "mmin" else "complete.epochs"]) * shortest
        assert abs(first - 10) <= shortest  # a quarter of the epochs
    assert float(row["score"]) == pytest.approx((float(row["fold1"]) + float(row["fold2"])) / 2)


def test_one_batch_size_makes_equal_steps_equal_utterances(toy, tmp_path: Path) -> None:
    """In every stage, while tuning and in what was chosen."""
    settings = {"embedding": 8, "cascade_layers": [4], "teacher": {"batch_size": 16}, "training": {"batch_size": 4}}
    words = [*arguments(toy, tmp_path, "mmin", settings, 2, 40), "--batch-size", "8"]
    assert run("cmarr", VERBS, words) == 0
    chosen, rows = read_json(tmp_path / "chosen.json"), read_csv(tmp_path / "trials.csv")
    assert chosen["batch_size"] == 8
    assert [chosen["settings"][stage]["batch_size"] for stage in ("teacher", "training")] == [8, 8]
    batches = -(-len(read_json(toy.folds)["folds"]["1"]["train"]) // 8)
    for row in rows:
        assert int(row["steps"]) == batches * (int(row["teacher.epochs"]) + int(row["training.epochs"]))


def test_less_than_an_epoch_of_each_stage_is_refused_with_what_is_needed(
    toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"embedding": 8, "cascade_layers": [4], "teacher": {"batch_size": 16}, "training": {"batch_size": 8}}
    count = len(read_json(toy.folds)["folds"]["1"]["train"])
    needed = -(-count // 8) + -(-count // 16)
    assert run("cmarr", VERBS, arguments(toy, tmp_path, "mmin", settings, 1, needed - 1)) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert f"epoch of each stage of mmin on these folds; set tuning.steps to {needed} or more" in line
    assert run("cmarr", VERBS, arguments(toy, tmp_path, "mmin", settings, 1, needed)) == 0
    assert read_csv(tmp_path / "trials.csv")[0]["steps"] == str(needed)


def test_a_solved_system_with_a_space_is_refused(
    toy, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cmarr.settings.Linear.SPACE", {"c_unchosen": Range(0.1, 1)})
    assert run("cmarr", VERBS, replaced(arguments(toy, tmp_path, "linear"), "--settings", "{}")) == 1
    assert "linear: is solved, not trained in steps; take SPACE out" in capsys.readouterr().err.splitlines()[-1]


def test_trials_are_ranked_by_the_score_that_chooses_the_epoch(toy, tmp_path: Path) -> None:
    settings = SLOW | {"training": SLOW["training"] | {"score_window": 2, "learning_rate": 0.003}}
    assert run("cmarr", VERBS, arguments(toy, tmp_path / "tune", settings=settings, trials=1, steps=30)) == 0
    chosen = read_json(tmp_path / "tune/chosen.json")
    whole = settings | {"training": settings["training"] | chosen["settings"]["training"]}
    words = replaced(toy.train_arguments(tmp_path / "train"), "--settings", json.dumps(whole))
    assert run("cmarr", VERBS, words) == 0
    scores = read_json(tmp_path / "train/record.json")["scores"]
    assert chosen["score"] == scores["validation_mean_uar_smoothed"] != scores["validation_mean_uar"]


def test_a_trial_that_ends_early_leaves_the_bar_its_total(toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    totals: list[tuple[int, int]] = []

    @contextmanager
    def counted(what: str, unit: str, total: int, done: int = 0) -> Iterator[Any]:
        with counter(what, unit, total, done) as bar:
            yield bar
            totals.append((total, bar.total))

    monkeypatch.setattr("cmarr.trials.counter", counted)
    settings = SLOW | {"training": SLOW["training"] | {"patience": 1, "learning_rate": 1e-12}}
    assert run("cmarr", VERBS, arguments(toy, tmp_path, settings=settings, trials=1, steps=60)) == 0
    assert int(read_csv(tmp_path / "trials.csv")[0]["steps"]) < 30
    assert totals == [(60, 60)]


def test_a_training_without_memory_is_a_failed_trial_whose_seconds_count(
    toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = 0

    def short(*words: Any) -> Any:
        nonlocal trained
        trained += 1
        if trained == 1:
            time.sleep(0.3)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        return fit(*words)

    monkeypatch.setattr("cmarr.trials.fit", short)
    assert run("cmarr", VERBS, arguments(toy, tmp_path, trials=2)) == 0
    rows = read_csv(tmp_path / "trials.csv")
    assert [row["state"] for row in rows] == ["failed", "complete"]
    assert rows[0]["reason"] == "CUDA out of memory. Tried to allocate 9 GiB"
    assert float(rows[0]["seconds"]) >= 0.3
