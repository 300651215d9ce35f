"""The sound of every container stands where its time stamps say, in whole files and in spans."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from extractors.container import begin, open_media
from extractors.waves import RATE_HZ, read_wave
from tests.extractors.clock import CODECS, SOUND_HZ, heard_at, write_film

pytestmark = pytest.mark.usefixtures("one_thread")

WITHIN_SECONDS = 0.005
CODEC_DELAY = {"avi": 1105 / SOUND_HZ}
"""Seconds by which the sound is late against the pictures where the container cannot say that the encoder delays it."""
LATE_SECONDS = 0.5


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, float], Path]:
    """A clock film of 4 s by its ending and the time at which its sound begins; written once."""
    folder = tmp_path_factory.mktemp("clock")

    def get(ending: str, sound_from: float) -> Path:
        path = folder / f"{sound_from}.{ending}"
        if not path.exists():
            write_film(path, sound_from=sound_from)
        return path

    return get


def first_picture(path: Path) -> float:
    """When the picture is shown that belongs to the begin of the chirp."""
    with open_media(path) as container:
        stamps = [packet.pts * packet.time_base for packet in container.demux(video=0) if packet.pts is not None]
        return float(min(stamps)) - begin(container)


@pytest.mark.parametrize("sound_from", [0.0, LATE_SECONDS])
@pytest.mark.parametrize("ending", CODECS)
def test_sound_and_picture_have_one_clock(film: Callable[[str, float], Path], ending: str, sound_from: float) -> None:
    if sound_from and ending == "avi":
        pytest.skip("avi has no time stamps")
    path = film(ending, sound_from)
    delay = first_picture(path) + CODEC_DELAY.get(ending, 0.0)
    whole = read_wave(path, None, None)
    for truth in (1.0, 2.0, 3.2):
        assert abs(heard_at(whole, truth, truth) - delay) < WITHIN_SECONDS
        span = read_wave(path, truth - 0.2, truth + 0.6)
        assert abs(heard_at(span, 0.2, truth) - delay) < WITHIN_SECONDS
    assert len(whole) / RATE_HZ == pytest.approx(4.0 + delay, abs=0.06)
    if sound_from:
        assert np.abs(whole[: round((sound_from - 0.06) * RATE_HZ)]).max() < 0.01


@pytest.mark.parametrize("ending", CODECS)
def test_spans_are_parts_of_the_whole(film: Callable[[str, float], Path], ending: str) -> None:
    path = film(ending, 0.0)
    whole = read_wave(path, None, None)
    for start, end in ((0.0, 0.7), (0.5, 1.25), (3.0, 4.0)):
        span = read_wave(path, start, end)
        first = round(start * RATE_HZ)
        edge = 50  # of the filter from 48 to 16 kHz
        part = whole[first + edge : first + len(span) - edge]
        np.testing.assert_allclose(span[edge : edge + len(part)], part, atol=1e-4)
        assert abs(len(span) - (end - start) * RATE_HZ) < 0.04 * RATE_HZ


@pytest.mark.parametrize("ending", ["mkv", "mp4", "webm", "flv", "ts", "mov"])
@pytest.mark.parametrize("gap", [(1.0, 2.0), (1.5, 1.6)])
def test_time_without_samples_is_silence(
    film: Callable[[str, float], Path], tmp_path: Path, ending: str, gap: tuple[float, float]
) -> None:
    path, cut = film(ending, 0.0), tmp_path / f"cut.{ending}"
    with av.open(str(path)) as source, av.open(str(cut), "w") as out:
        tracks = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is None:
                continue
            at = float(packet.pts * packet.time_base) - begin(source)
            if packet.stream.type == "video" or not gap[0] <= at < gap[1]:
                packet.stream = tracks[packet.stream.index]
                out.mux(packet)
    before, whole, span = (read_wave(name, *times) for name, *times in (
        (path, None, None), (cut, None, None), (cut, gap[0] - 0.1, 3.9)))  # fmt: skip
    for truth in (0.3, 2.3, 3.2):
        expected = heard_at(before, truth, truth)
        assert abs(heard_at(whole, truth, truth) - expected) < WITHIN_SECONDS
        if truth > gap[1]:
            assert abs(heard_at(span, truth - gap[0] + 0.1, truth) - expected) < WITHIN_SECONDS
    assert len(whole) == pytest.approx(len(before), abs=0.002 * RATE_HZ)
    middle = round((sum(gap) / 2 + heard_at(before, 2.3, 2.3)) * RATE_HZ)
    assert np.abs(whole[middle - 80 : middle + 80]).max() < 0.01
