from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from av.stream import Disposition
from hypothesis import given
from hypothesis import strategies as st

from extractors.container import film_stream, open_media
from extractors.decode import frames, ticks
from extractors.shard import UnreadableError
from extractors.sound_track import read_track
from tests.extractors import clock
from tests.extractors.clock import write_film

Writer = Callable[[Path, Sequence[Any], str], None]


def numbered(many: int) -> list[Any]:
    """Split-screen pictures whose brightness is their number: rising on the left, falling on the right."""
    pictures = []
    for number in range(many):
        picture = np.zeros((48, 96, 3), np.uint8)
        picture[:, :48] = 2 * number
        picture[:, 48:] = 250 - 2 * number
        pictures.append(picture)
    return pictures


def number(picture: Any) -> int:
    left, right = picture[8:-8, 8:40].mean() / 2, (250 - picture[8:-8, 56:88].mean()) / 2
    assert abs(left - right) < 1.5
    return round(float(left + right) / 2)


@pytest.fixture
def path(tmp_path: Path, write_avi: Writer) -> Path:
    file = tmp_path / "v.avi"
    write_avi(file, numbered(120), "30000/1001")
    return file


@given(st.integers(0, 500), st.integers(1, 500), st.sampled_from([1.0, 2.5, 10.0, 29.97, 120.0]))
def test_ticks_lie_in_the_span(start: int, length: int, per_second: float) -> None:
    begin, end = start / 100, (start + length) / 100
    found = ticks(begin, end, per_second)
    expected = [k for k in range(int(end * per_second) + 2) if begin - 1e-9 <= k / per_second < end - 1e-9]
    if expected:
        assert list(found) == expected
    else:
        assert len(found) == 1
        assert abs(found[0] / per_second - (begin + end) / 2) <= 0.5 / per_second + 1e-9


def test_ticks_by_hand() -> None:
    assert list(ticks(0.7, 1.0, 10)) == [7, 8, 9]  # 0.7 * 10 is a little more than 7
    assert list(ticks(0.71, 0.74, 10)) == [7]
    assert list(ticks(None, 0.25, 10)) == [0, 1, 2]
    assert ticks(1.0, None, 10)[0] == 10
    assert len(ticks(None, None, 10)) > 10**9


def test_frames_are_those_of_the_time_stamps(path: Path) -> None:
    found = list(frames(path, ticks(0.4, 3.0, 10), 10))
    assert [tick for tick, _ in found] == list(range(4, 30))
    assert all(picture.shape == (48, 96, 3) and picture.dtype == np.uint8 for _, picture in found)
    for tick, picture in found:
        assert abs(number(picture) - round(tick / 10 * 30000 / 1001)) <= 1


def test_wanted_ticks_may_have_gaps_and_no_end(path: Path) -> None:
    assert [tick for tick, _ in frames(path, [3, 4, 20, 39], 10)] == [3, 4, 20, 39]
    endless = [tick for tick, _ in frames(path, count(0), 10)]
    assert endless == list(range(40))  # 120 frames are 4.004 s; tick 40 would show frame 120
    assert list(frames(path, [], 10)) == []
    assert list(frames(path, [100], 10)) == []


def test_more_ticks_than_frames_repeat_frames(path: Path) -> None:
    found = [number(picture) for _, picture in frames(path, range(12), 120)]
    assert found == sorted(found)
    assert 3 <= len(set(found)) <= 4


@pytest.mark.parametrize("rate", ["30", "60000/1001", "25"])
def test_the_rate_comes_from_the_container(tmp_path: Path, write_avi: Writer, rate: str) -> None:
    file = tmp_path / "v.avi"
    write_avi(file, numbered(60), rate)
    above, _, below = rate.partition("/")
    hz = int(above) / int(below or 1)
    for tick, picture in frames(file, range(5), 5):
        assert abs(number(picture) - round(tick / 5 * hz)) <= 1


def test_times_count_from_the_beginning_of_the_container(tmp_path: Path) -> None:
    """Film and sound track of a file whose first time stamp is 2 s."""
    file = tmp_path / "v.mkv"
    with av.open(str(file), "w") as out:
        film, track = out.add_stream("mpeg4", rate=25), out.add_stream("pcm_s16le", rate=16_000, layout="mono")
        film.width, film.height, film.pix_fmt = 96, 48, "yuv420p"
        film.bit_rate = 8_000_000
        for index, picture in enumerate(numbered(100)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = 50 + index
            out.mux(film.encode(frame))
            sound = av.AudioFrame.from_ndarray(np.full((1, 640), 100 * index, np.int16), format="s16", layout="mono")
            sound.sample_rate, sound.pts = 16_000, 640 * (50 + index)
            out.mux(track.encode(sound))
        for stream in (film, track):
            out.mux(stream.encode(None))
    with av.open(str(file)) as container:
        assert container.start_time is not None
        assert container.start_time > 1_000_000
    for tick, picture in frames(file, range(5, 35), 10):
        assert abs(number(picture) - 2.5 * tick) <= 1.6
    ((samples, rate),) = read_track(file, 1.0, 1.5)
    assert (samples.shape, rate) == ((8000, 1), 16_000)
    assert abs(samples[::640, 0] * 32768 / 100 - 25 - np.arange(13)).max() < 1.6


def test_a_truncated_file_ends_early(path: Path) -> None:
    whole = dict(frames(path, range(40), 10))
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) * 6 // 10])
    cut_short = dict(frames(path, range(40), 10))
    assert list(cut_short) == list(range(len(cut_short)))
    assert 15 < len(cut_short) < 35
    assert all(np.array_equal(cut_short[tick], whole[tick]) for tick in list(cut_short)[:-1])


def test_frames_that_fail_to_decode_shift_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with av.open(str(path)) as container:
        places = [(packet.pos or 0, packet.size) for packet in container.demux(video=0) if packet.size]
    raw = bytearray(path.read_bytes())
    for start, size in places[50:56]:
        raw[start : start + size] = bytes(size)  # chunk headers stay: the reader counts frames by them
    path.write_bytes(raw)
    found = dict(frames(path, range(40), 10))
    assert list(found) == list(range(40))
    assert [tick for tick, picture in found.items() if picture is None] == [17, 18]  # frames 51, 54; 56 is too late
    sound = [tick for tick in found if tick < 16 or tick > 19]
    assert all(abs(number(found[tick]) - tick * 2.997) <= 1 for tick in sound)
    assert caplog.text.count("v.avi") == 1
    assert "6 of its pictures are damaged" in caplog.text


@pytest.mark.parametrize("rate", ["10", "30"])
def test_a_damaged_picture_is_no_measurement_in_other_formats(tmp_path: Path, rate: str) -> None:
    """Pictures 8 to 13 of a Motion JPEG film are overwritten."""
    file = tmp_path / "v.mkv"
    with av.open(str(file), "w") as out:
        stream = out.add_stream("mjpeg", rate=int(rate))
        stream.height, stream.width, stream.pix_fmt = 48, 96, "yuvj420p"
        for index, picture in enumerate(numbered(30)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuvj420p")
            frame.pts = index
            for packet in stream.encode(frame):
                packet = av.Packet(b"no picture") if 8 <= index < 14 else packet
                packet.stream, packet.pts, packet.dts, packet.time_base = stream, index, index, Fraction(1, int(rate))
                out.mux(packet)
    found = dict(frames(file, count(0), int(rate)))
    assert list(found) == list(range(30))
    assert [tick for tick, picture in found.items() if picture is None] == list(range(8, 13))  # 14 stands in for 13
    assert all(abs(number(found[tick]) - tick) <= 1 for tick in (*range(8), *range(14, 30)))


def test_empty_packets_say_that_a_picture_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "v.nut"
    with av.open(str(file), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 96, "yuv420p"
        stream.bit_rate = 8_000_000
        for index, picture in enumerate(numbered(30)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = index
            packets = [av.Packet(b"")] if 5 <= index < 9 else stream.encode(frame)
            for packet in packets:
                if not packet.size:
                    packet.stream, packet.pts, packet.dts, packet.time_base = stream, index, index, Fraction(1, 10)
                out.mux(packet)
        out.mux(stream.encode(None))
    assert [number(picture) for _, picture in frames(file, count(0), 10)] == [*range(5), *[4] * 4, *range(9, 30)]
    assert caplog.text == ""


def test_a_cover_is_no_film(tmp_path: Path) -> None:
    """Recordings of sound may have a picture that never changes."""
    file = tmp_path / "v.mp4"
    with av.open(str(file), "w") as out:
        track, cover = out.add_stream("aac", rate=16_000, layout="mono"), out.add_stream("mjpeg", rate=10)
        cover.disposition = Disposition.attached_pic
        cover.height, cover.width, cover.pix_fmt = 48, 96, "yuvj420p"
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate, sound.pts = 16_000, 0
        picture = av.VideoFrame.from_ndarray(numbered(1)[0], format="rgb24").reformat(format="yuvj420p")
        picture.pts = 0
        out.mux([*cover.encode(picture), *cover.encode(None), *track.encode(sound), *track.encode(None)])
    with open_media(file) as container:
        assert container.streams.video
        assert film_stream(container) is None
    with pytest.raises(UnreadableError, match=r"v\.mp4 has no video stream"):
        list(frames(file, [0], 10))


def test_a_film_that_was_joined_of_two_ends_with_the_first(tmp_path: Path) -> None:
    write_film(tmp_path / "a.ts", 2.0)
    (tmp_path / "a.ts").write_bytes(2 * (tmp_path / "a.ts").read_bytes())
    assert [tick for tick, _ in frames(tmp_path / "a.ts", count(0), 5)] in ([*range(10)], [*range(11)])


def test_what_is_no_video_says_so(tmp_path: Path) -> None:
    (tmp_path / "junk.avi").write_bytes(bytes.fromhex("0005160700020000") + bytes(100))
    (tmp_path / "empty.avi").touch()
    soundfile.write(tmp_path / "sound.wav", np.zeros(1600), 16000)
    for name, reason in (
        ("junk.avi", "cannot be opened"),
        ("empty.avi", "cannot be opened"),
        ("sound.wav", "no video"),
    ):
        with pytest.raises(UnreadableError, match=rf"{name} .*{reason}"):
            list(frames(tmp_path / name, [0], 10))


def test_an_avi_that_begins_without_a_key_picture_keeps_its_clock(tmp_path: Path) -> None:
    """What comes before the first key picture cannot be shown, and moves nothing behind it."""
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"g": "15", "bf": "0", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = clock.WIDTH, clock.HEIGHT, "yuv420p"
        packets = [
            packet
            for number in range(60)
            for packet in stream.encode(av.VideoFrame.from_ndarray(clock.clock(number), format="rgb24"))
        ]
        for packet in [*packets, *stream.encode(None)][5:]:
            assert packet.pts is not None
            packet.pts = packet.dts = packet.pts - 5
            out.mux(packet)
    found = {tick: clock.told(image) for tick, image in frames(path, range(25), 12.5) if image is not None}
    assert {10: 25, 15: 35, 20: 45}.items() <= found.items()
