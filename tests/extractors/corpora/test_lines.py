from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.corpora.lines import Line, clean, read_lines, split, words


def test_each_line_has_its_own_encoding() -> None:
    content = b"\xef\xbb\xbfcaf\xc3\xa9\r\ncaf\xe9\n\nlast"
    assert split(content) == [Line("caf\u00e9", True), Line("caf\u00e9", False), Line("", True), Line("last", True)]


def test_quotation_marks_of_windows_are_read() -> None:
    assert split(b"I don\x92t \x93know\x94")[0] == Line("I don\u2019t \u201cknow\u201d", False)
    assert split(b"\x81\xe9")[0] == Line("\x81\u00e9", False)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_files_of_utf_16_say_so_by_their_mark(encoding: str) -> None:
    mark = "" if encoding == "utf-16" else "\ufeff"
    assert split(f"{mark}caf\u00e9\r\n\u2019".encode(encoding)) == [Line("caf\u00e9", True), Line("\u2019", True)]


def test_a_carriage_return_ends_a_line_where_nothing_else_does() -> None:
    assert [line.text for line in split(b"one\rtwo\r")] == ["one", "two", ""]
    assert [line.text for line in split(b"one\rtwo\nthree")] == ["one\rtwo", "three"]


@given(st.binary(max_size=100))
def test_any_bytes_are_lines(content: bytes) -> None:
    lines = split(content)
    if not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        assert len(lines) == (content.count(b"\n") or content.count(b"\r")) + 1
    assert not any("\n" in line.text for line in lines)


@given(st.text())
def test_clean_text_is_one_line(text: str) -> None:
    assert len(clean(text).splitlines()) <= 1
    assert clean(text) == clean(text).strip()


def test_transcripts_are_composed_unicode() -> None:
    """A cased vocabulary has é, but no mark on its own."""
    composed, decomposed = (unicodedata.normalize(form, "déjà\tvu ") for form in ("NFC", "NFD"))
    assert words(decomposed) == words(composed) == unicodedata.normalize("NFC", "déjà vu")


def test_files_that_cannot_be_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    assert read_lines(tmp_path, path, 9) == "missing"
    path.write_bytes(b"0123456789")
    assert read_lines(tmp_path, path, 9) == "10 bytes long, 9 at most are expected; the file is damaged"
    assert read_lines(tmp_path, path, 10) == [Line("0123456789", True)]
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.txt").symlink_to(path)
    assert read_lines(root, root / "a.txt", 10) == "a link that leaves the corpus folder"

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert read_lines(tmp_path, path, 10) == "unreadable (Permission denied)"
