"""Pictures of a film at regular times, decoded once and in order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

import av

from extractors.console import LOG
from extractors.container import begin, film_stream, open_media
from extractors.shard import UnreadableError
from extractors.upright import Image, rgb


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


def frames(path: Path, wanted: Iterable[int], per_second: float) -> Iterator[tuple[int, Image | None]]:
    """Pairs of a tick (ascending in `wanted`) and the RGB picture (height, width, 3) that is on the screen then.

    That is the last one that has begun by k / per_second, both rounded to whole frames of the film, but none that
    begins more than half a tick later. It stays until the next one begins. When it is damaged, or none has begun, the
    next one stands in if it is at most half a tick (or a frame) later; else the tick has None. Ticks behind the end of
    the film are left out. UnreadableError when the file is no film at all.
    """
    pending = iter(wanted)
    tick = next(pending, None)
    try:
        container = open_media(path)
    except (av.FFmpegError, OSError) as error:
        raise UnreadableError(f"{path.name} cannot be opened as a video ({error.strerror})") from error
    with container:
        film = _Film(path.name, container)
        half, slack = 0.5 / per_second + 1e-6, max(1.0, film.rate / per_second / 2)
        shown = None
        waiting: list[tuple[int, int]] = []  # ticks without a picture, and their frames
        for index, starts, picture in film.pictures():
            image = None
            while tick is not None:
                frame = film.frame(tick / per_second)
                if index <= frame and starts <= tick / per_second + half:
                    break
                if shown is None:
                    waiting.append((tick, frame))
                else:
                    image = rgb(shown, film.pixel) if image is None else image
                    yield tick, image
                tick = next(pending, None)
            if waiting and picture is not None:
                image = rgb(picture, film.pixel)
                yield from ((tick, image if index - frame <= slack else None) for tick, frame in waiting)
                waiting.clear()
            if tick is None and not waiting:
                return
            shown = picture
        yield from ((tick, None) for tick, _ in waiting)


class _Film:
    """The pictures of an open file in the order of time; one line is logged about all that are damaged."""

    def __init__(self, name: str, container: Any) -> None:
        stream = film_stream(container)
        if stream is None:
            raise UnreadableError(f"{name} has no video stream")
        if stream.codec_context is None:
            raise UnreadableError(f"there is no decoder for the pictures of {name}")
        stream.codec_context.thread_count = 1
        self._name, self._container, self._stream = name, container, stream
        self._unit = stream.time_base or Fraction(1)
        self._zero, self._delay, self._sound_end = begin(container), 0, 0.0
        self._mean = float(1 / stream.average_rate) if stream.average_rate else 0.0
        most = max(stream.average_rate or 0, stream.guessed_rate or 0)  # the mean is low where pictures stand still
        self.rate = float(most or 1 / self._unit)
        self.pixel = stream.sample_aspect_ratio

    def frame(self, seconds: float) -> int:
        """Number of the frame of the film that is nearest to a time."""
        return math.floor(seconds * self.rate + 0.5)

    def pictures(self) -> Iterator[tuple[int, float, av.VideoFrame | None]]:
        """Frame of the film at which a picture begins, ascending, its time in seconds, and it; None if it is damaged.

        The last ones are the end of the film and None. The last picture stays as long as it says, and in a film whose
        pictures stand for different times until the sound has ended, too.
        """
        last, end = -1, 0.0
        steps = set[int]()
        for time, picture in self._decoded():
            seconds = (last + 1) / self.rate if time is None else time
            index = self.frame(seconds)
            if index < last + (picture is None):  # the clock of a file that was joined of several begins again
                continue
            yield index, seconds, picture
            if last >= 0:
                steps.add(index - last)
            last = index
            says = float(picture.duration * self._unit) if picture is not None else 0.0
            end = seconds + max(says or self._mean, 1 / self.rate)
        steps.discard(0)
        if steps and max(steps) > 2 * min(steps):
            end = max(end, self._sound_end)
        yield self.frame(end), end, None

    def _decoded(self) -> Iterator[tuple[float | None, av.VideoFrame | None]]:
        """Pairs of a time in seconds, if the file has any, and a picture; None for one that is damaged."""
        lost: list[int] = []
        first: int | None = None
        damaged = 0
        begun = False
        try:
            for packet in self._packets():
                stamp = packet.dts if packet.pts is None else packet.pts
                try:
                    pictures = packet.decode()
                except av.FFmpegError:
                    damaged += 1
                    if stamp is not None:
                        heappush(lost, stamp)
                    continue
                if first is None and packet.is_keyframe:
                    first = packet.dts
                for picture in pictures:
                    if not begun and self._container.format.name == "avi":
                        # An avi has no time stamps: they count packets, of which those from the first key picture on
                        # give none at once if pictures depend on later ones.
                        self._delay = 0 if first is None else max((picture.pts or 0) - first, 0)
                    begun = True
                    while lost and picture.pts is not None and lost[0] < picture.pts:
                        yield self._seconds(heappop(lost)), None
                    damaged += picture.is_corrupt
                    yield self._seconds(picture.pts), None if picture.is_corrupt else picture
            while begun and lost:
                yield self._seconds(heappop(lost)), None
        finally:
            if damaged:
                LOG.warning("%s: %d of its pictures are damaged", self._name, damaged)

    def _seconds(self, stamp: int | None) -> float | None:
        return None if stamp is None else float((stamp - self._delay) * self._unit) - self._zero

    def _packets(self) -> Iterator[Any]:
        """Packets of pictures; `_sound_end` keeps up with those of sound. An empty one says that a picture stays."""
        packets = self._container.demux(self._stream, *self._container.streams.audio)
        try:
            for packet in packets:
                if packet.stream.type == "audio":
                    if packet.pts is not None:
                        end = float((packet.pts + (packet.duration or 0)) * packet.time_base) - self._zero
                        self._sound_end = max(self._sound_end, end)
                elif packet.size or packet.dts is None:
                    yield packet
        except (av.FFmpegError, IndexError) as error:  # IndexError: a track that comes up in the middle of a file
            LOG.warning("%s: cannot be read to its end (%s)", self._name, getattr(error, "strerror", error))
