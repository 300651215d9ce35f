"""How many bytes a media file must have by the units that it is made of: chunks, boxes, elements, pages, packets."""

from __future__ import annotations

from collections.abc import Callable
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO, NamedTuple

BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp", b"moof", b"pnot")
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
EBML, SEGMENT, CLUSTER, VOID = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0xEC
FLV_TAGS = (8, 9, 18)
TS_PACKETS = ((0, 188), (4, 192), (0, 204))
"""Place of the first sync byte and length of packets."""


class Outline(NamedTuple):
    """Bytes up to the end of the last unit, 0 if that is not known, and how many recordings follow each other."""

    reach: int = 0
    recordings: int = 1


def outline(path: Path) -> Outline:
    """What a file of avi, mp4 and its kin, mkv, webm, wmv, ogg, flv, mpg or ts has to be; OSError if it is not there.

    Reads the heads of units only. Units of unknown length, and what is none, end the search.
    """
    with path.open("rb") as file:
        head = file.read(1024)
        for known, walk in KINDS:
            if known(head):
                return walk(file)
    return Outline()


def _at(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(min(place, 2**40))  # a damaged length may be more than a file can have
    return file.read(count)


def _riff(file: BinaryIO) -> Outline:
    place = reach = recordings = 0
    while len(head := _at(file, place, 12)) == 12 and head[:4] == b"RIFF" and head[8:] in (b"AVI ", b"AVIX"):
        recordings += head[8:] == b"AVI "
        length = int.from_bytes(head[4:8], "little")
        if not length:  # a recording that was not closed
            return Outline(0, recordings)
        reach = place + 8 + length
        place = reach + reach % 2
    return Outline(reach, recordings)


def _boxes(file: BinaryIO) -> Outline:
    place = recordings = 0
    while len(head := _at(file, place, 16)) >= 8 and head[4:8].strip().isalnum():
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        recordings += head[4:8] == b"moov"
        if length < 8:  # 0: up to the end of the file
            return Outline(0, recordings)
        place += length
    return Outline(place, recordings)


def _elements(file: BinaryIO) -> Outline:
    size = file.seek(0, SEEK_END)
    place = reach = recordings = inside = 0
    while head := _at(file, place, 12):
        wide = 9 - head[0].bit_length()
        if wide > 4 or len(head) <= wide or not head[wide]:
            break
        name = int.from_bytes(head[:wide], "big")
        if place >= inside and name not in (EBML, SEGMENT, VOID):
            break
        long = 9 - head[wide].bit_length()
        length = int.from_bytes(head[wide : wide + long], "big") & ((1 << 7 * long) - 1)
        known = length != (1 << 7 * long) - 1
        recordings += name == EBML
        place += wide + long
        reach = max(reach, place + length * known)
        if name == SEGMENT:
            inside = place + length
        if name not in (SEGMENT, CLUSTER):  # whose parts come next
            if not known:
                return Outline(0, recordings)
            place += length
    return Outline(reach if reach > size else place, recordings)


def _objects(file: BinaryIO) -> Outline:
    place = recordings = 0
    while len(head := _at(file, place, 24)) == 24 and head[0]:
        recordings += head[:16] == ASF
        length = int.from_bytes(head[16:], "little")
        if length < 24:  # a recording that was not closed
            return Outline(0, recordings)
        place += length
    return Outline(place, recordings)


def _pages(file: BinaryIO) -> Outline:
    place, recordings, opening = 0, 0, False
    while (head := _at(file, place, 282))[:4] == b"OggS":
        first = bool(len(head) > 5 and head[5] & 2)
        recordings += first and not opening
        opening = first
        place += 27 + sum(head[26:27]) + sum(head[27 : 27 + sum(head[26:27])])
    return Outline(place, recordings)


def _tags(file: BinaryIO) -> Outline:
    place, recordings = int.from_bytes(_at(file, 5, 4), "big") + 4, 1
    while len(head := _at(file, place, 11)) == 11 and head[0] & 31 in FLV_TAGS:
        place += 11 + int.from_bytes(head[1:4], "big") + 4
    return Outline(place, recordings + (head[:3] == b"FLV"))


def _packs(file: BinaryIO) -> Outline:
    place = 0
    while len(head := _at(file, place, 14)) >= 4 and head[:3] == b"\0\0\1" and head[3] >= 0xB9:
        if head[3] == 0xB9:
            place += 4
        elif head[3] == 0xBA:
            place += 14 + (sum(head[13:14]) & 7) if sum(head[4:5]) >> 6 == 1 else 12
        else:
            place += 6 + int.from_bytes(head[4:6], "big")
    return Outline(place)


def _transport(file: BinaryIO) -> Outline:
    head = _at(file, 0, 1024)
    start, length = next(packets for packets in TS_PACKETS if _synchronous(head, *packets))
    place = 0
    while block := _at(file, place, 4096 * length):
        marks = block[start::length]
        if strange := marks.translate(None, b"\x47"):
            return Outline(place + marks.index(strange[:1]) * length)
        place += len(marks) * length
    return Outline(place)


def _synchronous(head: bytes, start: int, length: int) -> bool:
    return len(head) > start + 3 * length and set(head[start::length][:4]) == {0x47}


KINDS: tuple[tuple[Callable[[bytes], bool], Callable[[BinaryIO], Outline]], ...] = (
    (lambda head: head[:4] == b"RIFF" and head[8:12] == b"AVI ", _riff),
    (lambda head: head[4:8] in BOXES, _boxes),
    (lambda head: head[:4] == EBML.to_bytes(4, "big"), _elements),
    (lambda head: head[:16] == ASF, _objects),
    (lambda head: head[:4] == b"OggS", _pages),
    (lambda head: head[:3] == b"FLV", _tags),
    (lambda head: head[:4] == b"\0\0\1\xba", _packs),
    (lambda head: any(_synchronous(head, *packets) for packets in TS_PACKETS), _transport),
)
