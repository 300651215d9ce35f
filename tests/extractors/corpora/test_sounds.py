from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from extractors.corpora.sounds import Sound, sound
from extractors.waves import read_wave
from tests.extractors.corpora.clips import clip


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_length_is_counted_in_time(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(int(0.25 * rate)), rate, "PCM_16")
    found = sound(tmp_path / "a.wav")
    assert (found.problem, found.seconds) == ("", int(0.25 * rate) / rate)


def test_lying_header_even_behind_another_chunk(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(1600), 16_000, "PCM_16")
    raw = path.read_bytes()
    assert raw[36:40] == b"data"
    padded = raw[:36] + b"LIST\x03\x00\x00\x00abc\x00" + raw[36:]
    path.write_bytes(padded + b"LIST\x02\x00\x00\x00ab")
    assert sound(path).problem == ""
    path.write_bytes(padded[:-1])
    assert (
        sound(path).problem
        == f"header promises {len(padded)} bytes, the file has {len(padded) - 1}: cut off or damaged"
    )


def test_sound_behind_what_the_header_promises(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(16_000, 0.5), 16_000, "PCM_16")
    raw = bytearray(path.read_bytes())
    assert sound(path).odd == ""
    raw[40:44] = (8_000).to_bytes(4, "little")
    path.write_bytes(raw)
    assert (sound(path).seconds, sound(path).odd) == (0.25, "24000 bytes behind the sound that its header promises")
    raw[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(raw)
    assert sound(path) == Sound(seconds=1.0)


def test_sizes_that_are_not_of_the_sound_cut_nothing(tmp_path: Path) -> None:
    """Some programs write the size of the file where that of what follows belongs."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(16_000, 0.5), 16_000, "PCM_16")
    raw = bytearray(path.read_bytes())
    for more in (8, 44):
        raw[4:8] = (len(raw) - 8 + more).to_bytes(4, "little")
        path.write_bytes(raw)
        assert (sound(path).problem, sound(path).cut, sound(path).seconds) == ("", "", 1.0)
    path.write_bytes(raw + b"LIST\x90\x01\x00\x00INFO")
    assert (sound(path).cut, sound(path).seconds) == ("", 1.0)


def test_an_mp3_behind_other_bytes_is_decoded(tmp_path: Path) -> None:
    """libsndfile reads the first of two joined ones."""
    soundfile.write(tmp_path / "one.mp3", np.sin(np.arange(64_000) / 9), 16_000, "MPEG_LAYER_III", format="MP3")
    path = tmp_path / "a.mp3"
    path.write_bytes(bytes(64) + 2 * (tmp_path / "one.mp3").read_bytes())
    assert sound(path).seconds == pytest.approx(8.1, abs=0.3)
    assert len(read_wave(path, 6.0, 7.5)) == 24_000


def test_what_breaks_a_decoder_costs_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(1600), 16_000, "PCM_16")

    def broken(_: Path) -> None:
        raise AttributeError("no such thing")

    monkeypatch.setattr("extractors.corpora.sounds.open_sound", broken)
    assert sound(path).problem == "unreadable (no such thing)"


def test_a_wav_behind_a_wav_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(16_000, 0.5), 16_000, "PCM_16")
    path.write_bytes(2 * path.read_bytes())
    assert sound(path).problem.startswith("unreadable (another recording is joined to its end")


def test_sound_that_no_library_should_be_asked_for(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "slow.wav", np.zeros(100), 1, "PCM_16")
    assert sound(tmp_path / "slow.wav").problem == "unreadable (sampling rate of 1 Hz)"
    (tmp_path / "a.raw").write_bytes(bytes(2000))
    assert sound(tmp_path / "a.raw").problem.startswith("unreadable (")
    flac = tmp_path / "a.flac"
    soundfile.write(flac, np.zeros(16_000), 16_000)
    raw = bytearray(flac.read_bytes())
    raw[21] &= 0xF0
    raw[22:26] = bytes(4)
    flac.write_bytes(raw)
    assert soundfile.info(flac).frames > 2**60
    assert sound(flac).seconds < 10 or sound(flac).problem


def test_sound_of_containers(tmp_path: Path) -> None:
    clip(tmp_path / "a.mkv", 1.0, sound_track=True)
    clip(tmp_path / "b.mkv", 1.0, sound_track=False)
    assert sound(tmp_path / "a.mkv").seconds == pytest.approx(1.0, abs=0.05)
    assert sound(tmp_path / "b.mkv").problem == "no sound track"
    (tmp_path / "c.mkv").write_bytes(b"nothing of the kind")
    assert sound(tmp_path / "c.mkv").problem.startswith("unreadable (")
