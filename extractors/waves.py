"""Waveforms of utterances: mono, 16 kHz, from audio files or the sound tracks of videos."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.corpora import Utterance
from extractors.corpora.sounds import FASTEST_HZ, LONGEST_SECONDS, SLOWEST_HZ
from extractors.shard import UnreadableError, media

RATE_HZ = 16_000
LARGEST_FILTER = 200_000_000
"""Values of the filter from one rate to the other: 70,560 from 44.1 kHz, 89 million (0.7 GB) from 22,254 Hz."""
Wave = NDArray[np.float32]


def read_waves(root: Path, rows: Iterable[Utterance]) -> Iterator[tuple[Utterance, Wave | UnreadableError]]:
    """The waveform of each row, or why there is none; a sound track that rows share is decoded once, after the rest."""
    tracks: dict[Path, list[Utterance]] = {}
    for row in rows:
        try:
            path = media(root, row.audio)
            found = _samples(path, row.audio_start, row.audio_end)
            if found is None:
                tracks.setdefault(path, []).append(row)
            else:
                yield row, _wave(path, *found)
        except UnreadableError as problem:
            yield row, problem
    for path, sharing in tracks.items():
        yield from _read_track(path, sharing)


def read_wave(path: Path, start: float | None, end: float | None) -> Wave:
    """Mono samples at 16 kHz between two times in seconds (None: the file's ends); channels are averaged.

    The file is anything that soundfile reads, or a video with a sound track. UnreadableError says why there are none.
    """
    from extractors.sound_track import read_track

    return _wave(path, *(_samples(path, start, end) or read_track(path, start, end)))


def _read_track(path: Path, rows: list[Utterance]) -> Iterator[tuple[Utterance, Wave | UnreadableError]]:
    from extractors.sound_track import read_spans

    waiting = dict(enumerate(rows))
    try:
        for index, samples, rate in read_spans(path, [(row.audio_start, row.audio_end) for row in rows]):
            try:
                wave: Wave | UnreadableError = _wave(path, samples, rate)
            except UnreadableError as problem:
                wave = problem
            yield waiting.pop(index), wave
    except UnreadableError as problem:
        for row in waiting.values():
            yield row, problem


def _samples(path: Path, start: float | None, end: float | None) -> tuple[NDArray[np.float32], int] | None:
    """Samples (time, channels) and their rate in hertz; None if it is no file of sound alone."""
    import soundfile

    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:  # a str has to be UTF-8
            # More is damage, or a stream of unknown length: libsndfile then says 2**63 - 1.
            if file.frames <= LONGEST_SECONDS * file.samplerate:
                first = round((start or 0.0) * file.samplerate)
                last = file.frames if end is None else min(round(end * file.samplerate), file.frames)
                file.seek(min(first, file.frames))
                return file.read(max(last - first, 0), dtype="float32", always_2d=True), file.samplerate
    except TypeError as error:
        raise UnreadableError(f"{path.name} cannot be read (no header says its sampling rate)") from error
    except soundfile.SoundFileError as error:
        if path.suffix.lower() == ".wav":
            reason = getattr(error, "error_string", error)  # the error itself has the whole path
            raise UnreadableError(f"{path.name} cannot be read ({reason})") from error
    return None


def _wave(path: Path, samples: NDArray[np.float32], rate: int) -> Wave:
    import torch
    from torchaudio.functional import resample

    common = math.gcd(rate, RATE_HZ)
    if not SLOWEST_HZ <= rate <= FASTEST_HZ or rate // common * (RATE_HZ // common) > LARGEST_FILTER:
        raise UnreadableError(f"{path.name} has a sampling rate of {rate} Hz")
    if not len(samples):
        raise UnreadableError(f"{path.name} has no samples in the utterance's time span")
    if not np.isfinite(samples).all():
        raise UnreadableError(f"{path.name} has samples that are not finite")
    mono: Wave = samples.mean(axis=1)
    return mono if rate == RATE_HZ else resample(torch.from_numpy(mono), rate, RATE_HZ).numpy()
