from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from extractors.__main__ import VERBS
from extractors.console import run
from extractors.denseface import timeline
from extractors.denseface.network import Denseface, load
from extractors.denseface.timeline import Clip, Look, draw, look
from extractors.describer import Describer, Face
from extractors.faces import Detector, cut
from extractors.ferplus_targets import EMOTIONS
from extractors.files import read_csv
from extractors.settings import VideoEncoder
from extractors.shard import UnreadableError

Writer = Callable[[Path, Sequence[Any], str], None]
SETTINGS = VideoEncoder(frames_per_second=5, min_face=60)


class Spy(Describer):
    """Sees a face that fills the picture in every frame that is not black; all emotions are as probable."""

    def __init__(self) -> None:
        self.settings = SETTINGS
        self.device = torch.device("cpu")
        self.batches: list[int] = []
        self.detector: Any = self.detect
        self._moments = []

    def emotions(self, faces: Any) -> Any:
        return np.full((len(faces), len(EMOTIONS)), 1 / len(EMOTIONS))

    def detect(self, frames: Any) -> list[tuple[Any, Any]]:
        self.batches.append(len(frames))
        box = np.array([[0.0, 0, frames.shape[2], frames.shape[1]]])
        return [(box, np.array([0.97])) if frame.max() > 20 else (np.zeros((0, 4)), np.zeros(0)) for frame in frames]


def seen(*emotions: float) -> Look:
    return Look(Face(np.array([1.0, 2, 3, 4]), 0.97, torch.full((64, 64), 7)), np.array(emotions, np.float32))


def timeline_verb(*words: object) -> int:
    return run("extractors", VERBS, ["denseface", "timeline", "--device", "cpu", *map(str, words)])


def test_tables_and_picture_of_a_film(
    tmp_path: Path, write_avi: Writer, face: Any, caplog: pytest.LogCaptureFixture
) -> None:
    weights, film, bad, out = (tmp_path / name for name in ("w.safetensors", "a.avi", "bad.avi", "out"))
    torch.manual_seed(0)
    save_file(Denseface().state_dict(), weights)
    write_avi(film, [face, face, face, np.zeros_like(face)], "5")
    bad.write_bytes(b"no video")
    settings = SETTINGS.model_copy(update={"weights": str(weights)})
    assert timeline_verb(bad, film, "--out-dir", out, "--settings", settings.model_dump_json()) == 0

    assert {path.name for path in out.iterdir()} == {"a.csv", "a.png", "timeline.csv"}
    rows = read_csv(out / "a.csv")
    assert [(row["seconds"], row["valid"]) for row in rows] == [("0.0", "1"), ("0.2", "1"), ("0.4", "1"), ("0.6", "0")]
    assert set(list(rows[3].values())[2:]) == {""}
    frame = next(iter(timeline.frames(film, [0], 5)))[1]
    ((boxes, likely),) = Detector(60, torch.device("cpu"))(frame[None])
    logits = load(weights)[0](((cut(frame, boxes[0], SETTINGS.margin) - SETTINGS.mean) / SETTINGS.std)[None, None])
    expected = [likely[0], *boxes[0], *logits.softmax(1)[0]]
    np.testing.assert_allclose([float(text) for text in list(rows[0].values())[2:]], expected, rtol=0, atol=0.06)
    shares = [float(rows[0][name]) for name in EMOTIONS]
    np.testing.assert_allclose(shares, expected[5:], rtol=0, atol=1e-3)
    with Image.open(out / "a.png") as picture:
        assert picture.size == (1650, 735)

    first, second = read_csv(out / "timeline.csv")
    assert (first["file"], first["frames"]) == (str(bad), "")
    assert first["problem"] in caplog.text
    assert "cannot be opened as a video" in first["problem"]
    mean = np.mean([[float(row[name]) for name in EMOTIONS] for row in rows[:3]], 0)
    assert second == {
        "file": str(film),
        "seconds": "0.8",
        "frames": "4",
        "faces": "3",
        "faces_percent": "75.0",
        "emotion": EMOTIONS[int(mean.argmax())],
        "emotion_percent": second["emotion_percent"],
        "problem": "",
    }
    assert float(second["emotion_percent"]) == pytest.approx(100 * mean.max(), abs=0.1)


def test_what_cannot_be_decoded_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.full((64, 128, 3), 60, np.uint8)
    monkeypatch.setattr(timeline, "frames", lambda *_: ((tick, None if tick == 2 else picture) for tick in range(4)))
    clip = look(tmp_path / "a.avi", "full", Spy())
    assert [(tick, found is None) for tick, found in clip.looks.items()] == [(k, k == 2) for k in range(4)]
    monkeypatch.setattr(timeline, "frames", lambda *_: ((tick, None) for tick in range(4)))
    with pytest.raises(UnreadableError, match="no decodable frame"):
        look(tmp_path / "a.avi", "full", Spy())


@pytest.mark.parametrize(("crop", "grey"), [("left", 60), ("right", 180), ("full", 120)])
def test_looks_at_the_part_in_batches(tmp_path: Path, write_avi: Writer, crop: str, grey: int) -> None:
    picture = np.full((64, 128, 3), 60, np.uint8)
    picture[:, 64:] = 180
    write_avi(tmp_path / "a.avi", [picture * (number != 3) for number in range(35)], "5")
    spy = Spy()
    clip = look(tmp_path / "a.avi", crop, spy)
    assert spy.batches == [32, 3]
    assert list(clip.looks) == list(range(35))
    assert [tick for tick, found in clip.looks.items() if found is None] == [3]
    found = clip.faces[20]
    assert found.face.grey.shape == (64, 64)
    assert found.face.grey.mean().item() == pytest.approx(grey, abs=4)
    assert found.face.probability == 0.97
    assert found.emotions == pytest.approx([1 / 8] * 8)


def test_a_film_without_frames_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "frames", lambda *_: iter(()))
    with pytest.raises(UnreadableError, match=r"a\.avi has no decodable frame"):
        look(Path("a.avi"), "full", Spy())


@pytest.mark.parametrize(
    ("videos", "message"),
    [
        (("x/a.avi", "x/b.avi", "y/a.mp4"), "y/a.mp4: its files would overwrite those of x/a.avi"),
        (("a.avi", "a.avi"), "a.avi: its files would overwrite those of a.avi"),
        (("x/timeline.avi",), "x/timeline.avi: its files would overwrite those of timeline.csv"),
    ],
)
def test_names_that_collide_are_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], videos: tuple[str, ...], message: str
) -> None:
    assert timeline_verb(*videos, "--out-dir", tmp_path / "out") == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_summary_of_hand_made_looks() -> None:
    rest = [0.0] * 6
    clip = Clip({0: seen(0.8, 0.2, *rest), 1: None, 3: seen(0.1, 0.9, *rest)}, 10)
    assert list(clip.summary().values()) == [0.4, 3, 2, 66.7, "happiness", 55.0]
    assert list(Clip({0: None}, 10).summary().values()) == [0.1, 1, 0, 0.0, "", ""]


def test_picture_has_gaps_where_no_face_is() -> None:
    """24 ticks of 0.1 s, of which 8 to 11 are without a face and 12 to 15 were not decoded."""
    face = seen(0.6, 0.1, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05)
    figure = draw(
        "a.avi", Clip({tick: face if tick // 4 != 2 else None for tick in range(24) if tick // 4 != 3}, 10), "w"
    )
    crops, areas = figure.axes
    assert [image.get_extent()[0] for image in crops.images] == pytest.approx(
        [0.03, 1.03, 2.03, 3.03, *np.arange(8.03, 12)]
    )
    words = [text.get_text() for text in crops.texts]
    assert words == ["neutral 60 %"] * 4 + ["no face"] * 4 + ["neutral 60 %"] * 4
    assert len(areas.collections) == 2 * len(EMOTIONS)  # areas and squares of the key
    vertices = np.concatenate([path.vertices for path in areas.collections[0].get_paths()])
    assert sorted(set(np.round(vertices[:, 0], 6))) == pytest.approx([*np.arange(9) / 10, *np.arange(16, 25) / 10])
    assert set(np.round(vertices[:, 1], 6)) == {0.0, 0.6}
    title, facts, weights = [text.get_text() for text in figure.texts]
    assert (title, weights) == ("a.avi", "w")
    assert facts == "2.4 s, 20 frames looked at, face in 80 % of them (gaps: none found); on average neutral 60 %"


def test_picture_of_a_film_without_a_face(tmp_path: Path) -> None:
    figure = draw("a.avi", Clip({0: None, 1: None}, 10), "w")
    assert figure.texts[1].get_text().endswith("no face")
    assert not figure.axes[0].images
    figure.savefig(tmp_path / "a.png")
