from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from extractors.__main__ import VERBS
from extractors.console import run
from extractors.denseface import network
from extractors.files import read_csv, read_json, sha256

ROOT = Path(__file__).resolve().parents[3]
RECIPE = {"epochs": 2, "batch": 16, "sides": [16], "average": 0.5}


def command(files: tuple[Path, Path], out: Path, **recipe: object) -> list[str]:
    words = ["denseface", "train", "--images", str(files[0]), "--votes", str(files[1]), "--out-dir", str(out)]
    return [*words, "--device", "cpu", "--recipe", json.dumps(RECIPE | recipe)]


def test_outputs_and_what_they_say(small_ferplus: tuple[Path, Path], tmp_path: Path) -> None:
    assert run("extractors", VERBS, command(small_ferplus, tmp_path)) == 0
    names = {"weights.safetensors", "record.json", "curve.csv", "curve.png"}
    assert {path.name for path in tmp_path.iterdir()} == names
    record = read_json(tmp_path / "record.json")
    assert record["rows"] == {"train": 96, "valid": 24}
    assert record["steps"] == 12
    assert record["weights_sha256"] == sha256(tmp_path / "weights.safetensors")
    assert record["recipe"]["targets"] == "cross_entropy"
    assert record["versions"]["torch"] == version("torch")
    curve = read_csv(tmp_path / "curve.csv")
    assert [float(row["epoch"]) for row in curve] == [1, 2]
    assert float(curve[-1]["valid_accuracy"]) == record["last"]["valid_accuracy"]
    model, name = network.load(tmp_path / "weights.safetensors")
    assert name == f"ferplus:{record['weights_sha256'][:12]}"
    assert not model.training
    assert network.recipe(tmp_path / "weights.safetensors").epochs == 2


def test_a_killed_training_ends_with_the_same_weights(small_ferplus: tuple[Path, Path], tmp_path: Path) -> None:
    """Killed with the signal that nothing survives, as soon as there is a checkpoint."""
    words = [sys.executable, "-m", "extractors"]
    whole, broken = (command(small_ferplus, tmp_path / name, epochs=4) for name in ("whole", "broken"))
    job = subprocess.Popen([*words, *broken, "--checkpoint-seconds", "0"], cwd=ROOT, stderr=subprocess.DEVNULL)
    memory = tmp_path / "broken/checkpoint.safetensors"
    while not memory.is_file():
        assert job.poll() is None
        time.sleep(0.02)
    os.kill(job.pid, signal.SIGKILL)
    job.wait()
    assert not (tmp_path / "broken/weights.safetensors").exists()
    again = subprocess.run([*words, *broken], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "going on after step" in again.stderr
    assert not memory.exists()
    assert run("extractors", VERBS, whole) == 0
    for name in ("weights.safetensors", "curve.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "broken" / name).read_bytes()


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"epoch": 3}, "error: denseface.recipe.epoch: unknown key; correct the configuration"),
        ({"sides": [20]}, "error: denseface.recipe.sides: each side is 16 or more and a multiple of 8"),
        ({"batch": 128}, "96 usable train rows, 128 needed; name the whole data set, or lower denseface.recipe.batch"),
        ({"learning_rate": 1e30}, "the loss is nan at step 2; lower denseface.recipe.learning_rate"),
    ],
)
def test_mistakes_are_one_line(
    small_ferplus: tuple[Path, Path],
    tmp_path: Path,
    recipe: dict[str, object],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("extractors", VERBS, command(small_ferplus, tmp_path, **recipe)) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("weights*"))
