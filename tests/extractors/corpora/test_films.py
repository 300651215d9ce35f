from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np

from extractors.corpora.films import Film, film
from extractors.corpora.sounds import sound
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
