from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from extractors.corpora.media import Film, Sound, film, sound


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


def clip(path: Path, seconds: float, sound_track: bool) -> None:
    """25 pictures a second, with or without a tone."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        track = out.add_stream("pcm_s16le", rate=16_000, layout="mono") if sound_track else None
        rng = np.random.default_rng(0)
        for number in range(int(25 * seconds)):
            picture = rng.integers(0, 256, (48, 64, 3), np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            if track:
                block = av.AudioFrame.from_ndarray(np.full((1, 640), 99, np.int16), format="s16", layout="mono")
                block.sample_rate, block.pts = 16_000, 640 * number
                out.mux(track.encode(block))
        for last in (stream, track) if track else (stream,):
            out.mux(last.encode(None))


def test_whole_and_cut_films(tmp_path: Path) -> None:
    whole, cut = tmp_path / "a.avi", tmp_path / "b.avi"
    clip(whole, 2.0, sound_track=True)
    assert film(whole) == Film(promised=2.0)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    found = film(cut)
    assert (found.problem, found.promised) == ("", 2.0)
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


def test_sound_of_containers(tmp_path: Path) -> None:
    clip(tmp_path / "a.mkv", 1.0, sound_track=True)
    clip(tmp_path / "b.mkv", 1.0, sound_track=False)
    assert sound(tmp_path / "a.mkv").seconds == pytest.approx(1.0, abs=0.05)
    assert sound(tmp_path / "b.mkv").problem == "no sound track"
    (tmp_path / "c.mkv").write_bytes(b"nothing of the kind")
    assert sound(tmp_path / "c.mkv").problem.startswith("unreadable (")
