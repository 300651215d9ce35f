"""Sound tracks whose time stamps tremble, overlap, jump or begin anew, and those whose sampling rate changes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from extractors.sound_track import Track
from extractors.waves import read_wave
from tests.extractors.sound_files import encoded, tone

pytestmark = pytest.mark.usefixtures("one_thread")

RATE, FRAME = 16_000, 320
NOISE = (3000 * np.random.default_rng(0).normal(size=RATE)).clip(-32768, 32767).astype(np.int16)


def stamped(path: Path, stamps: Sequence[float]) -> None:
    """Frames of 20 ms, number k of NOISE with time stamp stamps[k] in seconds (rounded to 1 ms) in a Matroska file."""
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as out:
        sound: Any = out.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for number, stamp in enumerate(stamps):
            part = NOISE[number * FRAME : (number + 1) * FRAME]
            packet = av.Packet(part.tobytes())
            packet.stream, packet.time_base = sound, Fraction(1, 1000)
            packet.pts, packet.dts = round(1000 * stamp), number - 1000  # the muxer wants the second to rise
            packet.duration = 20
            out.mux(packet)


def samples(path: Path, start: float | None = None, end: float | None = None) -> NDArray[np.int64]:
    return np.round(read_wave(path, start, end) * 32768).astype(np.int64)


def faults(path: Path) -> str:
    track = Track(path)
    assert list(track.blocks())
    return track.faults()


EVEN = np.arange(50) * 0.02


def test_jitter_neither_cuts_nor_fills(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for size in (0.0005, 0.004, 0.015):
        stamps = np.maximum.accumulate(EVEN + rng.uniform(-size, size, 50)).clip(0)
        stamps[0] = 0
        stamped(tmp_path / "a.mka", stamps)
        np.testing.assert_array_equal(samples(tmp_path / "a.mka"), NOISE)
        assert faults(tmp_path / "a.mka") == ""


@pytest.mark.parametrize("gap", [0.02, 0.3])
def test_gaps_are_filled_between_the_right_samples(tmp_path: Path, gap: float) -> None:
    stamped(tmp_path / "a.mka", [*EVEN[:20], *(EVEN[20:] + gap)])
    filled = [*NOISE[: 20 * FRAME], *np.zeros(round(gap * RATE), np.int16), *NOISE[20 * FRAME :]]
    np.testing.assert_array_equal(samples(tmp_path / "a.mka"), filled)
    np.testing.assert_array_equal(samples(tmp_path / "a.mka", 0.3, 0.5), filled[4800:8000])
    assert faults(tmp_path / "a.mka") == ("" if gap < 0.1 else "no sound from 0.400 to 0.700 s")


def test_a_clock_that_drifts_is_followed(tmp_path: Path) -> None:
    stamped(tmp_path / "a.mka", EVEN * 1.03)
    wave = samples(tmp_path / "a.mka")
    assert len(wave) == pytest.approx(1.03 * RATE, abs=0.008 * RATE)
    (place,) = [k for k in range(len(wave) - FRAME) if (wave[k : k + FRAME] == NOISE[40 * FRAME : 41 * FRAME]).all()]
    assert place / RATE == pytest.approx(0.8 * 1.03, abs=0.008)


def test_sound_that_comes_twice_is_left_out(tmp_path: Path) -> None:
    stamped(tmp_path / "a.mka", [*EVEN[:20], *(EVEN[20:] - 0.03)])
    expected = [*NOISE[: 20 * FRAME], *NOISE[20 * FRAME + 480 :]]
    np.testing.assert_array_equal(samples(tmp_path / "a.mka"), expected)


def test_one_wrong_time_stamp_moves_nothing(tmp_path: Path) -> None:
    for wrong in (0.0, 0.9, 5000.0):
        stamps = EVEN.copy()
        stamps[20] = wrong
        stamped(tmp_path / "a.mka", stamps)
        np.testing.assert_array_equal(samples(tmp_path / "a.mka"), NOISE)


@pytest.mark.parametrize("second", [0.0, -0.15, 5000.0])
def test_a_clock_that_begins_anew_goes_on(tmp_path: Path, second: float) -> None:
    begin = 0.4 + second if second else 0.0
    stamped(tmp_path / "a.mka", [*EVEN[:20], *(EVEN[:30] + begin)])
    np.testing.assert_array_equal(samples(tmp_path / "a.mka"), NOISE)
    np.testing.assert_array_equal(samples(tmp_path / "a.mka", 0.3, 0.6), NOISE[4800:9600])
    assert faults(tmp_path / "a.mka") == "time stamps begin anew at 0.400 s"


def hertz_at(wave: NDArray[np.float32], seconds: float) -> float:
    part = wave[round(seconds * RATE) :][:1600]
    return float(np.abs(np.fft.rfft(part * np.hanning(1600), 1 << 15)).argmax()) * RATE / (1 << 15)


@pytest.mark.parametrize("rate", [16_000, 44_100, 8_000])
@pytest.mark.parametrize(("form", "codec"), [("mp3", "libmp3lame"), ("adts", "aac")])
def test_joined_files_of_two_sampling_rates(tmp_path: Path, form: str, codec: str, rate: int) -> None:
    path = tmp_path / "joined"
    path.write_bytes(encoded(form, codec, tone(16_000, 440, 1.0), 16_000)
                     + encoded(form, codec, tone(rate, 1000, 1.5), rate))  # fmt: skip
    wave = read_wave(path, None, None)
    assert len(wave) / RATE == pytest.approx(2.5, abs=0.4)  # each encoder adds some samples
    assert hertz_at(wave, 0.5) == pytest.approx(440, abs=3)
    for place in (1.4, 2.0):
        assert hertz_at(wave, place) == pytest.approx(1000, abs=3)
    span = read_wave(path, 1.5, 2.0)
    assert len(span) == pytest.approx(0.5 * RATE, abs=2)
    offsets = [np.abs(wave[24_000 + off :][200:7000] - span[200:7000]).max() for off in (-1, 0, 1)]
    assert min(offsets) < 0.1  # samples of the second rate lie between those of 16 kHz
    assert ("another sampling rate" in faults(path)) == (rate != 16_000)


def test_a_cover_picture_has_no_clock(tmp_path: Path) -> None:
    plain, covered = tmp_path / "plain.mp3", tmp_path / "covered.mp3"
    plain.write_bytes(encoded("mp3", "libmp3lame", tone(16_000, 440, 1.0), 16_000))
    picture = b"\xff\xd8\xff\xe0" + bytes(100)
    about = b"\0image/jpeg\0\x03\0" + picture
    frame = b"APIC" + len(about).to_bytes(4, "big") + b"\0\0" + about
    size = len(frame)
    head = b"ID3\x03\0\0" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127])
    content = plain.read_bytes()
    covered.write_bytes(head + frame + content[content.find(b"\xff\xf3") :])
    with av.open(str(covered)) as container:
        assert container.streams.video
    np.testing.assert_array_equal(read_wave(covered, None, None), read_wave(plain, None, None))
