from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from extractors import logmel

pytestmark = pytest.mark.usefixtures("one_thread")


def one(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    encoder = logmel.Logmel()
    [(index, values)] = encoder.encode([encoder.prepare(wave)])
    assert index == 0
    return values


@pytest.mark.parametrize("samples", [1, 399, 400, 719, 720, 16_000])
def test_frames_are_those_of_wav2vec2(samples: int) -> None:
    values = one(np.full(samples, 0.1, np.float32))
    assert values.shape == ((max(samples, 400) - 400) // 320 + 1, logmel.Logmel.dim)
    assert values.dtype == np.float32


def test_equals_a_spectrogram_by_hand() -> None:
    def mel(hz: Any) -> Any:
        return 2595 * np.log10(1 + hz / 700)

    wave = 0.1 * np.random.default_rng(0).normal(size=1040).astype(np.float32)
    edges = np.linspace(0, mel(8000), 66)
    hz = 700 * (10 ** (edges / 2595) - 1)
    bands = [
        [max(0.0, min((f - low) / (mid - low), (high - f) / (high - mid))) for f in np.arange(201) * 40.0]
        for low, mid, high in zip(hz, hz[1:], hz[2:], strict=False)
    ]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    expected = []
    for start in (0, 320, 640):
        power = np.abs(np.fft.rfft(wave[start : start + 400].astype(np.float64) * window)) ** 2
        expected.append([np.log(max(np.dot(band, power), 1e-8)) for band in bands])
    np.testing.assert_allclose(one(wave), expected, atol=1e-3)


def test_no_band_is_empty_and_silence_is_the_floor() -> None:
    assert (one(np.random.default_rng(0).normal(size=400).astype(np.float32)) > np.log(1e-7)).all()
    np.testing.assert_allclose(one(np.zeros(400, np.float32)), np.log(1e-8), rtol=1e-6)


def test_the_recipe_has_a_hash_and_a_name() -> None:
    assert logmel.Logmel.name == "logmel 64"
    assert len(logmel.Logmel.weights_sha256) == 64
