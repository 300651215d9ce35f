"""Waveforms of utterances: mono, 16 kHz, from audio files or the sound tracks of videos."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.console import LOG
from extractors.corpora import Utterance
from extractors.shard import UnreadableError, media
from extractors.sound_file import FASTEST_HZ, SLOWEST_HZ, around_damage, open_sound
from extractors.sound_track import Piece, read_spans, read_track

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
                yield row, _wave(path, found)
        except UnreadableError as problem:
            yield row, problem
    for path, sharing in tracks.items():
        yield from _read_track(path, sharing)


def read_wave(path: Path, start: float | None, end: float | None) -> Wave:
    """Mono samples at 16 kHz between two times in seconds (None: the file's ends), the mean of all channels.

    The file is anything that soundfile reads, or a video with a sound track. UnreadableError says why there are none.
    """
    found = _samples(path, start, end)
    return _wave(path, read_track(path, start, end) if found is None else found)


def _read_track(path: Path, rows: list[Utterance]) -> Iterator[tuple[Utterance, Wave | UnreadableError]]:
    waiting = dict(enumerate(rows))
    try:
        for index, pieces in read_spans(path, [(row.audio_start, row.audio_end) for row in rows]):
            try:
                wave: Wave | UnreadableError = _wave(path, pieces)
            except UnreadableError as problem:
                wave = problem
            yield waiting.pop(index), wave
    except UnreadableError as problem:
        for row in waiting.values():
            yield row, problem


def _samples(path: Path, start: float | None, end: float | None) -> list[Piece] | None:
    """Samples of the span, or None if the file is to be decoded from its beginning."""
    import soundfile

    try:
        file = open_sound(path)
        if file is None:
            return None
        with file:
            first = min(round((start or 0.0) * file.samplerate), file.frames)
            last = file.frames if end is None else min(round(end * file.samplerate), file.frames)
            try:
                file.seek(first)
                samples = file.read(max(last - first, 0), dtype="float32", always_2d=True)
            except soundfile.SoundFileError:
                if file.format != "FLAC":
                    raise
                blocks = list(around_damage(path, first, last))
                LOG.warning("%s: damaged or cut off; what cannot be read is silence", path.name)
                samples = np.concatenate([np.zeros((0, file.channels), np.float32), *(block for block, _ in blocks)])
                return [(samples, file.samplerate)]
            return [(samples, file.samplerate)] if len(samples) == max(last - first, 0) else None
    except TypeError as error:
        raise UnreadableError(f"{path.name} cannot be read (no header says its sampling rate)") from error
    except (OSError, ValueError, soundfile.SoundFileError) as error:
        if path.suffix.lower() == ".wav":
            reason = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
            raise UnreadableError(f"{path.name} cannot be read ({reason})") from error
    return None


def _wave(path: Path, pieces: Sequence[Piece]) -> Wave:
    parts = [_resampled(path, samples, rate) for samples, rate in pieces if len(samples)]
    if not parts:
        raise UnreadableError(f"{path.name} has no samples in the utterance's time span")
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _resampled(path: Path, samples: NDArray[np.float32], rate: int) -> Wave:
    import torch
    from torchaudio.functional import resample

    common = math.gcd(rate, RATE_HZ)
    if not SLOWEST_HZ <= rate <= FASTEST_HZ or rate // common * (RATE_HZ // common) > LARGEST_FILTER:
        raise UnreadableError(f"{path.name} has a sampling rate of {rate} Hz")
    if not np.isfinite(samples).all():
        raise UnreadableError(f"{path.name} has samples that are not finite")
    mono: Wave = samples.mean(axis=1)
    return mono if rate == RATE_HZ else resample(torch.from_numpy(mono), rate, RATE_HZ).numpy()
