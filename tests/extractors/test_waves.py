from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

from extractors.shard import UnreadableError
from extractors.waves import read_wave, read_waves

pytestmark = pytest.mark.usefixtures("one_thread")


def noise(samples: int, seed: int = 0) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(seed).normal(size=samples) + 0.02).astype(np.float32)


def test_a_span_of_a_stereo_file_becomes_mono(tmp_path: Path) -> None:
    stereo = np.stack([noise(16000, 1), noise(16000, 2)], axis=1)
    soundfile.write(tmp_path / "a.wav", stereo, 16000, subtype="FLOAT")
    wave = read_wave(tmp_path / "a.wav", 0.25, 0.5)
    np.testing.assert_allclose(wave, stereo[4000:8000].mean(axis=1), atol=1e-7)
    assert len(read_wave(tmp_path / "a.wav", None, None)) == 16000
    assert len(read_wave(tmp_path / "a.wav", 0.9, 7.0)) == 1600


@pytest.mark.parametrize("rate", [44100, 48000, 8000])
def test_other_rates_become_16_khz(tmp_path: Path, rate: int) -> None:
    times = np.arange(rate) / rate
    tone = (0.5 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", tone, rate, subtype="FLOAT")
    wave = read_wave(tmp_path / "a.wav", None, None)
    assert len(wave) == 16000
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    np.testing.assert_allclose(wave[500:-500], expected[500:-500], atol=2e-3)
    reference = resample_poly(tone.astype(np.float64), 16000, rate)
    np.testing.assert_allclose(wave[500:-500], reference[500:-500], atol=2e-3)


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "noise.wav").write_bytes(bytes(range(256)))
    soundfile.write(tmp_path / "short.wav", noise(100), 16000)
    soundfile.write(tmp_path / "nan.wav", np.array([0, np.nan], np.float32), 16000, subtype="FLOAT")
    (tmp_path / "headerless.raw").write_bytes(bytes(100))
    for rate in (1, 999, 16_001, 999_983, 1_000_001):
        soundfile.write(tmp_path / f"{rate}.wav", noise(100), rate)
        soundfile.write(tmp_path / f"{rate}.au", noise(100), rate)
    for name, start, reason in (
        ("noise.wav", None, r"cannot be read \(Format not recognised.\)"),
        ("headerless.raw", None, r"cannot be read \(no header says its sampling rate\)"),
        ("short.wav", 1.0, "has no samples in the utterance's time span"),
        ("nan.wav", None, "has samples that are not finite"),
        ("absent.wav", None, r"cannot be read \(No such file or directory\)"),
        *((f"{rate}.{kind}", None, f"has a sampling rate of {rate} Hz")
          for rate in (1, 999, 16_001, 999_983, 1_000_001) for kind in ("wav", "au")),
    ):  # fmt: skip
        with pytest.raises(UnreadableError, match=rf"^{name} {reason}$"):
            read_wave(tmp_path / name, start, None)


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    soundfile.write(tmp_path / "a.wav", noise(1600), 16000)
    (folder / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes())
    (folder / "noise.wav").write_bytes(bytes(range(256)))
    assert len(read_wave(folder / "a.wav", None, None)) == 1600
    for name in ("noise.wav", "absent.mp4"):
        with pytest.raises(UnreadableError) as problem:
            read_wave(folder / name, None, None)
        assert str(problem.value).isprintable()
        assert str(tmp_path) not in str(problem.value)


@pytest.mark.parametrize("claim", [0, 2**36 - 1], ids=["unknown", "too many"])
def test_a_flac_whose_header_has_no_length(tmp_path: Path, claim: int) -> None:
    soundfile.write(tmp_path / "a.flac", noise(16000), 16000)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    assert int.from_bytes(content[21:26], "big") % 2**36 == 16000
    content[21:26] = (int.from_bytes(content[21:26], "big") - 16000 + claim).to_bytes(5, "big")
    (tmp_path / "stream.flac").write_bytes(content)
    for start, end, samples in ((None, None, 16000), (0.25, 0.5, 4000), (0.9, 7.0, 1600)):
        wave = read_wave(tmp_path / "stream.flac", start, end)
        assert len(wave) == samples
        np.testing.assert_array_equal(wave, read_wave(tmp_path / "a.flac", start, end))


def test_rows_get_their_waves_or_reasons(small: Any) -> None:
    soundfile.write(small.root / "a.wav", noise(16000), 16000)
    (small.root / "bad.wav").write_bytes(b"no sound at all")
    small.add("a", audio="a.wav", audio_start=0.25, audio_end=0.5)
    small.add("b", audio="bad.wav")
    small.add("c", audio="../outside.wav")
    found = {row.utterance: wave for row, wave in read_waves(small.root, small.rows)}
    np.testing.assert_array_equal(found["a"], read_wave(small.root / "a.wav", 0.25, 0.5))
    assert [str(found[name]).split()[0] for name in "bc"] == ["bad.wav", "../outside.wav"]
    assert isinstance(found["b"], UnreadableError)
