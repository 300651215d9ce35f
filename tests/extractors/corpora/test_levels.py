from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from extractors.corpora.levels import Levels
from extractors.corpora.sounds import sound

RATE = 16_000
VOICE = 0.3 * np.sin(2 * np.pi * 220 * np.arange(2 * RATE) / RATE).astype(np.float32)
NOTHING = np.zeros_like(VOICE)
ONE_OF_SIX = [NOTHING, NOTHING, VOICE, NOTHING, NOTHING, NOTHING]


def heard(path: Path, *channels: NDArray[np.float32], subtype: str = "PCM_16", rate: int = RATE) -> list[str]:
    soundfile.write(path, np.stack(channels, axis=1), rate, subtype=subtype)
    return sound(path).levels.odd(None, None)


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_what_is_ordinary_needs_no_remark(tmp_path: Path, name: str) -> None:
    assert heard(tmp_path / name, VOICE) == []
    assert heard(tmp_path / name, VOICE, 0.5 * VOICE) == []
    assert heard(tmp_path / name, VOICE, -0.5 * VOICE) == []
    assert heard(tmp_path / name, 0.01 * VOICE) == []
    assert heard(tmp_path / name, VOICE / 0.3) == []  # at full scale, and not above it


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_channels_that_cancel(tmp_path: Path, name: str) -> None:
    subtype = {".ogg": "VORBIS", ".mp3": "MPEG_LAYER_III"}.get(Path(name).suffix, "PCM_16")
    (odd,) = heard(tmp_path / name, VOICE, -VOICE, subtype=subtype)
    assert odd.startswith("its channels cancel one another in their mean (")
    (odd,) = heard(tmp_path / name, VOICE, -0.95 * VOICE, subtype=subtype)
    assert -36 < float(odd.split("(")[1].split()[0]) < -25


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_U8", "FLOAT", "ULAW"])
def test_silence(tmp_path: Path, subtype: str) -> None:
    said = ["silent (nothing above -60 dB of full scale)"]
    assert heard(tmp_path / "a.wav", NOTHING, subtype=subtype) == said
    if subtype != "PCM_U8":  # whose smallest step is 42 dB below full scale
        assert heard(tmp_path / "a.wav", VOICE / 1000, subtype=subtype) == said
    if subtype in ("PCM_16", "PCM_24"):
        assert heard(tmp_path / "a.wav", VOICE / 1000, -VOICE / 1000, subtype=subtype) == said


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_U8", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
def test_clipping(tmp_path: Path, subtype: str) -> None:
    (odd,) = heard(tmp_path / "a.wav", np.clip(10 * VOICE, -1, 1), subtype=subtype)
    share = float(odd.removeprefix("clipped (").split()[0])
    assert 60 < share < 90
    assert heard(tmp_path / "a.wav", np.clip(3.4 * VOICE, -1, 1), subtype=subtype)
    assert heard(tmp_path / "a.wav", np.clip(2 * VOICE, -0.5, 0.5), subtype=subtype) == []


def test_floats_beyond_1(tmp_path: Path) -> None:
    (odd,) = heard(tmp_path / "a.wav", 32768 * VOICE, subtype="FLOAT")
    assert odd == "samples up to 9.83e+03 times full scale"
    (odd,) = heard(tmp_path / "a.wav", 4 * VOICE, subtype="DOUBLE")
    assert odd == "samples up to 1.2 times full scale"


def test_one_channel_of_many(tmp_path: Path) -> None:
    assert heard(tmp_path / "a.wav", VOICE, NOTHING) == [
        "sound in only 1 of its 2 channels, and the mean of all is used"
    ]
    assert heard(tmp_path / "a.wav", *ONE_OF_SIX) == ["sound in only 1 of its 6 channels, and the mean of all is used"]


def test_a_part_is_judged_alone(tmp_path: Path) -> None:
    wave = np.concatenate([VOICE, NOTHING, np.clip(10 * VOICE, -1, 1)])
    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype="PCM_16")
    levels = sound(tmp_path / "a.wav").levels
    assert levels.odd(0.0, 1.95) == []
    assert levels.odd(2.03, 3.96)[0].startswith("silent")
    assert levels.odd(2.51, 2.53)[0].startswith("silent")
    assert levels.odd(1.5, 3.0) == []
    assert levels.odd(4.5, None)[0].startswith("clipped")
    assert levels.odd(9.0, 10.0) == []


def test_blocks_of_any_size_give_the_same(tmp_path: Path) -> None:
    wave = np.concatenate([VOICE, NOTHING, np.clip(10 * VOICE, -1, 1)])[:, None]
    for size in (160, 1024, 50_000):
        levels = Levels()
        for first in range(0, len(wave), size):
            levels.add(first / RATE, wave[first : first + size], RATE)
        levels.close()
        assert levels.odd(2.2, 3.8) == ["silent (nothing above -60 dB of full scale)"]
        assert levels.odd(0.0, 1.9) == []
        assert levels.odd(4.1, 5.9)[0].startswith("clipped (7")


def test_what_is_no_number(tmp_path: Path) -> None:
    wave = VOICE.copy()
    wave[20_000] = np.nan
    wave[30_000] = np.inf
    for kind in ("wav", "au"):
        soundfile.write(tmp_path / f"a.{kind}", wave, RATE, subtype="FLOAT")
        levels = sound(tmp_path / f"a.{kind}").levels
        assert levels.not_finite(None, None)
        assert levels.not_finite(1.2, 1.3)
        assert levels.not_finite(1.5, None)
        assert not levels.not_finite(None, 1.0)
        assert not Levels().not_finite(None, None)
