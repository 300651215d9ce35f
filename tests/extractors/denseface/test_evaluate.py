from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from extractors import ferplus
from extractors.__main__ import VERBS
from extractors.console import run
from extractors.denseface.evaluate import measure, report
from extractors.denseface.network import Denseface, load, recipe
from extractors.denseface.training import SIDE, logits, rows
from extractors.ferplus_targets import EMOTIONS
from extractors.files import read_csv, read_json, sha256
from extractors.settings import DensefaceRecipe

REAL = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "ferplus"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    torch.manual_seed(0)
    save_file(Denseface().state_dict(), path, {"recipe": DensefaceRecipe().model_dump_json()})
    return path


def evaluate(files: tuple[Path, Path], weights: Path, *extra: str) -> int:
    words = ["denseface", "evaluate", "--images", str(files[0]), "--votes", str(files[1])]
    return run("extractors", VERBS, [*words, "--weights", str(weights), "--device", "cpu", *extra])


def test_measures_against_counting() -> None:
    truth = np.array([0, 0, 0, 1, 1, 4])
    chosen = np.array([0, 0, 2, 1, 0, 3])
    found = measure(truth, chosen)
    assert found["accuracy"] == pytest.approx(50)
    assert found["recall"] == {
        **dict.fromkeys(EMOTIONS),
        "neutral": pytest.approx(200 / 3),
        "happiness": pytest.approx(50),
        "anger": 0,
    }
    assert found["mean_class_recall"] == pytest.approx((200 / 3 + 50 + 0) / 3)
    for label, row in enumerate(found["confusion"]):
        for guess, number in enumerate(row):
            assert number == sum(t == label and c == guess for t, c in zip(truth, chosen, strict=True))
    lines = report(found)
    assert lines[0] == "6 faces: accuracy 50.00 %, mean class recall 38.89 %"
    assert lines[2].split() == ["neutral", "66.67", "3"]
    assert lines[4].split() == ["surprise", "-", "0"]


def test_scores_follow_from_the_predictions(
    small_ferplus: tuple[Path, Path], weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(small_ferplus, weights, "--out-dir", str(tmp_path)) == 0
    scores, table = read_json(tmp_path / "scores.json"), read_csv(tmp_path / "predictions.csv")
    assert scores["weights_sha256"] == sha256(weights)
    assert [int(row["row"]) for row in table] == list(range(96, 120))
    assert [row["label"] for row in table] == list(EMOTIONS) * 3
    right = [row["label"] == row["predicted"] for row in table]
    assert scores["accuracy"] == pytest.approx(100 * np.mean(right))
    for row in table:
        shares = {name: float(row[f"p_{name}"]) for name in EMOTIONS}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
        assert shares[row["predicted"]] == max(shares.values())
    assert f"accuracy {scores['accuracy']:.2f} %" in capsys.readouterr().out
    assert (tmp_path / "confusion.png").stat().st_size > 10_000


@pytest.mark.skipif(not REAL.is_dir(), reason="needs FER+")
def test_the_shipped_weights_know_faces_that_they_were_not_trained_on() -> None:
    faces = ferplus.read(REAL / "fer2013.csv.gz", REAL / "fer2013new.csv")
    valid = rows(faces, "valid", "majority", torch.device("cpu"))
    model, _ = load()
    found = logits(model, valid.pictures[:300], SIDE, recipe()).argmax(1)
    assert (found == valid.targets[:300].argmax(1).numpy()).mean() >= 0.8
    assert recipe() == DensefaceRecipe()


def test_a_split_without_rows_and_foreign_weights(
    small_ferplus: tuple[Path, Path], weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(small_ferplus, weights, "--split", "test") == 1
    assert "no row with Usage PrivateTest; choose another --split" in capsys.readouterr().err
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    assert evaluate(small_ferplus, tmp_path / "x.safetensors") == 1
    assert "has no weights of Denseface" in capsys.readouterr().err
