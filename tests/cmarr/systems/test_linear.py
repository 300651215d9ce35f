from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cmarr.__main__ import VERBS
from cmarr.choice import Choice
from cmarr.data import Dataset, Packed
from cmarr.engine import probabilities
from cmarr.learning import Run, draw, panels_of
from cmarr.settings import Linear
from cmarr.vocabulary import CONDITIONS, present
from extractors.console import run
from extractors.files import UserError, read_csv, read_json
from tests.cmarr.systems.solved_data import JUDGED, TEST, TRAIN, dataset, means, solved

ROOT = Path(__file__).resolve().parents[3]
NO_ROWS = Choice("none", "mean_uar")
GRID = (0.001, 0.01, 0.1, 1.0)


def changed(data: Dataset, modality: str, rows: torch.Tensor) -> Dataset:
    """With other features of some utterances in a modality."""
    packed = data.packed[modality]
    values = packed.values.clone()
    for row in rows.tolist():
        values[packed.offsets[row] : packed.offsets[row + 1]] *= -3
    return replace(data, packed=data.packed | {modality: Packed(values, packed.offsets, packed.absent)})


@pytest.mark.parametrize("class_weight", ["balanced", "none"])
def test_is_what_a_pipeline_of_scikit_learn_is(class_weight: str, tmp_path: Path) -> None:
    """Per condition: the scores of each C, the C that is kept, and probabilities of utterances never seen."""
    data = dataset(0.25)
    settings = Linear.model_validate({"c": GRID[::-1], "class_weight": class_weight})
    system, outcome = solved("linear", settings, data, tmp_path)
    labels = data.labels.numpy()
    for condition in CONDITIONS:
        x, models, scores = means(data, present(condition)), {}, {}
        for c in GRID:
            weight = class_weight if class_weight == "balanced" else None
            logistic = LogisticRegression(C=c, class_weight=weight, tol=1e-8, max_iter=10_000)
            models[c] = make_pipeline(StandardScaler(), logistic).fit(x[TRAIN], labels[TRAIN])
            scores[c] = 100 * recall_score(labels[JUDGED], models[c].predict(x[JUDGED]), average="macro")
        rows = [row for row in outcome.history if row["stage"] == condition]
        assert [row["candidate"] for row in rows] == list(GRID)
        assert [row["validation_mean_uar"] for row in rows] == pytest.approx([scores[c] for c in GRID], abs=2.5)
        (kept,) = (row["candidate"] for row in rows if row["kept"])
        own = {row["candidate"]: row["validation_mean_uar"] for row in rows}
        assert kept == min(c for c in GRID if own[c] == max(own.values()))
        found = probabilities(system, data, TEST, condition).numpy()
        np.testing.assert_allclose(found, models[kept].predict_proba(x[TEST]), atol=0.01)
        assert outcome.history[-1][f"validation_uar_{condition}"] == pytest.approx(own[kept], abs=1e-9)
        right = (found.argmax(1) == labels[TEST]).mean()
        assert right > max(np.bincount(labels[TEST])) / len(TEST) - (0.15 if class_weight == "balanced" else 0.05)


def test_recognises_utterances_it_has_not_seen(tmp_path: Path) -> None:
    data = dataset(3.0)
    system, _ = solved("linear", Linear(), data, tmp_path)
    for condition in CONDITIONS:
        guesses = probabilities(system, data, TEST, condition).argmax(1)
        assert (guesses == data.labels[TEST]).float().mean() > 0.9, condition


@pytest.mark.parametrize("rows", [JUDGED, TEST])
def test_only_training_utterances_make_statistics_and_weights(rows: torch.Tensor, tmp_path: Path) -> None:
    data, settings = dataset(), Linear(c=(0.01,))
    _, before = solved("linear", settings, data, tmp_path)
    _, after = solved("linear", settings, changed(data, "speech", rows), tmp_path)
    assert all(torch.equal(before.best[name], after.best[name]) for name in before.best)
    _, other = solved("linear", settings, changed(data, "speech", TRAIN[:60]), tmp_path)
    assert not torch.equal(before.best["speech_deviation"], other.best["speech_deviation"])


def test_statistics_are_those_of_the_means_over_time(tmp_path: Path) -> None:
    data = dataset()
    data.packed["video"].values[:, 2] = 7.0
    _, outcome = solved("linear", Linear(), data, tmp_path)
    for modality in data.packed:
        x = means(data, [modality])[TRAIN]
        np.testing.assert_allclose(outcome.best[f"{modality}_mean"], x.mean(0), rtol=1e-4)
        deviation = np.where(x.std(0) > 1e-8, x.std(0), 1)
        np.testing.assert_allclose(outcome.best[f"{modality}_deviation"], deviation, rtol=1e-4)
    assert outcome.best["video_deviation"][2] == 1
    assert all(value.isfinite().all() for value in outcome.best.values())


def test_a_condition_does_not_see_the_modalities_that_it_lacks(tmp_path: Path) -> None:
    data = dataset()
    data.packed["text"].values[:, 0] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        solved("linear", Linear(), data, tmp_path)
    data = dataset()
    _, before = solved("linear", Linear(), data, tmp_path)
    _, after = solved("linear", Linear(), changed(data, "text", TRAIN[::2]), tmp_path)
    for condition in CONDITIONS:
        same = torch.equal(before.best[f"maps.{condition}.weight"], after.best[f"maps.{condition}.weight"])
        assert same == ("t" not in condition), condition


def test_equal_scores_take_the_smaller_c(tmp_path: Path) -> None:
    data = dataset(20.0)
    _, outcome = solved("linear", Linear(c=(1.0, 0.1, 10.0)), data, tmp_path)
    for condition in CONDITIONS:
        rows = [row for row in outcome.history if row["stage"] == condition]
        assert {row["validation_mean_uar"] for row in rows} == {100.0}
        assert [(row["candidate"], row["kept"]) for row in rows] == [(0.1, 1), (1.0, 0), (10.0, 0)]


def test_without_utterances_that_choose_there_is_one_c(tmp_path: Path) -> None:
    data = dataset()
    system, outcome = solved("linear", Linear(c_unchosen=0.02), data, tmp_path, NO_ROWS)
    assert [(row["stage"], row.get("candidate")) for row in outcome.history] == [
        *((condition, 0.02) for condition in CONDITIONS), ("all", None),
    ]  # fmt: skip
    assert not any("uar" in key for row in outcome.history for key in row)
    only, _ = solved("linear", Linear(c=(0.02,)), data, tmp_path)
    assert torch.equal(*(probabilities(each, data, TEST, "svt") for each in (system, only)))


@pytest.mark.parametrize("known", [[0, 1], [0, 2], [1, 2]])
def test_a_class_that_training_lacks_is_never_guessed(known: list[int], tmp_path: Path) -> None:
    data = dataset(3.0)
    train = TRAIN[torch.isin(data.labels[TRAIN], torch.tensor(known))]
    system, _ = solved("linear", Linear(), data, tmp_path, train=train)
    rows = TEST[torch.isin(data.labels[TEST], torch.tensor(known))]
    for condition in CONDITIONS:
        found = probabilities(system, data, rows, condition)
        assert (found[:, [c for c in range(3) if c not in known]] == 0).all()
        assert (found.argmax(1) == data.labels[rows]).float().mean() > 0.9
    x = means(data, ["speech"])
    logistic = LogisticRegression(C=0.01, class_weight="balanced", tol=1e-8)
    model = make_pipeline(StandardScaler(), logistic).fit(x[train], data.labels[train])
    system, _ = solved("linear", Linear(c=(0.01,)), data, tmp_path, train=train)
    found = probabilities(system, data, rows, "s")[:, known].numpy()
    np.testing.assert_allclose(found, model.predict_proba(x[rows]), atol=0.01)


def test_one_class_is_a_user_error(tmp_path: Path) -> None:
    data = dataset()
    with pytest.raises(UserError, match="one class"):
        solved("linear", Linear(), data, tmp_path, train=TRAIN[data.labels[TRAIN] == 1])


def test_an_unfinished_search_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("cmarr.systems.linear.MOST_ITERATIONS", 2)
    solved("linear", Linear(c=(1.0,)), dataset(), tmp_path)
    assert "t, C 1: stopped after 2 iterations, before its optimum" in caplog.text


@pytest.fixture(scope="module")
def model(toy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("linear") / "seed1"
    assert run("cmarr", VERBS, [*with_settings(toy.train_arguments(out, "linear"), {}), "--trials", "3"]) == 0
    return out


def with_settings(arguments: list[str], settings: dict[str, object]) -> list[str]:
    arguments[arguments.index("--settings") + 1] = json.dumps(settings)
    return arguments


def test_history_and_record_say_what_was_tried(model: Path) -> None:
    history, record = read_csv(model / "history.csv"), read_json(model / "record.json")
    assert list(history[0]) == [
        "stage", "candidate", "iterations", "kept", *(f"validation_uar_{condition}" for condition in CONDITIONS[:1]),
        "validation_mean_uar", *(f"validation_uar_{condition}" for condition in CONDITIONS[1:]), "origin",
    ]  # fmt: skip
    assert len(history) == 7 * 7 + 1
    assert sum(row["kept"] == "1" for row in history) == 7
    assert (record["trials"], record["candidates"]) == (3, 7)
    assert not {"epochs", "steps", "best_epoch"} & set(record)
    assert record["parameters"] == sum(4 * (1 + 4 * dims) for dims in (6, 8, 5)) + 4 * 4
    assert set(record["scores"]) == {"validation_mean_uar", *(f"validation_uar_{c}" for c in CONDITIONS)}
    kept = {row["stage"]: float(row["validation_mean_uar"]) for row in history if row["kept"] == "1"}
    assert record["scores"]["validation_mean_uar"] == pytest.approx(np.mean(list(kept.values())))
    assert [path.name for path in model.parent.iterdir()] == ["seed1"]


def test_the_same_bytes_with_every_seed(toy, model: Path, tmp_path: Path) -> None:
    arguments = with_settings(toy.train_arguments(tmp_path / "seed2", "linear"), {})
    arguments[arguments.index("--seed") + 1] = "2"
    assert run("cmarr", VERBS, arguments) == 0
    assert (tmp_path / "seed2/model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()


def test_a_killed_job_starts_anew_and_leaves_no_trace(
    toy, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    arguments = with_settings(toy.train_arguments(tmp_path / "seed1", "linear"), {})
    for place in ("cmarr.systems.linear.LinearSystem.solve", "cmarr.train.save"):
        with monkeypatch.context() as patch:
            patch.setattr(place, killed)
            assert run("cmarr", VERBS, arguments) != 0
    assert run("cmarr", VERBS, arguments) == 0
    assert (tmp_path / "seed1/model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["seed1"]


def test_the_model_predicts_without_scikit_learn(toy, model: Path, tmp_path: Path) -> None:
    with safe_open(model / "model.safetensors", "pt") as file:
        names = set(file.keys())
    assert {f"system.maps.{condition}.weight" for condition in CONDITIONS} < names
    code = (
        "import sys; from extractors.console import run; from cmarr.__main__ import VERBS\n"
        "assert run('cmarr', VERBS, sys.argv[1:]) == 0; assert 'sklearn' not in sys.modules"
    )
    arguments = toy.predict_arguments(model, tmp_path)
    subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, check=True, capture_output=True)
    for condition in CONDITIONS:
        rows = read_csv(tmp_path / f"{condition}.csv")
        right = [max(row, key=lambda key: float(row[key]) if key[:2] == "p_" else -1) for row in rows]
        hits = [f"p_{row['label']}" == guess for row, guess in zip(rows, right, strict=True)]
        assert np.mean(hits) > 0.6, condition


def test_its_curves_are_drawn_against_c(model: Path, tmp_path: Path) -> None:
    one = Run(read_json(model / "record.json"), read_csv(model / "history.csv"))
    assert [stage for stage, _ in panels_of([one])] == list(CONDITIONS)
    panel = draw([one]).axes[0]
    curve, dot = (line for line in panel.lines if len(line.get_xdata()))
    assert list(curve.get_xdata()) == list(Linear().c)
    assert len(dot.get_xdata()) == 1
    assert panel.get_xscale() == "log"
    arguments = ["learning", "--models", str(model / "history.csv"), "--out", str(tmp_path / "linear.png")]
    assert run("cmarr", VERBS, arguments) == 0
