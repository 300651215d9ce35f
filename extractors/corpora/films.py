"""Whether the pictures of an utterance can be used at all, judged from packets and the first picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from extractors.container import begin, film_stream, open_media
from extractors.corpora.outline import outline
from extractors.corpora.paths import one_line

SPOTS, SPOT_BYTES = 16, 32
"""Places of an index at which the file is looked at; nothing but zeros is a hole, as in a download that broke off."""
BACK_SECONDS = 1.0
"""Time stamps that go back by more belong to another recording."""
WRONG_SECONDS = 0.2
"""A length in a header that is wrong by more gets a remark."""
LONGER_SECONDS = 0.5
"""Sound that is longer by more may keep the last picture on the screen."""
BEHIND_BYTES = 1024
"""More that belong to no part of a file get a remark."""
CUT = "cut off, the last picture is at"
FOLLOWING = "several recordings in one file, one after the other"
JOINED = "several recordings in one file, the last picture of the first is at"


@dataclass(frozen=True)
class Film:
    """What a file has to be seen: why it cannot be used (empty if it can), and how far it goes."""

    problem: str = ""
    breaks_off: float | None = None
    """time of the last picture in seconds, when there should be more"""
    seconds: float = 0.0
    """length by time stamps; of a film that breaks off by its header, 0 if that does not say"""
    silent: bool = False
    """there is no sound track"""
    how: str = CUT
    """in which way a film breaks off"""
    odd: str = ""


def film(path: Path) -> Film:
    """Pictures of a video file; decodes the first one, and reads all packets unless an index can be trusted."""
    try:
        size = path.stat().st_size
        if size == 0:
            return Film("empty file")
        with open_media(path) as container:
            stream = film_stream(container)
            if stream is None:
                return Film("no video stream")
            if stream.codec_context is None:
                return Film("unreadable (no decoder for its pictures)")
            units = outline(path)
            cut, joined = units.reach > size, units.recordings > 1
            track = _Track(container, stream)
            trusted = not cut and not joined and track.indexed() and _filled(path, stream)
            track.read(only_first=trusted)
            if not track.decoded:
                return Film("no picture can be decoded")
            if trusted:
                track.skip_to_the_end()
            silent = not container.streams.audio
            first_only = track.again or (joined and not track.goes_on())
            if first_only or track.ends_damaged or ((cut or track.stopped) and not track.complete(size)):
                return Film("", track.last, track.promised, silent, JOINED if first_only else CUT)
            odd = FOLLOWING if joined else track.odd(size - units.reach if units.reach else 0)
            return Film("", None, track.length(), silent, odd=odd)
    except Exception as error:  # damaged files make decoders raise all sorts; one file costs its own rows
        return Film(f"unreadable ({one_line(error)})")


class _Track:
    """What the packets of an open film tell; times in seconds of the clock that sound and picture share."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream, self._zero = container, stream, begin(container)
        names = container.format.name.split(",")
        self._avi, self._mov, self._says = "avi" in names, "mov" in names, {"matroska", "flv", "asf"} & {*names}
        self._frame = float(1 / stream.average_rate) if stream.average_rate else 0.0
        self._least = float(1 / max(stream.average_rate, stream.guessed_rate or 0)) if stream.average_rate else 0.0
        self._duration = (container.duration or 0) / 1e6
        self._begins: list[float] = []
        self._damaged = 0
        self._others_end = self._end = self.last = 0.0
        self.decoded = self.again = self.stopped = self.ends_damaged = False

    @property
    def promised(self) -> float:
        """Length by the header, 0 if it does not say."""
        if self._avi:
            return float(self._stream.frames) * self._frame
        if self._mov:
            return float((self._stream.duration or 0) * self._stream.time_base)
        return self._duration if self._says else 0.0

    def indexed(self) -> bool:
        """The header has as many pictures as the index, and the sound is not much longer."""
        stream = self._stream
        entries, frames = stream.index_entries, stream.frames
        if not frames or not len(entries) or self._duration - self.promised > LONGER_SECONDS:
            return False
        # An avi counts repeated pictures, which its index leaves out.
        return abs(entries[-1].timestamp + 1 - frames) <= 2 if self._avi else self._mov and len(entries) == frames

    def complete(self, size: int) -> bool:
        """No picture is missing, although the file lacks bytes."""
        if self._avi:
            return self.last > self.promised - 2 * self._frame
        if self._mov:
            entries = self._stream.index_entries
            return bool(self._stream.frames == len(entries) and entries[-1].pos + entries[-1].size <= size)
        return bool(self._says) and 0 < self._duration <= max(self._end, self._others_end) + 2 * self._frame

    def length(self) -> float:
        """Seconds up to the end of the last picture; it may stay until the sound ends, see `extractors.decode`."""
        begins = sorted(self._begins)
        steps = [after - before for before, after in pairwise(begins) if after > before]
        stands = bool(steps) and max(steps) > 2.5 * min(steps)
        return max(self._end, self._others_end) if stands else self._end

    def goes_on(self) -> bool:
        """The pictures of several recordings follow each other on one clock."""
        return 0 < self.promised < self._end - LONGER_SECONDS

    def odd(self, behind: int) -> str:
        """What is wrong with a film whose pictures are all there; it has bytes `behind` it, or too few if negative."""
        if self._damaged:
            return f"{self._damaged} of its pictures are damaged"
        if behind > BEHIND_BYTES:
            return f"{behind} bytes are damaged, or lie behind its end"
        if behind < 0:
            return f"the last {-behind} bytes are missing, but no picture"
        says, has = self.promised, self._end if self._avi or self._mov else max(self._end, self._others_end)
        return f"its header says {says:.3f} s, it has {has:.3f} s" if says and abs(says - has) > WRONG_SECONDS else ""

    def read(self, only_first: bool = False) -> None:
        """Packets up to the end or to the first picture; ends where another recording begins, or damage ends all."""
        latest = None
        for packet in self._packets():
            if packet.stream.index != self._stream.index:
                if packet.pts is not None:
                    self._others_end = max(self._others_end, self._time(packet.pts + (packet.duration or 0), packet))
                continue
            self.decoded = self.decoded or _decodes(packet)
            stamp = packet.dts if self._avi or packet.pts is None else packet.pts
            if packet.size:
                order = None if packet.dts is None else self._time(packet.dts, packet)
                if latest is not None and order is not None and order < latest - BACK_SECONDS:
                    self.again = True
                    return
                latest = order
                self._note(packet, len(self._begins) * self._frame if stamp is None else self._time(stamp, packet))
            if only_first and self.decoded:
                return

    def _packets(self) -> Iterator[Any]:
        import av

        try:
            yield from self._container.demux()
        except av.FFmpegError:
            self.stopped = True

    def skip_to_the_end(self) -> None:
        """Leave out packets up to the last picture that others depend on; the index of an avi counts frames."""
        stamp = self._stream.index_entries[-1].timestamp
        if self._avi:
            self._end = (stamp + 1) * self._frame
        else:
            self._container.seek(stamp, stream=self._stream)
            self._begins.clear()
            self.read()

    def _note(self, packet: Any, begins: float) -> None:
        self.ends_damaged = packet.is_corrupt or not (_raw(self._stream) or any(bytes(packet)[:SPOT_BYTES]))
        self._damaged += self.ends_damaged
        if not self.ends_damaged:
            self._begins.append(begins)
            self.last = max(self.last, begins)
            says = float((packet.duration or 0) * packet.time_base)
            self._end = max(self._end, begins + max(says or self._frame, self._least))

    def _time(self, stamp: int, packet: Any) -> float:
        return float(stamp * packet.time_base) - self._zero


def _decodes(packet: Any) -> bool:
    import av

    if not packet.size and packet.dts is not None:  # says that a picture stays
        return False
    try:
        return bool(packet.decode())
    except av.FFmpegError:
        return False


def _filled(path: Path, stream: Any) -> bool:
    """Some bytes of pictures that the index names are there, in the file and not all zero."""
    entries = stream.index_entries
    size = path.stat().st_size
    with path.open("rb") as file:
        for place in range(SPOTS):
            entry = entries[(len(entries) - 1) * (place + 1) // SPOTS]
            file.seek(entry.pos)
            if entry.pos + entry.size > size or not (_raw(stream) or any(file.read(SPOT_BYTES))):
                return False
    return True


def _raw(stream: Any) -> bool:
    """Pictures are stored as they are, so that a black one may be nothing but zeros."""
    return stream.codec_context.name in ("rawvideo", "r210", "r10k", "v210", "v308", "v408", "v410")
