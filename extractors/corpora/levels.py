"""How loud a sound is, tenth of a second by tenth of a second, and what is odd about a part of it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PIECES_PER_SECOND = 10
SILENT = 1e-3
"""-60 dB of full scale, where the noise of microphones is."""
CANCELLED = 0.1
"""A mean of channels that is so far below the loudest of them (20 dB) has lost what they say."""
CLIPPED_SHARE = 1e-3
FULL_SCALE = 32_767 / 32_768


class _Pieces(NamedTuple):
    begin: NDArray[np.float64]
    end: NDArray[np.float64]
    mean: NDArray[np.float32]  # peak of the mean of the channels
    peak: NDArray[np.float32]  # of the loudest channel
    clipped: NDArray[np.int64]  # samples at full scale behind another one
    samples: NDArray[np.int64]


class Levels:
    """Levels of a sound that is added in blocks, in order.

    `full_scale` is the largest value of the format, which `unbounded` formats (floats) may pass.
    """

    def __init__(self, full_scale: float = FULL_SCALE, unbounded: bool = False) -> None:
        self._full_scale = full_scale
        self._unbounded = unbounded
        self._added: list[_Pieces] = []
        self._alive: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def add(self, start: float, samples: NDArray[np.float32], rate: int) -> None:
        """Samples (time, channels) from `start` seconds on."""
        if not len(samples):
            return
        edges = np.arange(0, len(samples), max(rate // PIECES_PER_SECOND, 1))
        ends = np.append(edges[1:], len(samples))
        loud = np.abs(samples)
        peaks = loud.max(axis=1) if loud.shape[1] > 1 else loud[:, 0]
        mean = np.abs(samples.mean(axis=1)) if loud.shape[1] > 1 else peaks
        full = (peaks >= self._full_scale) & ((peaks <= 1) | (not self._unbounded))
        clipped = np.append(False, full[1:] & full[:-1]).astype(np.int64)
        self._added.append(
            _Pieces(
                start + edges / rate,
                start + ends / rate,
                np.maximum.reduceat(mean, edges),
                np.maximum.reduceat(peaks, edges),
                np.add.reduceat(clipped, edges),
                ends - edges,
            )
        )
        alive = ~(loud.max(axis=0) < SILENT)
        if len(alive) == len(self._alive):
            self._alive |= alive
        elif len(alive) > len(self._alive):
            self._alive = alive

    def close(self) -> None:
        """Nothing more is added."""
        if self._added:
            self._added = [_Pieces._make(map(np.concatenate, zip(*self._added, strict=True)))]

    def not_finite(self, start: float | None, end: float | None) -> bool:
        """Whether there is a sample that is no number between two times in seconds."""
        found = self._between(start, end)
        return found is not None and not np.isfinite(found.peak).all()

    def odd(self, start: float | None, end: float | None) -> list[str]:
        """What is odd about the sound between two times in seconds; None means its ends."""
        found = self._between(start, end)
        if found is None:
            return []
        loudest = float(found.peak.max())
        if loudest < SILENT:
            return [f"silent (nothing above {_decibels(SILENT)} dB of full scale)"]
        odd = []
        mean = float(found.mean.max())
        if mean < CANCELLED * loudest:
            how_far = f"{_decibels(mean / loudest)} dB" if mean else "to nothing"
            odd.append(f"its channels cancel one another in their mean ({how_far})")
        elif np.count_nonzero(self._alive) < len(self._alive):
            alive = np.count_nonzero(self._alive)
            odd.append(f"sound in only {alive} of its {len(self._alive)} channels, and the mean of all is used")
        share = found.clipped.sum() / found.samples.sum()
        if share > CLIPPED_SHARE:
            odd.append(f"clipped ({100 * share:.1f} % of its samples stand at full scale)")
        if self._unbounded and loudest > 1:
            odd.append(f"samples up to {loudest:.3g} times full scale")
        return odd

    def _between(self, start: float | None, end: float | None) -> _Pieces | None:
        if not self._added:
            return None
        (found,) = self._added
        first, last = start or 0.0, math.inf if end is None else end
        inside = (found.begin >= first - 1e-6) & (found.end <= last + 1e-6)
        if not inside.any():
            inside = (found.begin < last) & (found.end > first)
        return _Pieces._make(values[inside] for values in found) if inside.any() else None


def _decibels(ratio: float) -> str:
    return f"{20 * math.log10(ratio):.0f}"
