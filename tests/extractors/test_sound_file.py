from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from extractors.sound_file import SEEKABLE, comes_again, open_sound
from extractors.waves import read_wave
from tests.extractors.sound_files import encoded, tone

WAVE = tone(16_000, 440, 1.0)


@pytest.mark.parametrize("name", [*SEEKABLE, ".ogg", ".mp3", ".opus"])
def test_what_can_be_trusted(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"a{name}"
    form, subtype = {".opus": ("OGG", "OPUS"), ".aif": ("AIFF", None)}.get(name, (None, None))
    soundfile.write(path, WAVE, 16_000, format=form, subtype=subtype)
    file = open_sound(path)
    assert (file is None) == (name in (".mp3", ".opus"))
    if file is not None:
        with file:
            assert (file.samplerate, file.frames) == (16_000, 16_000)


def test_wav_that_is_something_else(tmp_path: Path) -> None:
    for form, codec in (("webm", "libopus"), ("mp4", "aac"), ("mp3", "libmp3lame"), ("ogg", "libopus")):
        (tmp_path / "a.wav").write_bytes(encoded(form, codec, tone(48_000, 440, 1.0), 48_000))
        assert open_sound(tmp_path / "a.wav") is None
        assert len(read_wave(tmp_path / "a.wav", None, None)) == pytest.approx(16_000, abs=900)
    (tmp_path / "a.wav").write_bytes(b"no sound at all")
    with pytest.raises(soundfile.SoundFileError):
        open_sound(tmp_path / "a.wav")
    (tmp_path / "a.mp4").write_bytes(b"no sound at all")
    assert open_sound(tmp_path / "a.mp4") is None


def test_a_joined_file_is_seen_as_soon_as_it_is_joined(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, WAVE, 16_000)
    file = open_sound(path)
    assert file is not None
    file.close()
    path.write_bytes(2 * path.read_bytes())
    assert open_sound(path) is None
    assert len(read_wave(path, None, None)) == pytest.approx(32_000, abs=4096)  # a frame may be lost where they join


def test_bytes_that_come_again(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for content, found in ((b"abcd", False), (b"abcdabc", False), (b"abcd" + bytes(9) + b"abcd", True), (b"x", False)):
        path.write_bytes(content)
        assert comes_again(path, b"abcd") == found
