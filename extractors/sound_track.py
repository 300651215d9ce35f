"""The sound track of a video file, for files that soundfile does not read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from extractors.console import LOG
from extractors.shard import UnreadableError

JUMP_SECONDS = 0.1
"""Time stamps may be this far from where the samples so far end; containers round them, to 1 ms in flv."""


def read_track(path: Path, start: float | None, end: float | None) -> tuple[NDArray[np.float32], int]:
    """Samples (time, channels) of the first sound track between two times in seconds, and their rate in hertz.

    Times count from the container's begin, as for its pictures; None means the track's ends. The track is decoded
    from its beginning, as seeking is inexact in some formats. Damaged parts are left out. UnreadableError says why
    there is no sound at all; no samples are returned when only the time span has none.
    """
    try:
        with av.open(str(path), metadata_errors="ignore") as container:  # titles and such need not be UTF-8
            if not container.streams.audio:
                raise UnreadableError(f"{path.name} has no sound track")
            begin = (container.start_time or 0) / av.time_base
            return _between(path, _frames(container), begin, start, end)
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableError(f"the sound track of {path.name} cannot be read ({reason})") from error


def _between(
    path: Path, frames: Iterator[Any], begin: float, start: float | None, end: float | None
) -> tuple[NDArray[np.float32], int]:
    to_float = av.AudioResampler("fltp")
    pieces: list[NDArray[np.float32]] = []
    position = rate = 0
    for frame in frames:
        rate = frame.sample_rate
        stamp = position if frame.time is None else round((frame.time - begin) * rate)
        if not pieces or abs(stamp - position) > JUMP_SECONDS * rate:
            position = stamp
        samples = np.concatenate([part.to_ndarray() for part in to_float.resample(frame)], axis=1)  # (channels, time)
        first = 0 if start is None else max(round(start * rate) - position, 0)
        last = samples.shape[1] if end is None else max(round(end * rate) - position, 0)
        pieces.append(samples[:, first:last])
        position += samples.shape[1]
        if end is not None and position >= end * rate:
            break
    if not pieces:
        raise UnreadableError(f"nothing of the sound track of {path.name} can be decoded")
    return np.concatenate(pieces, axis=1).T, rate


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
