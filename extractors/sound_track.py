"""The sound track of a video file, for files that soundfile does not read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from extractors.console import LOG
from extractors.container import begin, open_media
from extractors.shard import UnreadableError

JUMP_SECONDS = 0.1
"""Time stamps may be this far from where the samples so far end; containers round them, to 1 ms in flv."""


Span = tuple[float | None, float | None]
"""Begin and end in seconds; None means the track's."""


def read_track(path: Path, start: float | None, end: float | None) -> tuple[NDArray[np.float32], int]:
    """Samples (time, channels) of one span, and their rate in hertz; see `read_spans`."""
    return next((samples, rate) for _, samples, rate in read_spans(path, [(start, end)]))


def read_spans(path: Path, spans: Sequence[Span]) -> Iterator[tuple[int, NDArray[np.float32], int]]:
    """Index, samples (time, channels) and rate in hertz of spans of the first sound track, as they are complete.

    Times count from the container's begin, as for its pictures. The track is decoded once, from its beginning, as
    seeking is inexact in some formats. Damaged parts are left out. UnreadableError says why there is no sound for the
    spans that are left; no samples are returned when only the time span has none.
    """
    try:
        with open_media(path) as container:
            if not container.streams.audio:
                raise UnreadableError(f"{path.name} has no sound track")
            yield from _between(path, _frames(container), begin(container), spans)
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableError(f"the sound track of {path.name} cannot be read ({reason})") from error


def _between(
    path: Path, frames: Iterator[Any], begin: float, spans: Sequence[Span]
) -> Iterator[tuple[int, NDArray[np.float32], int]]:
    to_float = av.AudioResampler("fltp")
    later = sorted(range(len(spans)), key=lambda index: _begin(spans[index]), reverse=True)
    pieces: dict[int, list[NDArray[np.float32]]] = {}
    position = rate = channels = 0
    for frame in frames:
        stamp = position if frame.time is None else round((frame.time - begin) * frame.sample_rate)
        if not rate or abs(stamp - position) > JUMP_SECONDS * frame.sample_rate:
            position = stamp
        rate = frame.sample_rate
        samples = np.concatenate([part.to_ndarray() for part in to_float.resample(frame)], axis=1)  # (channels, time)
        channels = len(samples)
        behind = position + samples.shape[1]
        while later and _begin(spans[later[-1]]) * rate < behind:
            pieces[later.pop()] = []
        for index in list(pieces):
            start, end = spans[index]
            first = 0 if start is None else max(round(start * rate) - position, 0)
            last = samples.shape[1] if end is None else max(round(end * rate) - position, 0)
            pieces[index].append(samples[:, first:last])
            if end is not None and behind >= end * rate:
                yield index, np.concatenate(pieces.pop(index), axis=1).T, rate
        position = behind
        if not later and not pieces:
            return
    if not rate:
        raise UnreadableError(f"nothing of the sound track of {path.name} can be decoded")
    for index in sorted({*later, *pieces}):
        yield index, np.concatenate([np.zeros((channels, 0), np.float32), *pieces.get(index, [])], axis=1).T, rate


def _begin(span: Span) -> float:
    return -math.inf if span[0] is None else span[0]


def _frames(container: Any) -> Iterator[Any]:
    """Frames of the first sound track; what cannot be decoded is passed over."""
    packets = container.demux(container.streams.audio[0])
    damaged = 0
    try:
        while True:
            try:
                yield from next(packets).decode()
            except StopIteration:
                return
            except av.FFmpegError:
                damaged += 1
    finally:
        if damaged:
            LOG.warning("%s: %d packets of the sound track are damaged", Path(container.name).name, damaged)
