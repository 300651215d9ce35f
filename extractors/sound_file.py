"""Files of sound in which libsndfile can seek to a sample; all others are decoded from their beginning."""

from __future__ import annotations

import mmap
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import soundfile

SLOWEST_HZ, FASTEST_HZ = 1_000, 1_000_000
"""Sampling rates outside are taken for damage."""
LONGEST_SECONDS = 86_400
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
    if known and file.subtype != "OPUS" and not (first_bytes and comes_again(path, first_bytes)):
        return file
    file.close()
    return None


def comes_again(path: Path, first_bytes: bytes) -> bool:
    """Whether bytes with which a file begins come a second time in it, as where files were joined."""
    about = path.stat()
    return _comes_again(path, first_bytes, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=16)
def _comes_again(path: Path, first_bytes: bytes, size: int, changed: int) -> bool:
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(first_bytes, content.find(first_bytes) + 1) >= 0
