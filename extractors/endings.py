"""Whether a file that is decoded from its beginning has the end that its header or index promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av

from extractors.container import begin
from extractors.corpora.outline import outline
from extractors.sound_file import LONGEST_SECONDS, MAY_BE_CUT, comes_again, unmarked_end

SHORT_SECONDS = 0.15
"""By so much the last frames may differ from what headers say."""
TAIL_BYTES = 1 << 17
"""More than the longest pack of mpg."""
_KILOBITS_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KILOBITS_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
"""Bit rates of layer 3 by the header's index: MPEG 1, and MPEG 2 and 2.5."""


def promised_seconds(path: Path, container: Any, end: float, packets: int, reached: float) -> float:
    """End of the first sound track in seconds by the header or index, if that is not its real `end`; else 0.

    `packets` are those of the track, `reached` is the last time stamp of all tracks.
    """
    stream = container.streams.audio[0]
    kind = _kind(container)
    duration = float((stream.duration or 0) * stream.time_base)
    promised = 0.0
    if kind == "mp3":
        if frames := _mp3_frames(path):
            promised = end + (frames - packets) * (1152 if stream.rate >= 32_000 else 576) / stream.rate
    elif kind == "mov":
        size = path.stat().st_size
        if any(entry.pos + entry.size > size for entry in stream.index_entries):
            promised = duration
    elif kind in ("wv", "tta", "caf", "ape", "flac"):
        promised = duration
    elif kind in ("matroska", "flv", "asf"):  # the length of the longest track
        length = _asf_seconds(path) if kind == "asf" else (container.duration or 0) / av.time_base
        promised = length - begin(container) if length > reached + SHORT_SECONDS else 0.0
    return promised if 0 < promised <= LONGEST_SECONDS and abs(promised - end) > SHORT_SECONDS else 0.0


def ragged_end(path: Path, container: Any, last: Any) -> str:
    """What else is odd about the end of a file; `last` is the last packet of its sound."""
    kind = _kind(container)
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(size - TAIL_BYTES, 0))
        tail = stream.read()
        stream.seek(0)
        head = stream.read(6 if kind in ("amr", "ogg") else 8)
    one_beginning = kind in ("mov", "flv", "amr") or (kind == "ogg" and len(container.streams) == 1)
    if one_beginning and comes_again(path, head):
        return "another file is joined to its end"
    ragged = (
        (last is not None and last.is_corrupt and kind != "wav")  # a wav may say that it goes on to the end
        or (kind == "mpegts" and size % 188 and size % 192)
        or (kind == "ogg" and unmarked_end(path))
        or (kind == "mpeg" and _unfinished_mpeg(tail))
        or (kind == "mp3" and last is not None and _mpeg_audio_bytes(bytes(last)) > last.size)
        or (kind == "avi" and outline(path).reach > size)
    )
    return MAY_BE_CUT if ragged else ""


def _kind(container: Any) -> str:
    return str(container.format.name.split(",")[0])


def _asf_seconds(path: Path) -> float:
    """Length that the header of a file says that is shorter than it says itself; 0 for others."""
    with path.open("rb") as stream:
        head = stream.read(1 << 16)
    place = head.find(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"))  # the file properties
    if place < 0 or int.from_bytes(head[place + 40 : place + 48], "little") <= path.stat().st_size:
        return 0.0
    ticks, preroll = (int.from_bytes(head[place + at : place + at + 8], "little") for at in (64, 80))
    return ticks / 1e7 - preroll / 1e3


def _unfinished_mpeg(tail: bytes) -> bool:
    """Whether a packet behind the last pack header goes on behind the end."""
    place = tail.rfind(b"\0\0\1\xba")
    if place < 0 or len(tail) < place + 14:
        return place >= 0
    place += 14 + (tail[place + 13] & 7) if tail[place + 4] & 0xC0 == 0x40 else 12
    while tail[place : place + 3] == b"\0\0\1" and tail[place + 3 : place + 4] != b"\xb9":
        place += 6 + int.from_bytes(tail[place + 4 : place + 6], "big")
    return place > len(tail) or 0 < len(tail) - place < 4


def _mpeg_audio_bytes(packet: bytes) -> int:
    """Length that the header of a frame of MPEG layer 3 says it has; 0 for other layers and free formats."""
    head = int.from_bytes(packet[:4], "big")
    version, layer, index, sampling = head >> 19 & 3, head >> 17 & 3, head >> 12 & 15, head >> 10 & 3
    if head >> 21 != 0x7FF or version == 1 or layer != 1 or index in (0, 15) or sampling == 3:
        return 0
    kilobits = (_KILOBITS_1 if version == 3 else _KILOBITS_2)[index - 1]
    hertz = (44_100, 48_000, 32_000)[sampling] // {3: 1, 2: 2, 0: 4}[version]
    return (144 if version == 3 else 72) * kilobits * 1000 // hertz + (head >> 9 & 1)


def _mp3_frames(path: Path) -> int:
    """Frames that the first one says there are; 0 if it does not."""
    with path.open("rb") as stream:
        head = stream.read(10)
        if head[:3] == b"ID3" and len(head) == 10:
            size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
            stream.seek(10 + size)
        else:
            stream.seek(0)
        head = stream.read(512)
    for name in (b"Xing", b"Info"):
        place = head.find(name)
        if place >= 0 and len(head) >= place + 12 and head[place + 7] & 1:
            return int.from_bytes(head[place + 8 : place + 12], "big")
    place = head.find(b"VBRI")
    return int.from_bytes(head[place + 14 : place + 18], "big") if place >= 0 else 0
