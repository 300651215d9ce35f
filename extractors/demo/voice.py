"""Spoken sentences: eSpeak NG with twelve voices, and emotion as prosody and spectral tilt."""

from __future__ import annotations

import ctypes
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from extractors.demo.plan import Turn

RATE_HZ = 16000
PADDING_SECONDS = 0.05
ROUGHNESS_HZ = 70
VARIANTS = {
    **{"1F": ("f2", 44), "2F": ("f3", 52), "3F": ("f4", 40), "4F": ("linda", 36), "5F": ("f1", 48), "6F": ("f5", 42)},
    **{"1M": ("m3", 46), "2M": ("m1", 54), "3M": ("m4", 42), "4M": ("m7", 50), "5M": ("m2", 38), "6M": ("m5", 48)},
}
"""Speaker to voice variant and middle of the pitch range (0 to 99)."""


@dataclass(frozen=True)
class Prosody:
    """How something is said; `gain` is the largest sample value.

    Rate in words a minute; pitch (relative to the speaker's own) and range as eSpeak counts them; tilt of the spectrum
    in dB an octave; size as a factor on all frequencies; rough as a share of the loudness.
    """

    rate: float
    pitch: float
    range: float
    tilt: float
    size: float
    rough: float
    gain: float


PROSODY = {
    "ang": Prosody(rate=240, pitch=6, range=60, tilt=11, size=0.98, rough=0.9, gain=0.55),
    "hap": Prosody(rate=205, pitch=42, range=95, tilt=4, size=1.22, rough=0, gain=0.4),
    "neu": Prosody(rate=180, pitch=0, range=40, tilt=-1, size=1, rough=0, gain=0.25),
    "sad": Prosody(rate=140, pitch=-28, range=10, tilt=-12, size=0.82, rough=0, gain=0.15),
}
SPREAD = Prosody(rate=12, pitch=5, range=10, tilt=1.0, size=0.02, rough=0.05, gain=0.03)


def say_all(turns: Sequence[Turn], seed: int) -> list[NDArray[np.float32]]:
    """The sound of every turn at 16 kHz, padded with a little silence.

    eSpeak carries state from one sentence to the next and cannot be reset, so all turns are spoken in order by one
    fresh process: the same turns and seed give the same samples.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_say_all, tuple(turns), seed).result()


def _say_all(turns: Sequence[Turn], seed: int) -> list[NDArray[np.float32]]:
    engine = _Engine(seed)
    return [_say(engine, turn) for turn in turns]


def _say(engine: _Engine, turn: Turn) -> NDArray[np.float32]:
    random = np.random.default_rng([turn.seed, 1])
    style = _prosody(turn, random)
    variant, pitch = VARIANTS[turn.speaker]
    words = turn.text.rsplit("] ", 1)[-1]
    sound = engine.say(words, f"en-us+{variant}", style.rate / style.size, pitch + style.pitch, style.range)
    sound = _rough(_tilted(_resized(sound, style.size), style.tilt), style.rough)
    silence = np.zeros(round(PADDING_SECONDS * RATE_HZ))
    sound = np.concatenate([silence, sound * (style.gain / np.abs(sound).max()), silence])
    return sound.astype(np.float32)


def _prosody(turn: Turn, random: np.random.Generator) -> Prosody:
    """The neutral way of speaking, moved towards the cue's by its strength, with a person's variation."""
    neutral, aim = PROSODY["neu"], PROSODY[turn.voice.emotion]
    values = {}
    for name, middle in neutral.__dict__.items():
        value = middle + turn.voice.strength * (getattr(aim, name) - middle)
        values[name] = value + getattr(SPREAD, name) * random.standard_normal()
    values["gain"] = min(max(values["gain"], 0.08), 0.7)
    return Prosody(**values)


def _resized(sound: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    """`sound` as from a vocal tract that is shorter by the factor `size`: all frequencies are multiplied by it."""
    times = np.arange(0, len(sound) - 1, size)
    return np.asarray(np.interp(times, np.arange(len(sound)), sound))


def _rough(sound: NDArray[np.float64], rough: float) -> NDArray[np.float64]:
    """`sound` with its loudness trembling 70 times a second by the share `rough`."""
    return sound * (1 - min(max(rough, 0), 1) * np.sin(np.pi * ROUGHNESS_HZ * np.arange(len(sound)) / RATE_HZ) ** 2)


def _tilted(sound: NDArray[np.float64], tilt: float) -> NDArray[np.float64]:
    """`sound` with its spectrum turned about 1 kHz by `tilt` dB an octave, between 125 Hz and 8 kHz."""
    spectrum = np.fft.rfft(sound)
    hertz = np.clip(np.fft.rfftfreq(len(sound), 1 / RATE_HZ), 125, 8000)
    gain = 10 ** (tilt * np.log2(hertz / 1000) / 20)
    return np.fft.irfft(spectrum * gain, len(sound))


class _Engine:
    """libespeak-ng by ctypes: sentences are handed back sample by sample instead of being played."""

    SYNCHRONOUS, UTF8 = 2, 1
    RATE, PITCH, RANGE = 1, 3, 4

    def __init__(self, seed: int) -> None:
        import espeakng_loader

        self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.rate_hz: int = self.library.espeak_Initialize(self.SYNCHRONOUS, 0, data, 0)
        if self.rate_hz <= 0:
            raise RuntimeError(f"eSpeak NG did not start with its data in {data.decode()}")
        self.library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self.receiver = kind(self._receive)
        self.library.espeak_SetSynthCallback(self.receiver)
        self.pieces: list[NDArray[np.int16]] = []

    def _receive(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: int) -> int:
        if samples and count:
            self.pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def say(self, text: str, voice: str, rate: float, pitch: float, pitch_range: float) -> NDArray[np.float64]:
        """`text` at 16 kHz, largest value about 1."""
        from scipy.signal import resample_poly

        if self.library.espeak_SetVoiceByName(voice.encode()):
            raise RuntimeError(f"eSpeak NG has no voice {voice}")
        for parameter, value in ((self.RATE, rate), (self.PITCH, pitch), (self.RANGE, pitch_range)):
            limits = (80, 400) if parameter == self.RATE else (0, 99)
            self.library.espeak_SetParameter(parameter, round(min(max(value, limits[0]), limits[1])), 0)
        self.pieces.clear()
        line = text.encode()
        self.library.espeak_Synth(line, ctypes.c_size_t(len(line) + 1), 0, 0, 0, self.UTF8, None, None)
        common = gcd(RATE_HZ, self.rate_hz)
        sound = np.concatenate(self.pieces) / 32768
        return np.asarray(resample_poly(sound, RATE_HZ // common, self.rate_hz // common))
