"""Verb `tune` on the toy corpus: budgets, resuming, what it refuses, what it looks at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import pytest

from cmarr.__main__ import VERBS
from cmarr.training_state import TrainingState
from extractors.console import run
from extractors.files import read_csv, read_json
from extractors.locks import Lock
from tests.cmarr.tuning_runs import SLOW, arguments, replaced

TIMES = ("seconds",)


def told(out: Path) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """Trials and choice, without what a clock says."""
    rows = [{key: value for key, value in row.items() if key not in TIMES} for row in read_csv(out / "trials.csv")]
    chosen = read_json(out / "chosen.json")
    return rows, {key: value for key, value in chosen.items() if key not in TIMES}


@pytest.fixture(scope="module")
def whole(toy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "baseline"
    assert run("cmarr", VERBS, arguments(toy, out, folds="12")) == 0
    return out


def test_every_trial_is_recorded_and_the_best_one_chosen(toy, whole: Path) -> None:
    rows, chosen = told(whole)
    assert [row["trial"] for row in rows] == ["1", "2", "3"]
    assert {row["state"] for row in rows} == {"complete"}
    assert {row["origin"] for row in rows} == {"synthetic"}
    assert rows[0]["training.learning_rate"] == "1e-05"  # the configured one comes first
    scores = [float(row["score"]) for row in rows]
    assert [(float(row["fold1"]) + float(row["fold2"])) / 2 for row in rows] == pytest.approx(scores)
    assert chosen["score"] == max(scores)
    assert chosen["chosen"] == scores.index(max(scores)) + 1
    assert (chosen["first_score"], chosen["trials"], chosen["failed"]) == (scores[0], 3, 0)
    assert (chosen["column"], chosen["protocol"]) == ("validation_mean_uar", "clean")
    assert chosen["notes"] == ["untrained toy"]
    picked = rows[chosen["chosen"] - 1]
    assert chosen["settings"]["training"]["epochs"] == int(picked["training.epochs"])
    assert chosen["settings"]["dropout"] == float(picked["dropout"])
    assert read_json(whole / "chosen.json")["seconds"] > 0


def test_a_trial_is_a_training_with_these_settings(toy, whole: Path, tmp_path: Path) -> None:
    """Trained by the verb `train` the chosen settings have the score that they were chosen by."""
    rows, chosen = told(whole)
    settings = SLOW | chosen["settings"] | {"training": SLOW["training"] | chosen["settings"]["training"]}
    words = replaced(toy.train_arguments(tmp_path, "baseline"), "--settings", json.dumps(settings))
    assert run("cmarr", VERBS, words) == 0
    assert read_json(tmp_path / "record.json")["scores"]["validation_mean_uar"] == float(
        rows[chosen["chosen"] - 1]["fold1"]
    )


def guessed(row: dict[str, str]) -> str:
    shares = {key.removeprefix("p_"): float(value) for key, value in row.items() if key.startswith("p_")}
    return max(shares, key=shares.__getitem__)


def test_settings_that_are_better_on_validation_data_are_better_on_test_data(toy, tmp_path: Path) -> None:
    """What is configured learns a thousand times too slowly; a few trials find that out."""
    assert run("cmarr", VERBS, arguments(toy, tmp_path / "tuned", trials=4, steps=24)) == 0
    chosen = read_json(tmp_path / "tuned/chosen.json")
    assert chosen["settings"]["training"]["learning_rate"] > 1e-4
    right = []
    for name, settings in (("before", SLOW), ("after", chosen["settings"])):
        whole = SLOW | settings | {"training": SLOW["training"] | settings["training"]}
        words = replaced(toy.train_arguments(tmp_path / name, "baseline"), "--settings", json.dumps(whole))
        assert run("cmarr", VERBS, words) == 0
        assert run("cmarr", VERBS, toy.predict_arguments(tmp_path / name, tmp_path / f"{name}-out", "svt")) == 0
        rows = read_csv(tmp_path / f"{name}-out/svt.csv")
        right.append(sum(guessed(row) == row["label"] for row in rows))
    assert right[1] >= right[0] + 6, right  # of 24
    assert chosen["score"] >= chosen["first_score"] + 20


class Killed(KeyboardInterrupt):
    pass


@pytest.mark.parametrize("kill", [2, 6])
def test_a_killed_tuning_ends_with_the_same_numbers(
    toy, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: int
) -> None:
    """Killed twice while a state is published, in the first or second trial, and once before a trial is told."""
    out, saves, save = tmp_path / "baseline", 0, TrainingState.save

    def killed(*words: Any) -> None:
        nonlocal saves
        saves += 1
        save(*words)
        if saves in (kill, kill + 1):
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("cmarr.training_state.SAVE_SECONDS", 0)
        patch.setattr("cmarr.engine.TrainingState.save", killed)
        assert run("cmarr", VERBS, arguments(toy, out, folds="12")) == 130
        assert run("cmarr", VERBS, arguments(toy, out, folds="12")) == 130
    with monkeypatch.context() as patch:

        def untold(*_: Any) -> None:
            raise Killed

        patch.setattr("cmarr.study.Study.tell", untold)
        assert run("cmarr", VERBS, arguments(toy, out, folds="12")) == 130
    assert not (out / "trials.csv").exists()
    assert run("cmarr", VERBS, arguments(toy, out, folds="12")) == 0
    assert told(out) == told(whole)
    assert sorted(path.name for path in out.iterdir()) == [".study", "chosen.json", "trials.csv"]


def test_more_trials_go_on_with_the_study(toy, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "baseline"
    assert run("cmarr", VERBS, arguments(toy, out, trials=2, folds="12")) == 0
    (out / "trials.csv").unlink()  # as Snakemake does before a job
    (out / "chosen.json").unlink()
    assert run("cmarr", VERBS, arguments(toy, out, folds="12")) == 0
    assert told(out) == told(whole)

    def trained(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("cmarr.trials.fit", trained)
    assert run("cmarr", VERBS, arguments(toy, out, trials=2, folds="12")) == 0  # fewer: those that were asked for count
    assert told(out)[0] == told(whole)[0][:2]


@pytest.mark.parametrize("change", ["settings", "steps", "seed", "fold", "batch-size"])
def test_a_study_of_something_else_is_not_gone_on_with(toy, tmp_path: Path, change: str) -> None:
    out = tmp_path / "baseline"
    assert run("cmarr", VERBS, arguments(toy, out, trials=1)) == 0
    other = json.dumps(SLOW | {"kernel": 3})
    word = {"settings": other, "steps": "20", "seed": "2", "fold": "2", "batch-size": "8"}[change]
    words = [*arguments(toy, out, trials=1), "--batch-size", "16"][: None if change == "batch-size" else -2]
    assert run("cmarr", VERBS, replaced(words, f"--{change}", word)) == 0
    assert len(list((out / ".study").glob("*.journal"))) == 2


def test_test_features_have_no_say(toy, whole: Path, tmp_path: Path) -> None:
    stores = tmp_path / "stores"
    stores.mkdir()
    for path in toy.folder.iterdir():
        (stores / path.name).write_bytes(path.read_bytes())
    test = set(read_json(toy.folds)["folds"]["1"]["test"])
    with h5py.File(stores / "speech.h5", "r+") as file:
        for row, name in enumerate(file["ids"].asstr()[:]):
            if name in test:
                file["values"][file["offsets"][row] : file["offsets"][row + 1]] = 1e6  # breaks the checksum as well
    words = replaced(arguments(toy, tmp_path / "baseline", trials=1), "--stores", str(stores))
    assert run("cmarr", VERBS, words) == 0
    assert told(tmp_path / "baseline")[0][0]["fold1"] == told(whole)[0][0]["fold1"]


@pytest.mark.parametrize("protocol", ["paper_last", "paper_besttest"])
def test_a_protocol_without_validation_is_refused(
    toy, tmp_path: Path, capsys: pytest.CaptureFixture[str], protocol: str
) -> None:
    folds = tmp_path / "folds.json"
    assert run("cmarr", VERBS, replaced(toy.fold_arguments(folds), "--protocol", protocol)) == 0
    assert run("cmarr", VERBS, replaced(arguments(toy, tmp_path / "out"), "--folds", str(folds))) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.endswith(f"protocol {protocol} has no validation utterances to score; tune with `clean`")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("folds", ["12", "123"])
def test_folds_that_validate_on_each_others_test_utterances_are_refused(
    toy, tmp_path: Path, capsys: pytest.CaptureFixture[str], folds: str
) -> None:
    path = tmp_path / "folds.json"
    assert run("cmarr", VERBS, replaced(toy.fold_arguments(path), "--protocol", "clean_session")) == 0
    words = replaced(arguments(toy, tmp_path / "out", trials=1), "--folds", str(path))
    assert run("cmarr", VERBS, [*words, *folds[1:]]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert f"under clean_session these {len(folds)} folds validate on each other's test" in line
    assert line.endswith('name one, as `tuning.folds: ["1"]` does')
    assert run("cmarr", VERBS, words) == 0


def test_wrong_words_are_refused_in_one_line(toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = arguments(toy, tmp_path / "out")
    for wrong, line in (
        (replaced(words, "--fold", "9"), "--fold: 9 is no fold of "),
        (replaced(words, "--trials", "0"), "--trials and --steps: 1 or more, please"),
        (replaced(words, "--system", "baseline-dropout-0"), "--system: baseline-dropout-0 is a variant; tune the sys"),
    ):
        assert run("cmarr", VERBS, wrong) == 1
        assert line in capsys.readouterr().err.splitlines()[-1]


def test_a_system_without_a_space_is_refused(
    toy, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cmarr.settings.cm_arr.Baseline.SPACE", {}, raising=False)
    assert run("cmarr", VERBS, arguments(toy, tmp_path / "out")) == 1
    assert "baseline has no search space: give its settings a SPACE" in capsys.readouterr().err.splitlines()[-1]


def test_a_training_that_fails_is_a_failed_trial(toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wild = SLOW | {"training": SLOW["training"] | {"learning_rate": 1e30, "clip_norm": None}}
    assert run("cmarr", VERBS, arguments(toy, tmp_path / "out", settings=wild, trials=1)) == 1
    assert "baseline: no training ended well; the first one: the loss is not finite" in capsys.readouterr().err
    assert run("cmarr", VERBS, arguments(toy, tmp_path / "out", settings=wild, trials=7)) == 0
    rows, chosen = told(tmp_path / "out")
    assert (rows[0]["state"], rows[0]["score"]) == ("failed", "")
    assert rows[0]["reason"].startswith("the loss is not finite in stage main, epoch 1, step ")
    assert {row["state"] for row in rows} == {"failed", "complete"}
    assert chosen["failed"] == sum(row["state"] == "failed" for row in rows)
    assert chosen["first_score"] is None


def test_a_second_tuning_of_the_same_study_is_refused(toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "baseline/.study"
    folder.mkdir(parents=True)
    other = Lock(folder)
    assert run("cmarr", VERBS, arguments(toy, tmp_path / "baseline")) == 1
    assert "is making it; wait for its end" in capsys.readouterr().err.splitlines()[-1]
    other.close()
