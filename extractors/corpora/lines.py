"""Text files of a corpus as lines, whatever bytes they hold."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

from extractors.corpora.paths import missing

LONGEST_TEXT = 10_000
"""Characters of one utterance; the longest turn of IEMOCAP has 100 words."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Line(NamedTuple):
    """One line without its end; `utf8` is false where it had to be read as Latin-1 (Windows-1252)."""

    text: str
    utf8: bool


def split(content: bytes) -> list[Line]:
    """Lines of a file; each is UTF-8 where it is valid, else Windows-1252, and Latin-1 where that leaves a hole.

    The two differ in 0x80 to 0x9f, where the first has quotation marks and the second nothing that can be seen. A file
    that begins with the mark of UTF-16 is that. LF and CRLF end a line, and CR does in a file without LF.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        with contextlib.suppress(UnicodeDecodeError):
            content = content.decode("utf-16").encode()
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    return [_decode(line.removesuffix(b"\r")) for line in content.split(b"\n")]


def _decode(line: bytes) -> Line:
    for encoding in ("utf-8", "cp1252"):
        try:
            return Line(line.decode(encoding), encoding == "utf-8")
        except UnicodeDecodeError:
            pass
    return Line(line.decode("latin-1"), False)


def read_lines(root: Path, path: Path, most_bytes: int) -> list[Line] | str:
    """Lines of a file below `root`, or in words why it cannot be used."""
    if problem := missing(root, path):
        return problem
    try:
        if (size := path.stat().st_size) > most_bytes:
            return f"{size} bytes long, {most_bytes} at most are expected; the file is damaged"
        return split(path.read_bytes())
    except OSError as error:
        return f"unreadable ({error.strerror})"


def words(text: str) -> str:
    """A transcript on one line, in composed Unicode (NFC), which vocabularies of encoders are made from."""
    return unicodedata.normalize("NFC", clean(text))


def clean(text: str) -> str:
    """Text on one line: control characters become blanks, those at the ends are taken off."""
    return _CONTROL.sub(" ", text).strip()
