"""Speakers before microphones, two of them on one time line, and wav files."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.demo.plan import Turn
from extractors.demo.voice import RATE_HZ

LEAD_SECONDS = 0.6
BREATH_SECONDS = 0.1
CROSSTALK = 0.06
NOISE = 0.001
COMMENT = b"synthetic\0"


@dataclass(frozen=True)
class Line:
    """A turn with its place in the dialogue, in seconds; `sound` is what its speaker says."""

    turn: Turn
    start: float
    end: float
    sound: NDArray[np.float32]

    @property
    def samples(self) -> slice:
        """Where the turn lies in the dialogue's channels; (end - start) x 16000 samples, give or take one."""
        first = round(self.start * RATE_HZ)
        return slice(first, first + len(self.sound))


def lay_out(turns: Sequence[Turn], sounds: Sequence[NDArray[np.float32]], random: np.random.Generator) -> list[Line]:
    """One turn after the other, each mostly beginning before the other speaker has ended; times have 4 decimals."""
    lines: list[Line] = []
    free = {"F": LEAD_SECONDS, "M": LEAD_SECONDS}
    before = LEAD_SECONDS
    for turn, sound in zip(turns, sounds, strict=True):
        start = round(max(free[turn.sex], before + random.uniform(-0.5, 0.15)), 4)
        end = round(start + len(sound) / RATE_HZ, 4)
        lines.append(Line(turn, start, end, sound))
        free[turn.sex] = end + BREATH_SECONDS
        before = end
    return lines


def channels(lines: Sequence[Line], random: np.random.Generator) -> NDArray[np.int16]:
    """The dialogue (2, samples): her microphone, his microphone; each hears the other faintly, and the room."""
    length = max(line.samples.stop for line in lines) + round(LEAD_SECONDS * RATE_HZ)
    voices = np.zeros((2, length))
    for line in lines:
        voices["FM".index(line.turn.sex), line.samples] += line.sound
    return recorded(voices + CROSSTALK * voices[::-1], random)


def recorded(voices: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.int16]:
    """What microphones make of `voices` in a room with a little noise; same shape."""
    heard = voices + NOISE * random.standard_normal(voices.shape)
    return np.rint(32767 * np.clip(heard, -1, 1)).astype(np.int16)


def resampled(samples: NDArray[np.int16], rate_hz: int) -> NDArray[np.int16]:
    """`samples` (samples,) of 16 kHz at another rate."""
    from scipy.signal import resample_poly

    common = gcd(rate_hz, RATE_HZ)
    other = resample_poly(samples.astype(float), rate_hz // common, RATE_HZ // common)
    return np.asarray(np.rint(other), np.int16)


def write_wav(path: Path, samples: NDArray[np.int16], rate_hz: int = RATE_HZ) -> None:
    """16-bit wav of (samples,) or (channels, samples): the plain 44-byte header, the data, then an INFO comment."""
    data = samples.T.astype("<i2").tobytes()
    count = 1 if samples.ndim == 1 else len(samples)
    info = b"INFOICMT" + struct.pack("<I", len(COMMENT)) + COMMENT
    tail = b"LIST" + struct.pack("<I", len(info)) + info
    sizes = struct.pack("<IHHIIHH", 16, 1, count, rate_hz, 2 * count * rate_hz, 2 * count, 16)
    head = b"RIFF" + struct.pack("<I", 36 + len(data) + len(tail)) + b"WAVEfmt " + sizes
    path.write_bytes(head + b"data" + struct.pack("<I", len(data)) + data + tail)
