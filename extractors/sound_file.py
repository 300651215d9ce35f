"""Files of sound in which libsndfile can seek to a sample; all others are decoded from their beginning."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import soundfile

SLOWEST_HZ, FASTEST_HZ = 1_000, 1_000_000
"""Sampling rates outside are taken for damage."""
LONGEST_SECONDS = 86_400
OGG_PAGE_BYTES = 1 << 16
MAY_BE_CUT = "may be cut off, as its last packet is not complete"
BLOCK = 4096
"""Frames of a block of flac, as a rule."""
SEEKABLE = (".wav", ".flac", ".aif", ".aiff", ".au", ".w64")
"""Endings of the names of files that `open_sound` opens, as a rule."""
_FIRST_BYTES = {"FLAC": b"fLaC\0\0\0\x22", "OGG": b"OggS\0\2"}
"""Where these come again, files were joined; libsndfile reads the first one only."""


def open_sound(path: Path) -> soundfile.SoundFile | None:
    """The file, or None when its length or its seeking cannot be trusted, or it is no file of sound alone.

    Not trusted are mp3 and Opus, streams that do not say how long they are, and files joined of several.
    TypeError for a format without a header, SoundFileError for a .wav that is none.
    """
    import soundfile

    with path.open("rb") as stream:
        head = stream.read(8)
    mp3 = head[:3] == b"ID3" or (head[:1] == b"\xff" and head[1:2] >= b"\xe0")
    film = head[:4] == b"\x1aE\xdf\xa3" or head[4:] == b"ftyp"  # browsers' recordings, whatever their name ends in
    if mp3 or film:
        return None
    try:
        file = soundfile.SoundFile(os.fsencode(path))  # a str has to be UTF-8
    except soundfile.SoundFileError:
        if path.suffix.lower() == ".wav":
            raise
        return None
    # libsndfile says 2**63 - 1 frames for a stream of unknown length, and none for a wav that was never closed.
    known = 0 < file.frames <= LONGEST_SECONDS * file.samplerate
    first_bytes = _FIRST_BYTES.get(file.format)
    decoded = file.subtype == "OPUS" or file.subtype.startswith("MPEG")  # mp3 behind other bytes, too
    if known and not decoded and not (first_bytes and comes_again(path, first_bytes)):
        return file
    file.close()
    return None


def around_damage(path: Path, first: int, last: int) -> Iterator[tuple[NDArray[np.float32], bool]]:
    """Samples (time, channels) of a damaged flac between two frames, in blocks, and whether they could be read.

    What cannot be read is zeros, but for an end that is not there at all: that is left out.
    """
    import soundfile

    file = soundfile.SoundFile(os.fsencode(path))
    try:
        total, channels = file.frames, file.channels
        whole = _frames(file, total - 1, 1) is not None
        for at in range(first - first % BLOCK, min(last, total), BLOCK):
            count = min(BLOCK, total - at)
            samples = _frames(file, at, count)
            if samples is None:
                file.close()
                file = soundfile.SoundFile(os.fsencode(path))  # after an error every call fails
                samples = _frames(file, at, count)
            if samples is None and not whole:
                return
            read = samples is not None
            block = np.zeros((count, channels), np.float32) if samples is None else samples
            yield block[max(first - at, 0) : last - at], read
    finally:
        file.close()


def _frames(file: soundfile.SoundFile, at: int, count: int) -> NDArray[np.float32] | None:
    import soundfile

    try:
        if file.tell() != at:
            file.seek(at)
        samples: NDArray[np.float32] = file.read(count, dtype="float32", always_2d=True)
    except soundfile.SoundFileError:
        return None
    return samples if len(samples) == count else None


def unmarked_end(path: Path) -> str:
    """That an ogg may be cut off, as its last page is not whole or not marked as the last; empty if it is."""
    with path.open("rb") as stream:
        stream.seek(max(path.stat().st_size - 2 * OGG_PAGE_BYTES, 0))
        tail = stream.read()
    page = tail[tail.rfind(b"OggS") :]
    whole = len(page) >= 27 and len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
    return "" if whole and page[5] & 4 else MAY_BE_CUT


def comes_again(path: Path, first_bytes: bytes) -> bool:
    """Whether bytes with which a file begins come a second time in it, as where files were joined."""
    about = path.stat()
    return _comes_again(path, first_bytes, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=16)
def _comes_again(path: Path, first_bytes: bytes, size: int, changed: int) -> bool:
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(first_bytes, content.find(first_bytes) + 1) >= 0
