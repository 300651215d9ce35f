from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from extractors.corpora.media import missing, video_problem, wav_problem


@pytest.mark.parametrize(("samples", "usable"), [(0, False), (399, False), (400, True), (48_000, True)])
def test_shortest_wav(tmp_path: Path, samples: int, usable: bool) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(samples), 16_000, "PCM_16")
    assert (wav_problem(path) == "") == usable


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_length_is_counted_in_time(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(int(0.03 * rate)), rate)
    soundfile.write(tmp_path / "b.wav", np.zeros(int(0.02 * rate)), rate)
    assert wav_problem(tmp_path / "a.wav") == ""
    assert wav_problem(tmp_path / "b.wav").endswith("ms long, at least 25 are needed")


def test_lying_header_even_behind_another_chunk(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(1600), 16_000, "PCM_16")
    raw = path.read_bytes()
    assert raw[36:40] == b"data"
    padded = raw[:36] + b"LIST\x03\x00\x00\x00abc\x00" + raw[36:]
    path.write_bytes(padded + b"LIST\x02\x00\x00\x00ab")
    assert wav_problem(path) == ""
    path.write_bytes(padded[:-1])
    assert (
        wav_problem(path) == f"header promises {len(padded)} bytes, the file has {len(padded) - 1}: cut off or damaged"
    )


def test_no_random_bytes_break_the_checks(tmp_path: Path) -> None:
    path = tmp_path / "a"
    rng = np.random.default_rng(0)
    for start in (b"", b"RIFF", b"RIFF\x00\x00\x00\x00WAVEfmt ", b"RIFF\x00\x00\x00\x00AVI LIST"):
        for size in (1, 50, 3000):
            path.write_bytes(start + rng.bytes(size))
            assert wav_problem(path)
            assert video_problem(path)


def test_files_that_are_no_files(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    (root / "a.wav").mkdir(parents=True)
    (root / "loop").symlink_to("loop")
    (tmp_path / "b").touch()
    (root / "b").symlink_to("../b")
    (root / "c").touch()
    found = [missing(root, root / name) for name in ("a.wav", "loop", "nothing", "b", "c")]
    assert found == ["missing", "missing", "missing", "a link that leaves the corpus folder", ""]


def test_avi_without_picture(tree: Any, line: Any, tmp_path: Path) -> None:
    tree.dialogue("Ses01F_impro01", [line("F000", 1, 2, "ang")])
    assert video_problem(tree.avi("Ses01F_impro01")) == ""
    sound = tmp_path / "sound.avi"
    with av.open(str(sound), "w", format="avi") as out:
        stream = out.add_stream("pcm_s16le", rate=16_000, layout="mono")
        block = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="mono")
        block.sample_rate = 16_000
        out.mux(stream.encode(block))
        out.mux(stream.encode(None))
    assert video_problem(sound) == "no video stream"
    raw = tree.avi("Ses01F_impro01").read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(raw[: raw.index(b"movi") + 4])
    assert video_problem(cut) == "no picture can be decoded"
