from __future__ import annotations

from pathlib import Path

import pytest

from extractors.corpora.sounds import sound
from extractors.endings import _mp3_frames, _mpeg_audio_bytes
from tests.extractors.clock import CODECS, write_film
from tests.extractors.sound_files import encoded, tone

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("ending", CODECS)
def test_whole_films_are_whole_and_halves_are_not(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    write_film(path, seconds=2.0)
    found = sound(path)
    assert (found.problem, found.cut, found.odd) == ("", "", "")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 | 1])
    found = sound(path)
    assert found.problem.startswith("unreadable") or "cut off" in found.odd or found.cut.startswith("header promises")
    assert found.seconds < 1.5


@pytest.mark.parametrize("ending", ["mkv", "mp4", "flv", "wmv", "webm"])
def test_a_track_that_ends_before_the_pictures_is_whole(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    write_film(path, seconds=1.0, pts=list(range(75)))
    found = sound(path)
    assert found.seconds == pytest.approx(1.0, abs=0.12)
    assert (found.problem, found.cut, found.odd) == ("", "", "")


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_frames_of_mp3(tmp_path: Path, rate: int) -> None:
    content = encoded("mp3", "libmp3lame", tone(rate, 440, 1.0), rate)
    (tmp_path / "a.mp3").write_bytes(content)
    frames = _mp3_frames(tmp_path / "a.mp3")
    assert frames == pytest.approx(rate / (1152 if rate >= 32_000 else 576), abs=3)
    tag = content[6:10]
    place = 10 + sum((byte & 127) << 7 * (3 - number) for number, byte in enumerate(tag))
    many = 0
    while place < len(content):
        length = _mpeg_audio_bytes(content[place:])
        assert length > 0
        place += length
        many += 1
    assert (place, many) == (len(content), frames + 1)  # the first says how many there are
    (tmp_path / "a.mp3").write_bytes(content[:9])
    assert _mp3_frames(tmp_path / "a.mp3") == 0
    assert _mpeg_audio_bytes(b"") == _mpeg_audio_bytes(b"abcd") == 0
