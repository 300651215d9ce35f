"""Verbs `train` and `predict`, and the model file between them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from safetensors import safe_open

from cmarr.__main__ import VERBS
from cmarr.training_state import TrainingState
from cmarr.vocabulary import CONDITIONS
from extractors.console import run
from extractors.files import read_csv, read_json
from extractors.locks import Lock
from extractors.store import FeatureStore, Frames, write_store


@pytest.fixture(scope="module", params=["baseline", "cm_arr"])
def model(request: pytest.FixtureRequest, toy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp(request.param)
    assert run("cmarr", VERBS, toy.train_arguments(out, request.param)) == 0
    return out


def test_a_record_says_what_was_trained_on_what(toy, model: Path) -> None:
    record = read_json(model / "record.json")
    assert (record["corpus"], record["fold"], record["protocol"], record["origin"]) == (
        "toy",
        "1",
        "clean",
        "synthetic",
    )
    assert record["encoders"] == "frozen"
    assert record["classes"] == ["angry", "happy", "neutral", "sad"]
    assert record["notes"] == ["untrained toy"]
    assert record["settings"]["training"]["epochs"] == 3
    assert record["inputs"][str(toy.folder / "speech.h5")]["encoder"] == "toy speech"
    history = read_csv(model / "history.csv")
    assert [row["epoch"] for row in history] == ["1", "2", "3"]
    best = max(range(3), key=lambda row: float(history[row]["validation_mean_uar"]))
    assert record["best_epoch"] == best + 1
    train = len(read_json(toy.folds)["folds"]["1"]["train"])
    assert (record["trials"], record["epochs"], record["steps"]) == (0, 3, 3 * -(-train // 16))
    with safe_open(model / "model.safetensors", "pt") as file:
        assert file.metadata() == {"origin": "synthetic"}


CHOSEN = "settings chosen by validation scores"


@pytest.mark.parametrize(
    ("words", "notes"),
    [
        (["--trials", "4", "--tuned-on", "1", "2"], [f"{CHOSEN} of folds 1, 2, shared by all folds"]),
        (["--trials", "4", "--tuned-on", "3"], [f"{CHOSEN} of fold 3, shared by all folds"]),
        (["--trials", "4"], [f"{CHOSEN}, shared by all folds"]),
        ([], []),
        (
            ["--trials", "4", "--system", "baseline-dropout-0"],
            [f"{CHOSEN}, shared by all folds", "settings were tuned for baseline itself, not for its variants"],
        ),
        (["--system", "baseline-dropout-0"], []),
    ],
)
def test_a_record_says_whose_scores_chose_the_settings(toy, tmp_path: Path, words: list[str], notes: list[str]) -> None:
    assert run("cmarr", VERBS, [*toy.train_arguments(tmp_path), *words]) == 0
    assert read_json(tmp_path / "record.json")["notes"] == ["untrained toy", *notes]


def test_the_same_seed_gives_the_same_bytes(toy, model: Path, tmp_path: Path) -> None:
    system = read_json(model / "record.json")["system"]
    run("cmarr", VERBS, toy.train_arguments(tmp_path, system))
    assert (tmp_path / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
    other = toy.train_arguments(tmp_path, system)
    other[other.index("--seed") + 1] = "2"
    run("cmarr", VERBS, other)
    assert (tmp_path / "model.safetensors").read_bytes() != (model / "model.safetensors").read_bytes()


@pytest.mark.parametrize("place", ["state", "model"])
def test_a_killed_job_goes_on_and_leaves_no_trace(
    toy, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    """Killed while publishing the state of epoch 2, or between record and model."""
    system = read_json(model / "record.json")["system"]
    out = tmp_path / "seed1"
    with monkeypatch.context() as patch:
        saves = 0

        def killed(*_: object) -> None:
            nonlocal saves
            saves += 1
            if place == "model" or saves == 2:
                raise KeyboardInterrupt
            save_state(*_)

        save_state = TrainingState.save
        patch.setattr("cmarr.training_state.SAVE_SECONDS", 0)
        patch.setattr("cmarr.train.save" if place == "model" else "cmarr.training_state.TrainingState.save", killed)
        assert run("cmarr", VERBS, toy.train_arguments(out, system)) == 130
    assert (tmp_path / ".seed1.state").exists()
    with caplog.at_level("INFO"):
        assert run("cmarr", VERBS, toy.train_arguments(out, system)) == 0
    assert f"going on behind epoch {3 if place == 'model' else 1}" in caplog.text
    for name in ("model.safetensors", "history.csv"):
        assert (out / name).read_bytes() == (model / name).read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["seed1"]


def test_a_second_training_of_the_same_run_is_refused(toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".seed1.state").mkdir()
    other = Lock(tmp_path / ".seed1.state")
    assert run("cmarr", VERBS, toy.train_arguments(tmp_path / "seed1", "baseline")) == 1
    assert f"seed1: process {os.getpid()} on " in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "seed1").exists()
    other.close()
    assert run("cmarr", VERBS, toy.train_arguments(tmp_path / "seed1", "baseline")) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["seed1"]


def test_the_history_grows_while_a_run_trains_and_is_whole_after_a_kill(
    toy, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = read_json(model / "record.json")["system"]
    out = tmp_path / "seed1"
    monkeypatch.setattr("cmarr.training_state.SAVE_SECONDS", 0)
    monkeypatch.setattr("cmarr.history.WRITE_SECONDS", 0)
    with monkeypatch.context() as patch:
        patch.setattr("cmarr.training_state.TrainingState.save", lambda *_: sys.exit(1))
        with pytest.raises(SystemExit):
            run("cmarr", VERBS, toy.train_arguments(out, system))
    whole = (model / "history.csv").read_text().splitlines()
    assert (out / "history.csv").read_text().splitlines() == whole[:2]
    assert run("cmarr", VERBS, toy.train_arguments(out, system)) == 0
    assert (out / "history.csv").read_text().splitlines() == whole


def test_events_are_written_on_request_and_are_no_reason_to_train_anew(
    toy, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    events: dict[str, dict[int, int]] = {}

    class Noted:
        def __init__(self, folder: Path) -> None:
            self.seen = events.setdefault(folder.relative_to(tmp_path).as_posix(), {})

        def __call__(self, history: list[dict[str, object]]) -> None:
            self.seen |= {row: len(history) for row in range(len(history)) if row not in self.seen}

        def close(self) -> None:
            self.seen[-1] = 0

    monkeypatch.setattr("cmarr.train.Events", Noted)
    arguments = toy.train_arguments(tmp_path / "seed1", read_json(model / "record.json")["system"])
    with monkeypatch.context() as patch:
        patch.setattr("cmarr.train.save", lambda *_: sys.exit(1))
        with pytest.raises(SystemExit):
            run("cmarr", VERBS, arguments)
    assert not events
    with caplog.at_level("INFO"):
        assert run("cmarr", VERBS, [*arguments, "--tensorboard", str(tmp_path / "events")]) == 0
    assert "going on behind epoch 3" in caplog.text
    assert events == {f"events/toy/{arguments[4]}/fold1/seed1": {0: 3, 1: 3, 2: 3, -1: 0}}
    assert (tmp_path / "seed1/model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()


@pytest.mark.parametrize("changed", ["settings", "store"])
def test_a_state_of_other_inputs_is_not_gone_on_with(
    toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, changed: str
) -> None:
    stores = tmp_path / "stores"
    stores.mkdir()
    for path in toy.folder.iterdir():
        (stores / path.name).write_bytes(path.read_bytes())
    arguments = toy.train_arguments(tmp_path / "seed1")
    arguments[arguments.index("--stores") + 1] = str(stores)
    with monkeypatch.context() as patch:
        patch.setattr("cmarr.train.save", lambda *_: sys.exit(1))
        with pytest.raises(SystemExit):
            run("cmarr", VERBS, arguments)
    if changed == "settings":
        place = arguments.index("--settings") + 1
        arguments[place] = arguments[place].replace("0.003", "0.002")
    else:
        with FeatureStore(stores / "text.h5") as store:
            items = [(name, Frames(store[name].values * 2, store[name].valid)) for name in store.ids]
            about = {key: value for key, value in store.attributes.items() if key not in ("format", "problems")}
            dim = store.dim
        write_store(stores / "text.h5", dim, items, [len(item.values) for _, item in items], {}, about)
    with caplog.at_level("INFO"):
        assert run("cmarr", VERBS, arguments) == 0
    assert "going on" not in caplog.text


def test_a_protocol_that_looks_at_test_data_says_so(toy, tmp_path: Path) -> None:
    folds = tmp_path / "folds.json"
    arguments = toy.fold_arguments(folds)
    arguments[arguments.index("--protocol") + 1] = "paper_besttest"
    assert run("cmarr", VERBS, arguments) == 0
    arguments = toy.train_arguments(tmp_path / "model")
    arguments[arguments.index("--folds") + 1] = str(folds)
    assert run("cmarr", VERBS, arguments) == 0
    record = read_json(tmp_path / "model/record.json")
    assert (record["protocol"], record["choice"]) == ("paper_besttest", "test")
    assert any("chosen on test data" in note for note in record["notes"])
    assert set(record["scores"]) == {"test_mean_uar", *(f"test_uar_{condition}" for condition in CONDITIONS)}


def test_a_fold_or_settings_that_do_not_exist_are_user_errors(
    toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("cmarr", VERBS, toy.train_arguments(tmp_path / "model", fold="9")) == 1
    assert "folds.json: has no '9'" in capsys.readouterr().err
    arguments = toy.train_arguments(tmp_path / "model")
    arguments[arguments.index("--settings") + 1] = "{size: tiny}"
    assert run("cmarr", VERBS, arguments) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: --system, --settings or --features")


def test_predictions_cover_the_test_fold_with_probabilities(toy, model: Path, tmp_path: Path) -> None:
    assert run("cmarr", VERBS, toy.predict_arguments(model, tmp_path)) == 0
    for condition in CONDITIONS:
        rows = read_csv(tmp_path / f"{condition}.csv")
        assert ",".join(rows[0]) == "utterance,dialogue,speaker,label,p_angry,p_happy,p_neutral,p_sad,origin"
        assert [row["utterance"] for row in rows] == read_json(toy.folds)["folds"]["1"]["test"]
        found = np.array([[float(row[f"p_{name}"]) for name in ("angry", "happy", "neutral", "sad")] for row in rows])
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
        assert {row["origin"] for row in rows} == {"synthetic"}


def test_a_missing_modality_is_not_even_opened(toy, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "stores"
    folder.mkdir()
    for name in ("text", "video"):
        (folder / f"{name}.h5").symlink_to(toy.folder / f"{name}.h5")
    arguments = toy.predict_arguments(model, tmp_path / "without", "vt", "v")
    arguments[arguments.index("--stores") + 1] = str(folder)
    assert run("cmarr", VERBS, arguments) == 0
    run("cmarr", VERBS, toy.predict_arguments(model, tmp_path / "with"))
    for name in ("vt.csv", "v.csv"):
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()
    assert len(list((tmp_path / "without").iterdir())) == 2


def test_test_features_change_no_weight_and_no_statistic(toy, model: Path, tmp_path: Path) -> None:
    for path in toy.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    test = set(read_json(toy.folds)["folds"]["1"]["test"])
    with h5py.File(tmp_path / "speech.h5", "r+") as file:
        for row, name in enumerate(file["ids"].asstr()[:]):
            if name in test:
                file["values"][file["offsets"][row] : file["offsets"][row + 1]] = 1e6  # breaks the checksum as well
    arguments = toy.train_arguments(tmp_path / "model", read_json(model / "record.json")["system"])
    arguments[arguments.index("--stores") + 1] = str(tmp_path)
    assert run("cmarr", VERBS, arguments) == 0
    assert (tmp_path / "model/model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()


def test_input_statistics_are_those_of_the_training_frames(toy, model: Path) -> None:
    """Of the utterances that are trained on: neither those of the test nor those of the validation."""
    fold = read_json(toy.folds)["folds"]["1"]
    with safe_open(model / "model.safetensors", "pt") as file, FeatureStore(toy.folder / "text.h5") as store:
        frames = np.concatenate([store[name].values for name in fold["train"]]).astype(np.float64)
        np.testing.assert_allclose(file.get_tensor("input.text.mean"), frames.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(file.get_tensor("input.text.deviation"), frames.std(axis=0), rtol=1e-5)
        more = [*frames, *(row for name in fold["validation"] for row in store[name].values)]
    assert abs(np.mean(more, axis=0) - frames.mean(axis=0)).max() > 1e-3


def test_speech_is_averaged_where_a_system_asks_for_it(toy, tmp_path: Path) -> None:
    weights = []
    for pool in (1, 5):
        arguments = toy.train_arguments(tmp_path / str(pool), "mmin")
        once = {"epochs": 1}
        settings = {"speech_pool": pool, "embedding": 4, "cascade_layers": [4], "teacher": once, "training": once}
        arguments[arguments.index("--settings") + 1] = json.dumps(settings)
        assert run("cmarr", VERBS, arguments) == 0
        weights.append((tmp_path / str(pool) / "model.safetensors").read_bytes())
    assert weights[0] != weights[1]


def test_a_damaged_model_is_a_user_error(toy, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("model.safetensors", "record.json"):
        (tmp_path / name).write_bytes((model / name).read_bytes()[: 200 if name.startswith("model") else None])
    assert run("cmarr", VERBS, toy.predict_arguments(tmp_path, tmp_path / "out", "t")) == 1
    assert "model.safetensors: not a readable model" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
