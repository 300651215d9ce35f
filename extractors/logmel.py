"""Log-mel spectrograms: a speech encoder without weights, in the geometry of wav2vec2."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

RECIPE = {
    "sample_rate": 16_000,
    "n_fft": 400,
    "hop_length": 320,
    "f_min": 0.0,
    "f_max": 8_000.0,
    "n_mels": 64,
    "power": 2.0,
    "mel_scale": "htk",
}
"""What torchaudio's MelSpectrogram is given, with its Hann window and without centring.

A band of more than 64 could lie between two of the 201 frequencies, 40 Hz apart, and be empty.
"""
FLOOR = 1e-8
"""Smallest power before the logarithm, about that of the rounding of 16-bit samples."""


class Logmel:
    """Natural logarithms of mel powers, (frames, 64) with frames = floor((samples - 400) / 320) + 1."""

    name = f"logmel {RECIPE['n_mels']}"
    dim = 64
    window = 400
    packages = ("torch", "torchaudio", "soundfile", "av", "numpy")
    weights_sha256 = hashlib.sha256(json.dumps([RECIPE, FLOOR]).encode()).hexdigest()
    """of the recipe, as there are no weights"""

    def __init__(self) -> None:
        from torchaudio.transforms import MelSpectrogram

        self._spectrogram = MelSpectrogram(**RECIPE, center=False)

    def prepare(self, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        """The waveform, filled with zeros to one frame if it is shorter."""
        return np.pad(wave, (0, max(self.window - len(wave), 0)))

    def encode(self, waves: Sequence[NDArray[np.float32]]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Pairs of an index into `waves` and its features (frames, 64)."""
        import torch

        for index, wave in enumerate(waves):
            power = self._spectrogram(torch.from_numpy(wave))  # (bands, frames)
            yield index, power.clamp(min=FLOOR).log().T.contiguous().numpy()
