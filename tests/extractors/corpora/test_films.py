from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from extractors.corpora.films import JOINED, Film, film
from extractors.corpora.sounds import sound
from extractors.decode import frames
from extractors.shard import UnreadableError
from tests.extractors.clock import CODECS, write_film
from tests.extractors.corpora.clips import clip


def test_no_random_bytes_break_the_checks(tmp_path: Path) -> None:
    path = tmp_path / "a"
    rng = np.random.default_rng(0)
    for start in (b"", b"RIFF", b"RIFF\x00\x00\x00\x00WAVEfmt ", b"RIFF\x00\x00\x00\x00AVI LIST"):
        for size in (1, 50, 3000):
            path.write_bytes(start + rng.bytes(size))
            assert sound(path).problem
            assert film(path).problem


def test_avi_without_picture(tree: Any, line: Any, tmp_path: Path) -> None:
    tree.dialogue("Ses01F_impro01", [line("F000", 1, 2, "ang")])
    assert film(tree.avi("Ses01F_impro01")).problem == ""
    mute = tmp_path / "sound.avi"
    with av.open(str(mute), "w", format="avi") as out:
        stream = out.add_stream("pcm_s16le", rate=16_000, layout="mono")
        block = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="mono")
        block.sample_rate = 16_000
        out.mux(stream.encode(block))
        out.mux(stream.encode(None))
    assert film(mute).problem == "no video stream"
    raw = tree.avi("Ses01F_impro01").read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(raw[: raw.index(b"movi") + 4])
    assert film(cut).problem == "no picture can be decoded"


def test_whole_and_cut_films(tmp_path: Path) -> None:
    whole, cut = tmp_path / "a.avi", tmp_path / "b.avi"
    clip(whole, 2.0, sound_track=True)
    assert film(whole) == Film(seconds=2.0)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    found = film(cut)
    assert (found.problem, found.seconds) == ("", 2.0)
    assert found.breaks_off is not None
    assert 0.7 < found.breaks_off < 1.2
    clip(tmp_path / "mute.avi", 0.4, sound_track=False)
    assert film(tmp_path / "mute.avi").silent


def test_a_riff_size_that_is_wrong_for_a_whole_film_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    clip(path, 1.0, sound_track=True)
    raw = bytearray(path.read_bytes())
    raw[4:8] = (3 * len(raw)).to_bytes(4, "little")
    path.write_bytes(raw)
    assert film(path).breaks_off is None
    assert film(path).odd.endswith("bytes are missing, but no picture")


def written_again(path: Path, name: str, **options: str) -> Path:
    """The packets of a film with other options of the container."""
    copy = path.with_name(name)
    with av.open(str(path)) as old, av.open(str(copy), "w", options=options) as new:
        streams = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    return copy


@pytest.fixture(params=CODECS)
def whole(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A film of 3 s; those with an index have it in front, as on the web."""
    path = tmp_path / f"a.{request.param}"
    write_film(path, 3.0)
    if request.param in ("mp4", "mov", "3gp"):
        path = written_again(path, f"b.{request.param}", movflags="faststart")
    return path


def test_a_whole_film_is_as_long_as_its_pictures(whole: Path) -> None:
    found = film(whole)
    assert found == Film(seconds=found.seconds)
    assert 2.99 < found.seconds < 3.05


@pytest.mark.parametrize("share", [0.35, 0.6, 0.85])
def test_a_film_that_is_cut_off_says_so(whole: Path, share: float) -> None:
    raw = whole.read_bytes()
    whole.write_bytes(raw[: int(share * len(raw))])
    found = film(whole)
    assert (found.problem, found.how, found.odd) == ("", Film().how, "")
    assert found.breaks_off is not None
    assert 3 * share - 0.9 < found.breaks_off < 3 * share + 0.5
    assert found.seconds == 0.0 or 2.99 < found.seconds < 3.05


def test_recordings_behind_each_other_are_told(whole: Path) -> None:
    whole.write_bytes(2 * whole.read_bytes())
    found = film(whole)
    if whole.suffix == ".avi":  # whose clock goes on
        assert found == Film(seconds=found.seconds, odd="several recordings in one file, one after the other")
        assert found.seconds > 5.9
    else:
        assert found.how == JOINED
        assert found.breaks_off is not None
        assert 2.9 < found.breaks_off < 3.05


@pytest.mark.parametrize("until", [0.75, 1.0])
def test_a_hole_in_a_film_is_told(whole: Path, until: float) -> None:
    """A download that kept its place on the disk and did not end has zeros."""
    raw = bytearray(whole.read_bytes())
    first, last = int(0.5 * len(raw)), int(until * len(raw))
    raw[first:last] = bytes(last - first)
    whole.write_bytes(raw)
    found = film(whole)
    assert found.problem == ""
    if whole.suffix == ".wmv" and until < 1:
        return  # its packets have no order that could be missed
    assert found.odd or found.breaks_off is not None
    if whole.suffix in (".mp4", ".mov", ".3gp"):
        assert (found.breaks_off is None) == (until < 1)


@pytest.mark.parametrize("ending", ["mp4", "avi", "mkv", "webm", "ogv", "flv"])
@pytest.mark.parametrize("behind", [bytes(700), b"notes of a camera " * 50])
def test_a_little_behind_a_film_does_no_harm(tmp_path: Path, ending: str, behind: bytes) -> None:
    path = tmp_path / f"a.{ending}"
    write_film(path, 2.0)
    before = film(path)
    path.write_bytes(path.read_bytes() + behind)
    assert film(path) == before


@pytest.mark.parametrize(
    ("ending", "options"),
    [("webm", {"live": "1"}), ("mkv", {"live": "1"}), ("mp4", {"movflags": "frag_keyframe+empty_moov"})],
)
def test_recordings_of_browsers_say_no_length(tmp_path: Path, ending: str, options: dict[str, str]) -> None:
    write_film(tmp_path / f"a.{ending}", 3.0)
    live = written_again(tmp_path / f"a.{ending}", f"live.{ending}", **options)
    found = film(live)
    assert found == Film(seconds=found.seconds)
    assert 2.9 < found.seconds < 3.1
    live.write_bytes(live.read_bytes()[: live.stat().st_size // 2])
    assert film(live).breaks_off is not None


def test_length_is_that_of_time_stamps_not_of_frames_over_their_mean_rate(tmp_path: Path) -> None:
    for ending in ("mp4", "mkv", "webm"):
        path = tmp_path / f"a.{ending}"
        write_film(path, 4.0, 30, pts=[*range(30), *range(90, 120)], sound_from=None)
        assert film(path).seconds == pytest.approx(4.0, abs=0.01)
        write_film(path, 4.0, 30, pts=[*range(30), *range(60, 90)])  # the last one stays until the sound ends
        assert film(path).seconds == pytest.approx(4.0, abs=0.05)


def test_a_header_that_is_wrong_about_the_length(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    write_film(path, 3.0)
    raw = path.read_bytes()
    place = raw.index(b"\x44\x89\x88") + 3  # Duration, a float of eight bytes, in milliseconds
    path.write_bytes(raw[:place] + np.array(9000.0, ">f8").tobytes() + raw[place + 8 :])
    found = film(path)
    assert found.seconds == pytest.approx(3.0, abs=0.05)
    assert found.odd.startswith("its header says 9.000 s, it has 3.0")


def test_a_damaged_first_picture_does_not_cost_the_film(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuvj420p"
        for number in range(20):
            frame = av.VideoFrame(64, 48, "yuvj420p")
            frame.pts = number
            for packet in stream.encode(frame):
                if not number:
                    data = av.Packet(b"no picture")
                    data.stream, data.pts, data.dts, data.time_base = stream, 0, 0, packet.time_base
                    packet = data
                out.mux(packet)
    assert film(path) == Film(seconds=pytest.approx(2.0), silent=True)


def test_a_codec_without_a_decoder_is_told(tmp_path: Path) -> None:
    """Here an avi whose pictures carry a name that no codec has."""
    path = tmp_path / "a.avi"
    clip(path, 0.4, sound_track=False)
    path.write_bytes(path.read_bytes().replace(b"FMP4", b"QQQQ"))
    assert film(path).problem == "unreadable (no decoder for its pictures)"
    with pytest.raises(UnreadableError, match=r"no decoder for the pictures of a\.avi"):
        list(frames(path, range(3), 10))
