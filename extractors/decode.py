"""Frames of a video at regular times, decoded once and in order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from extractors.console import LOG
from extractors.container import begin, open_media
from extractors.shard import UnreadableError


def ticks(start: float | None, end: float | None, per_second: float) -> range:
    """The k with start <= k / per_second < end, times in seconds; at least the one nearest to the middle.

    Without a start they begin at 0, without an end they go on for ever.
    """
    first = math.ceil((start or 0.0) * per_second - 1e-6)
    if end is None:
        return range(first, 2**62)
    stop = math.ceil(end * per_second - 1e-6)
    if stop <= first:
        first = round(((start or 0.0) + end) / 2 * per_second)
        stop = first + 1
    return range(first, stop)


def frames(path: Path, wanted: Iterable[int], per_second: float) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Pairs of a tick (ascending in `wanted`) and its RGB frame (height, width, 3); one frame is in memory at a time.

    Tick k shows frame round(k / per_second * rate), with the container's rate. When that one is damaged, the next
    frame stands in if it is at most half a tick later; ticks without a frame are left out, so a truncated file simply
    ends early. UnreadableError when the file is no video at all.
    """
    pending = iter(wanted)
    tick = next(pending, None)
    try:
        container = open_media(path)
    except (av.FFmpegError, OSError) as error:
        raise UnreadableError(f"{path.name} cannot be opened as a video ({error.strerror})") from error
    with container:
        rate = _rate(container, path)
        slack = max(1.0, rate / per_second / 2)
        for index, frame in _decoded(container, rate):
            image = None
            while tick is not None and (late := index - math.floor(tick / per_second * rate + 0.5)) >= 0:
                if late <= slack:
                    image = frame.to_ndarray(format="rgb24") if image is None else image
                    yield tick, image
                tick = next(pending, None)
            if tick is None:
                return


def _rate(container: Any, path: Path) -> float:
    if not container.streams.video:
        raise UnreadableError(f"{path.name} has no video stream")
    stream = container.streams.video[0]
    rate = stream.average_rate or stream.guessed_rate
    if not rate:
        raise UnreadableError(f"{path.name} does not say how many frames a second it has")
    return float(rate)


def _decoded(container: Any, rate: float) -> Iterator[tuple[int, Any]]:
    """Pairs of a frame's index (from its time stamp, so that one that fails to decode shifts nothing) and the frame."""
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    zero = begin(container)
    index = -1
    for packet in _packets(container, stream):
        try:
            decoded = packet.decode()
        except av.FFmpegError as error:
            LOG.warning("%s: damaged after frame %d (%s)", container.name, index, error.strerror)
            continue
        for frame in decoded:
            seconds = None if frame.pts is None else float(frame.pts * stream.time_base) - zero
            index = index + 1 if seconds is None else math.floor(seconds * rate + 0.5)
            yield index, frame


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    try:
        yield from container.demux(stream)
    except av.FFmpegError as error:
        LOG.warning("%s: cannot be read to its end (%s)", container.name, error.strerror)
