from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from extractors.__main__ import VERBS
from extractors.console import run
from extractors.show import draw, measure
from extractors.store import Frames, write_store

LENGTHS = [40, 10, 0, 30, 20, 0]
PROBLEMS = {"u2": "no face in any of its 12 frames", "u5": "no face in any of its 7 frames"}


def items() -> list[tuple[str, Frames]]:
    """Dimension 1 is constant, dimension 2 is zero; a quarter of u3 is not valid and nothing of u1."""
    found = []
    for row, length in enumerate(LENGTHS):
        values = np.random.default_rng(row).normal(5, 2, (length, 3)).astype(np.float32)
        values[:, 1:] = 3, 0
        valid = np.arange(length) >= {1: 10, 3: 7.5}.get(row, 0)
        values[~valid] = 0
        found.append((f"u{row}", Frames(values, valid)))
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "video.h5"
    attributes = {
        "modality": "video",
        "encoder": "denseface",
        "weights_sha256": "abc",
        "origin": "synthetic",
        "manifest_sha256": "def",
        "settings": json.dumps({"precision": "bf16", "frames_per_second": 10.0, "weights": None}),
        "versions": json.dumps({"torch": "2.0"}),
    }
    write_store(file, 3, items(), LENGTHS, PROBLEMS, attributes, "float16")
    return file


def test_figures_are_those_of_a_plain_computation(path: Path) -> None:
    content = measure(path)
    kept = np.concatenate([item.values[item.valid] for _, item in items()]).astype(np.float16).astype(np.float64)
    assert content.mean == pytest.approx(kept.mean())
    assert content.deviation == pytest.approx(kept.std())
    assert content.low.tolist() == kept.min(0).tolist()
    assert content.high.tolist() == kept.max(0).tolist()
    assert content.extents.tolist() == [4, 1, 3, 2]
    assert content.coverage.tolist() == pytest.approx([100, 0, 0, 100 * 22 / 30, 100, 0])
    assert content.share == pytest.approx(82)


def test_the_printed_lines(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("extractors", VERBS, ["show", str(path)]) == 0
    shown = capsys.readouterr().out
    for line in (
        f"{path}: video, origin synthetic",
        "encoder     denseface, weights sha256 abc",
        "precision   bf16, stored as float16",
        "settings    frames_per_second 10.0\n",
        "versions    torch 2.0",
        "utterances  6, 2 without features",
        "2 x no face in any of its # frames",
        "frames      100 of 3 values, 0.0 MB",
        "shortest 1, median 2.5, mean 2.5, 90 % up to 3.7, longest 4 seconds",
        "82.0 % of frames are with a face; 3 utterances (50.0 %) have none",
        "2 of 3 dimensions constant, 1 of them zero",
        f"picture: {path.with_suffix('.png')}",
    ):
        assert line in shown
    with Image.open(path.with_suffix(".png")) as picture:
        assert picture.info["Description"] == "origin: synthetic"


def test_one_picture_of_several_stores(path: Path) -> None:
    other = path.with_name("text.h5")
    write_store(other, 2, [("a", Frames(np.ones((7, 2), np.float32), np.ones(7, np.bool_)))], [7], {}, {})
    out = path.with_name("all.png")
    assert run("extractors", VERBS, ["show", str(path), str(other), "--out", str(out)]) == 0
    assert sorted(file.name for file in path.parent.iterdir()) == ["all.png", "text.h5", "video.h5"]
    figure = draw([measure(path), measure(other)])
    bars = [[patch.get_height() for patch in panel.patches] for panel in figure.axes]
    assert [sum(heights) for heights in bars] == [4, 6, 1, 1]
    assert bars[1][0] == 3
    assert [panel.get_xlabel() for panel in figure.axes[::2]] == [
        "length of an utterance (seconds)",
        "length of an utterance (frames)",
    ]
    assert figure.axes[0].get_title(loc="left") == "video.h5 (synthetic), 6 utterances, denseface"


def test_a_store_without_any_features(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text.h5"
    write_store(path, 2, [("a", Frames(np.zeros((0, 2), np.float32), np.zeros(0, np.bool_)))], [0], {"a": "why"}, {})
    assert run("extractors", VERBS, ["show", str(path)]) == 0
    assert "frames      0 of 2 values" in capsys.readouterr().out


def test_a_damaged_store(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw.replace(np.array([3, 0], np.float16).tobytes(), b"\1\1\1\1"))
    assert run("extractors", VERBS, ["show", str(path)]) == 1
    assert "damaged at u0" in capsys.readouterr().err
    assert not path.with_suffix(".png").exists()
