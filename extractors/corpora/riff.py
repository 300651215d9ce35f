"""The size that the header of a wav promises."""

from __future__ import annotations

from pathlib import Path

STREAMED_BYTES = 0x7FFFF000
"""From this size on, programs that write a wav to a pipe mean "until the end of the file"."""


def promised_bytes(path: Path) -> tuple[int, int]:
    """Size that a wav must have by its sound data, 0 for other files.

    And the number of bytes behind the sound data that are no chunk of their own. The library cannot be asked: it
    shortens a header that claims too much without telling, and skips what lies behind. ValueError when another wav
    follows, which the library does not read.
    """
    with path.open("rb") as stream:
        head = stream.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return 0, 0
        end, file_end = 0, path.stat().st_size
        while len(head := stream.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if end and head[:4] == b"RIFF":
                raise ValueError("another recording is joined to its end; write each to a file of its own")
            if end and not head[:4].strip().isalnum():
                return end, file_end - stream.tell() + 8
            if head[:4] == b"data":
                if size >= STREAMED_BYTES:
                    return 0, 0
                end = stream.tell() + size
            stream.seek(size + size % 2, 1)
        return end, 0
