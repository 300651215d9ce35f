"""Sound that is decoded from the beginning of its file, on the clock that the pictures have too."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from extractors.console import LOG
from extractors.container import begin, open_media
from extractors.endings import promised_seconds, ragged_end
from extractors.shard import UnreadableError

TOLERANCE_SECONDS, AGREEING = 0.005, 8
"""Sound is moved when the time stamps of so many frames in a row are all that much off, to the same side.

Containers round time stamps (to 1 ms in flv and mkv), and recorders let them tremble about the right time.
"""
OVERLAP_SECONDS = 0.1
"""Sound that comes twice is cut if it is no longer; time stamps that go further back begin anew."""
LONGEST_GAP_SECONDS, LONGEST_GAP_OF_STREAMS = 3600.0, 10.0
"""Longer gaps are no silence but a new clock: in all formats, and in those that are made to be joined."""
STREAMS = ("mpegts", "mpeg", "ogg")
UNTIMED = ("aac", "ac3", "amr", "amrnb", "amrwb", "flac", "mp3")
"""Formats without time stamps; those that FFmpeg makes up are wrong where the sampling rate changes."""
NOTICEABLE_SECONDS = 0.1
"""Shorter gaps are filled without a word; wma has 86 ms before its first sample."""

Span = tuple[float | None, float | None]
"""Begin and end in seconds; None means the track's."""
Piece = tuple[NDArray[np.float32], int]
"""Samples (time, channels) and their rate in hertz."""


class Block(NamedTuple):
    """Samples that follow those of the block before without a gap."""

    start: float
    """seconds at which the run of equal rate and channels begins that the block is in"""
    first: int
    """samples of that run before the block"""
    samples: NDArray[np.float32]
    """(channels, time)"""
    rate: int


class Track:
    """The first sound track of a file, decoded once, in blocks from 0 s on the clock of the file on.

    Time without samples is silence, sound that comes twice is left out, and where time stamps begin anew, as in joined
    files, the sound goes on. Without pictures the clock begins with the sound. What was found is in the fields
    afterwards.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.codec = ""
        """empty if there is no sound track"""
        self.damaged = 0
        """packets that cannot be decoded"""
        self.promised = 0.0
        """end of the sound in seconds by the header or index, if that is not the real one"""
        self.ending = ""
        """why the file may be cut off, if it has no such promise"""
        self._gaps: list[tuple[float, float]] = []
        self._restarts: list[float] = []
        self._changes: list[float] = []
        self._packets = 0
        self._reached = 0.0
        self._last: Any = None

    def blocks(self) -> Iterator[Block]:
        """The sound; an error of PyAV, OSError or ValueError when the file cannot be opened."""
        with open_media(self.path) as container:
            if not container.streams.audio:
                return
            if container.streams.audio[0].codec_context is None:
                raise ValueError("there is no decoder for it")
            self.codec = container.streams.audio[0].codec_context.name
            end = 0.0
            for block in self._placed(container):
                yield block
                end = block.start + (block.first + block.samples.shape[1]) / block.rate
            self.promised = promised_seconds(self.path, container, end, self._packets, self._reached)
            self.ending = ragged_end(self.path, container, self._last)

    def faults(self) -> str:
        """What is wrong with the track as far as it was decoded, in a few words."""
        found = []
        if self.damaged:
            packets = "packet of the sound track is" if self.damaged == 1 else "packets of the sound track are"
            found.append(f"{self.damaged} {packets} damaged")
        if self._gaps:
            found.append(f"no sound from {_listed([f'{start:.3f} to {end:.3f} s' for start, end in self._gaps])}")
        if self._restarts:
            found.append(f"time stamps begin anew at {_listed([f'{at:.3f} s' for at in self._restarts])}")
        if self._changes:
            found.append(f"another sampling rate from {_listed([f'{at:.3f} s' for at in self._changes])} on")
        return "; ".join(found)

    def _placed(self, container: Any) -> Iterator[Block]:
        kind = container.format.name.split(",")[0]
        longest = LONGEST_GAP_OF_STREAMS if kind in STREAMS else LONGEST_GAP_SECONDS
        rate = channels = count = surplus = 0
        start = 0.0
        for frame, step in _steps(self._frames(container), container, kind not in UNTIMED):
            if (rate, channels) != (frame.sample_rate, frame.layout.nb_channels):
                if rate:
                    start, count = start + count / rate, 0
                    self._changes.append(start)
                rate, channels = frame.sample_rate, frame.layout.nb_channels
                to_float = av.AudioResampler("fltp")
            now = start + count / rate
            if -OVERLAP_SECONDS <= step <= longest:
                surplus -= round(step * rate)
            else:
                self._restarts.append(now)
            if -surplus > NOTICEABLE_SECONDS * rate:
                self._gaps.append((now, now - surplus / rate))
            while surplus < 0:
                silence = np.zeros((channels, min(-surplus, rate)), np.float32)
                yield Block(start, count, silence, rate)
                count += silence.shape[1]
                surplus += silence.shape[1]
            samples = np.concatenate([part.to_ndarray() for part in to_float.resample(frame)], axis=1)
            twice = min(surplus, samples.shape[1])
            surplus -= twice
            yield Block(start, count, samples[:, twice:], rate)
            count += samples.shape[1] - twice

    def _frames(self, container: Any) -> Iterator[Any]:
        """Frames of the first sound track; what cannot be decoded is passed over."""
        stream = container.streams.audio[0]
        packets = container.demux()
        endless = container.format.name == "wav"  # it may say that it goes on to the end of the file, whatever that is
        while True:
            try:
                packet = next(packets)
                if packet.pts is not None:
                    self._reached = max(self._reached, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if packet.stream.index == stream.index:
                    if packet.size:
                        self._packets += 1
                        self._last = packet
                    frames = packet.decode()
                    self.damaged += packet.is_corrupt and not endless
                    yield from frames
            except StopIteration:
                return
            except av.FFmpegError:
                self.damaged += 1


def _steps(frames: Iterator[Any], container: Any, timed: bool) -> Iterator[tuple[Any, float]]:
    """Each frame, and by how many seconds it is later than where the frames before it end."""
    pictures = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    lag = begin(container) if timed and pictures else None
    first = True
    for frame, lags in _with_lags(frames, timed):
        before = lags[0] if lag is None else lag
        tolerance = TOLERANCE_SECONDS if len(lags) == AGREEING else OVERLAP_SECONDS  # near the end fewer can agree
        tolerance, first = 0.0 if first else tolerance, False
        if min(lags) > before + tolerance:
            lag = min(lags)
        elif max(lags) < before - tolerance:
            lag = max(lags)
        else:
            lag = before
        yield frame, lag - before


def _with_lags(frames: Iterator[Any], timed: bool) -> Iterator[tuple[Any, list[float]]]:
    """Each frame, with its time stamp less all sound before it in seconds, and those of the frames that follow."""
    waiting: deque[tuple[Any, float]] = deque()
    decoded = lag = 0.0
    for frame in frames:
        if timed and frame.time is not None:
            lag = frame.time - decoded
        decoded += frame.samples / frame.sample_rate
        waiting.append((frame, lag))
        if len(waiting) == AGREEING:
            yield waiting[0][0], [lag for _, lag in waiting]
            waiting.popleft()
    while waiting:
        yield waiting[0][0], [lag for _, lag in waiting]
        waiting.popleft()


def read_track(path: Path, start: float | None, end: float | None) -> list[Piece]:
    """Samples of one span; see `read_spans`."""
    return next(pieces for _, pieces in read_spans(path, [(start, end)]))


def read_spans(path: Path, spans: Sequence[Span]) -> Iterator[tuple[int, list[Piece]]]:
    """Index and samples of spans of the first sound track, as they are complete: a piece per sampling rate.

    Times count from the container's begin, as for its pictures. The track is decoded once, from its beginning, as
    seeking is inexact in some formats. UnreadableError says why there is no sound for the spans that are left; no
    pieces are returned when only the time span has none. What is wrong with the file is logged in one line.
    """
    track = Track(path)
    later = sorted(range(len(spans)), key=lambda index: _begin(spans[index]), reverse=True)
    open_spans: dict[int, list[Block]] = {}
    rate = 0
    try:
        for block in track.blocks():
            rate = block.rate
            behind = block.first + block.samples.shape[1]
            while later and (_begin(spans[later[-1]]) - block.start) * rate < behind:
                open_spans[later.pop()] = []
            for index in list(open_spans):
                start, end = spans[index]
                first = 0 if start is None else max(round((start - block.start) * rate) - block.first, 0)
                last = behind if end is None else round((end - block.start) * rate)
                part = block.samples[:, first : max(last - block.first, 0)]
                open_spans[index].append(block._replace(samples=part))
                if end is not None and behind >= (end - block.start) * rate:
                    yield index, _pieces(open_spans.pop(index))
            if not later and not open_spans:
                return
    except (av.FFmpegError, IndexError, OSError, ValueError) as error:  # IndexError: a track in the middle of a file
        reason = getattr(error, "strerror", None) or error
        raise UnreadableError(f"the sound track of {path.name} cannot be read ({reason})") from error
    finally:
        if faults := track.faults():
            LOG.warning("%s: %s", path.name, faults)
    if not track.codec:
        raise UnreadableError(f"{path.name} has no sound track")
    if not rate:
        raise UnreadableError(f"nothing of the sound track of {path.name} can be decoded")
    for index in sorted({*later, *open_spans}):
        yield index, _pieces(open_spans.get(index, []))


def _pieces(blocks: Sequence[Block]) -> list[Piece]:
    filled = [block for block in blocks if block.samples.shape[1]]
    runs = groupby(filled, key=lambda block: (block.start, block.rate))
    return [(np.concatenate([block.samples for block in run], axis=1).T, rate) for (_, rate), run in runs]


def _begin(span: Span) -> float:
    return -math.inf if span[0] is None else span[0]


def _listed(places: Sequence[str]) -> str:
    return places[0] + (f" and at {len(places) - 1} more places" if len(places) > 1 else "")
