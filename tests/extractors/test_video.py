from __future__ import annotations

import json
import time
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from extractors import video
from extractors.decode import frames
from extractors.denseface.network import DIM, load
from extractors.describer import Describer
from extractors.faces import Detector, Follower, cut
from extractors.settings import VideoEncoder
from extractors.store import FeatureStore
from tests.extractors.test_upright import MATRICES, turned_by, write

pytestmark = pytest.mark.usefixtures("one_thread")
Writer = Callable[[Path, Sequence[Any], str], None]
SETTINGS = VideoEncoder(frames_per_second=5, min_face=60)


@pytest.fixture
def settings(denseface_weights: Path) -> VideoEncoder:
    return SETTINGS.model_copy(update={"weights": str(denseface_weights)})


def screen(left: Any, right: Any) -> Any:
    """A split-screen picture of 481 columns: 240 on the left, 241 on the right."""
    picture = np.zeros((240, 481, 3), np.uint8)
    for place, part in ((0, left), (241, right)):
        if part is not None:
            picture[:, place : place + 240] = part
    return picture


class Spy(Describer):
    """A describer whose feature is the mean colour of the picture, and that remembers what it was shown."""

    def __init__(self) -> None:
        self.settings = SETTINGS
        self.device = torch.device("cpu")
        self.batches: list[list[tuple[int, ...]]] = []
        self.ticks: dict[Follower, list[int]] = {}

    def __call__(self, ticks: Any, images: Any, followers: Any) -> Any:
        self.batches.append([picture.shape for picture in images])
        for tick, follower in zip(ticks, followers, strict=True):
            self.ticks.setdefault(follower, []).append(tick)
        return [np.full(DIM, picture.mean(), np.float32) for picture in images]


def extracted(small: Any, describer: Any) -> dict[str, Any]:
    return dict(video.extract(small.root, small.rows, describer))


@pytest.mark.parametrize("marked", ["F", "M"])
@pytest.mark.parametrize("speaker", ["F", "M"])
def test_the_half_is_the_speakers(small: Any, write_avi: Writer, marked: str, speaker: str) -> None:
    """The actor whose letter is in the dialogue's id sits on the left (corpora 1.9)."""
    write_avi(small.root / "v.avi", [screen(40, 200)] * 10, "10")
    crop = "left" if marked == speaker else "right"
    small.add(f"Ses01{marked}_impro01_{speaker}000", video="v.avi", crop=crop)
    (found,) = extracted(small, Spy()).values()
    assert found.valid.all()
    assert np.abs(found.values - (40 if marked == speaker else 200)).max() < 3


def test_halves_of_an_odd_width() -> None:
    frame = screen(1, 2)
    assert (video.half(frame, "left") == frame[:, :240]).all()
    assert (video.half(frame, "right") == frame[:, 240:]).all()
    assert video.half(frame, "full") is frame


def test_each_moment_of_a_half_is_looked_at_once_in_batches(small: Any, write_avi: Writer) -> None:
    pictures = [screen(2 * number, 250 - 2 * number) for number in range(100)]
    write_avi(small.root / "v.avi", pictures, "10")  # 10 s: 50 ticks
    spans = {"a": ("left", 0.0, 8.0), "b": ("left", 4.0, 10.0), "c": ("right", 5.0, 7.0), "d": ("left", 2.01, 2.05)}
    for name, (crop, start, end) in spans.items():
        small.add(name, video="v.avi", crop=crop, video_start=start, video_end=end)
    small.add("e", video="v.avi", crop="full")
    spy = Spy()
    found = extracted(small, spy)
    assert [len(batch) for batch in spy.batches] == [32, 32, 32, 14]
    assert Counter(chain.from_iterable(spy.batches)) == {(240, 240, 3): 50, (240, 241, 3): 10, (240, 481, 3): 50}
    for name, (crop, start, end) in spans.items():
        ticks = [k for k in range(50) if start <= k / 5 < end] or [10]
        expected = [2 * 2 * k if crop == "left" else 250 - 2 * 2 * k for k in ticks]
        assert len(found[name].values) == len(ticks)
        assert np.abs(found[name].values[:, 0] - expected).max() < 4
    assert len(found["e"].values) == 50
    assert sorted(spy.ticks.values()) == [[*range(50)], [*range(50)], [*range(25, 35)]]


def test_films_share_batches_but_not_the_choice_of_a_face(small: Any, write_avi: Writer) -> None:
    for number in range(20):
        write_avi(small.root / f"{number:02}.avi", [screen(10 * number, 200)] * 4, "5")
        small.add(f"u{number:02}", video=f"{number:02}.avi", crop="left")
    (small.root / "07.avi").write_bytes(b"no video")
    spy = Spy()
    found = extracted(small, spy)
    assert [len(batch) for batch in spy.batches] == [32, 32, 12]
    assert list(spy.ticks.values()) == [[0, 1, 2, 3]] * 19
    assert "cannot be opened as a video" in found.pop("u07")
    for name, item in found.items():
        assert np.abs(item.values - 10 * int(name[1:])).max() < 4


def test_the_size_of_frames_may_change(small: Any, face: Any, settings: VideoEncoder) -> None:
    sizes = [(240, 240)] * 3 + [(200, 320)] * 3
    write_mjpeg(small.root / "v.mkv", [np.resize(face, (*size, 3)) if size[0] < 240 else face for size in sizes])
    small.add("u", video="v.mkv")
    spy = Spy()
    assert len(extracted(small, spy)["u"].values) == 6
    assert spy.batches == [[(*size, 3) for size in sizes]]
    assert list(extracted(small, Describer(settings, torch.device("cpu")))["u"].valid[:3]) == [True] * 3


def write_mjpeg(path: Path, pictures: Sequence[Any]) -> None:
    """Five pictures a second, each of its own size."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mjpeg", rate=5)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuvj420p"
        for number, picture in enumerate(pictures):
            codec: Any = av.CodecContext.create("mjpeg", "w")
            codec.height, codec.width = picture.shape[:2]
            codec.pix_fmt, codec.time_base = "yuvj420p", Fraction(1, 5)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuvj420p")
            frame.pts = 0
            for packet in codec.encode(frame) + codec.encode(None):
                packet.stream, packet.time_base, packet.pts, packet.dts = stream, Fraction(1, 5), number, number
                container.mux(packet)


def test_memory_does_not_grow_with_the_film(small: Any, write_avi: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    write_avi(small.root / "v.avi", [screen(40, 200)[::5, ::5]] * 400, "5")
    small.add("u", video="v.avi", crop="left", video_start=0.0, video_end=80.0)
    pictures: list[weakref.ref[Any]] = []
    alive = []
    half = video.half

    class Picture(np.ndarray[Any, Any]):
        """An array of which one can know whether it is still there."""

    def counted(frame: Any, crop: str) -> Any:
        picture = half(frame, crop).view(Picture)
        pictures.append(weakref.ref(picture))
        return picture

    class Slow(Spy):
        def __call__(self, *words: Any) -> Any:
            time.sleep(0.05)  # the decoder could be far ahead by then
            alive.append(sum(picture() is not None for picture in pictures))
            return super().__call__(*words)

    monkeypatch.setattr(video, "half", counted)
    assert len(extracted(small, Slow())["u"].values) == len(pictures) == 400
    assert 32 <= max(alive) <= 2 * 32 + 4


def test_bookkeeping_grows_with_the_film_not_with_its_utterances(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """How often it is asked whether a tick is in a span, for each tick and utterance."""
    asked = []

    class Counted(video.Track):
        def wants(self, tick: int) -> bool:
            asked.append(tick)
            return super().wants(tick)

    picture = screen(1, 2)[::40, ::40]
    monkeypatch.setattr(video, "Track", Counted)
    monkeypatch.setattr(video, "frames", lambda path, wanted, per_second: ((tick, picture) for tick in wanted))
    monkeypatch.setattr(video.shard, "media", lambda root, name: small.root / name)
    for number in range(300):
        crop = ("left", "right")[number % 2]
        small.add(f"u{number:03}", video="v.avi", crop=crop, video_start=float(number), video_end=number + 2.0)
    found = extracted(small, Spy())
    assert {len(item.values) for item in found.values()} == {10}
    assert len(asked) == 2 * 5 * 301  # two halves


def test_what_cannot_be_decoded_moves_nothing(small: Any, write_avi: Writer, caplog: pytest.LogCaptureFixture) -> None:
    write_avi(small.root / "v.avi", [screen(2 * number, 200) for number in range(100)], "5")
    path = small.root / "v.avi"
    with av.open(str(path)) as container:
        places = [(packet.pos or 0, packet.size) for packet in container.demux(video=0) if packet.size]
    raw = bytearray(path.read_bytes())
    for start, size in places[40:47]:
        raw[start : start + size] = bytes(size)
    path.write_bytes(raw)
    spans = {"a": (0.0, 20.0), "b": (7.0, 10.0), "c": (8.2, 9.0), "d": (18.0, 22.0), "e": (None, None)}
    for name, (start, end) in spans.items():
        small.add(name, video="v.avi", crop="left", video_start=start, video_end=end)
    found = extracted(small, Spy())
    for name, first, count in (("a", 0, 100), ("b", 35, 15), ("d", 90, 10), ("e", 0, 100)):
        ticks = range(first, first + count)
        assert list(found[name].valid) == [not 40 <= tick < 46 for tick in ticks]  # 47 stands in for 46
        shown = [2 * max(tick, 47 if tick == 46 else 0) for tick in ticks if not 40 <= tick < 46]
        values = found[name].values[found[name].valid, 0]
        later = np.array([tick > 46 for tick in ticks])[found[name].valid]
        assert np.abs(values - shown)[~later].max(initial=0) < 4  # what follows was coded against the damaged ones
        assert not found[name].values[~found[name].valid].any()
    assert found["c"] == "v.avi has no decodable frame in the utterance's time span"
    assert "d: only 10 of 20 frames can be decoded" in caplog.text
    assert caplog.text.count("of its pictures are damaged") == 1


def test_a_turned_film_is_upright_before_a_half_is_cut_out(small: Any) -> None:
    upright = np.zeros((96, 128, 3), np.uint8)
    upright[:, 64:] = 200
    write(small.root / "v.mp4", np.ascontiguousarray(np.rot90(upright)))
    turned_by(small.root / "v.mp4", MATRICES["a quarter clockwise"])
    for crop in ("left", "right"):
        small.add(crop, video="v.mp4", crop=crop)
    found = extracted(small, Spy())
    assert np.abs(found["left"].values).max() < 10
    assert np.abs(found["right"].values - 200).max() < 10


def test_features_are_denseface_of_the_detected_face(
    small: Any, write_avi: Writer, face: Any, settings: VideoEncoder
) -> None:
    pictures = [screen(face if number < 6 else None, None) for number in range(12)]
    write_avi(small.root / "v.avi", pictures, "5")
    small.add("u", video="v.avi", crop="left")
    small.add("w", video="v.avi", crop="right")
    describer = Describer(settings, torch.device("cpu"))
    found = extracted(small, describer)
    values, valid = found["u"].values, found["u"].valid
    assert list(valid) == [True] * 6 + [False] * 6
    assert not values[6:].any()
    assert found["w"] == "no face in any of its 12 frames"
    halves = [frame[:, :240] for _, frame in frames(small.root / "v.avi", range(6), 5)]
    assert settings.weights is not None
    network, _ = load(Path(settings.weights))
    for row, frame in enumerate(halves):
        ((boxes, _),) = Detector(60, torch.device("cpu"))(frame[None])
        picture = (cut(frame, boxes[0], settings.margin) - 129) / 63.58
        expected = network.features(picture[None, None])[0].numpy()
        np.testing.assert_allclose(values[row], expected, rtol=0, atol=2e-3)
    assert np.abs(values[0]).max() > 0.1


def test_verb_writes_features_and_reasons_and_repeats_its_bytes(
    small: Any, write_avi: Writer, face: Any, settings: VideoEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    write_avi(small.root / "v.avi", [screen(None, face)] * 40, "10")
    raw = (small.root / "v.avi").read_bytes()
    (small.root / "cut.avi").write_bytes(raw[: len(raw) // 2])
    (small.root / "bad.avi").write_bytes(b"no video")
    small.add("a", video="v.avi", crop="right", video_start=0.0, video_end=1.0)
    small.add("b", video="bad.avi", crop="left")
    small.add("c", video="cut.avi", crop="right", video_start=0.0, video_end=4.0)
    small.add("d", video="cut.avi", crop="right", video_start=3.5, video_end=4.0)
    small.add("e", video="v.avi", crop="left", video_start=0.0, video_end=1.0)
    small.add("f", video="v.avi", crop="left", video_start=60.0, video_end=61.0)
    caplog.set_level("INFO")
    path = small.run(video, "video.h5", "--settings", settings.model_dump_json())
    with FeatureStore(path) as store:
        assert store.ids == list("abcdef")
        assert store.dim == 342
        assert store.attributes["encoder"].startswith("denseface ferplus:")
        assert "note" not in store.attributes
        assert json.loads(store.attributes["settings"]) == settings.model_dump()
        assert list(store.problems) == ["b", "d", "e", "f"]
        assert "cannot be opened as a video" in store.problems["b"]
        assert "no decodable frame" in store.problems["d"]
        assert "no decodable frame" in store.problems["f"]
        assert store.length("a") == store["a"].valid.sum() == 5
        assert 3 < store.length("c") < 17
        assert store.problems["e"] == "no face in any of its 5 frames"
        assert store.length("e") == 0
    assert "e: no video features: no face in any of its 5 frames" in caplog.text
    assert "c: only" in caplog.text
    assert "grey values of" in caplog.text
    assert "peak memory " in caplog.text
    again = small.run(video, "again.h5", "--settings", settings.model_dump_json())
    assert again.read_bytes() == path.read_bytes()
