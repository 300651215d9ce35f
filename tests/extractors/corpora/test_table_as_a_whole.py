"""Tables of which nothing can be used, and files that are no table."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from extractors.corpora import table
from extractors.files import UserError
from tests.extractors.corpora.table_rows import HEADER, corpus, reasons, rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty; the first line must name the columns"),
        (b"\n \n,,\n", "empty; the first line must name the columns"),
        (HEADER.encode(), "has a header but no row"),
        (b"utterance;session;text\nu;1;a\n", "no column speaker, label, audio, video .*with semicolons between"),
        (HEADER.replace("label,", "").encode(), "no column label in its first line"),
        (HEADER.replace("crop", "Text").encode(), "several columns are called text"),
        (HEADER.encode("utf-16-le"), r"NUL bytes\); save it as UTF-8 CSV"),
        ((HEADER + "\rx,1\n").encode(), r"carriage return within the line\); save it"),
        ("\u201cutterance\u201d,session\n".encode(), "curly quotation marks in its first line"),
    ],
)
def test_tables_that_are_unusable_as_a_whole(tmp_path: Path, content: bytes, message: str) -> None:
    for function in (table.sessions, table.classes, lambda found: table.read(found, ["1"])):
        with pytest.raises(UserError, match=rf"^{tmp_path}/utterances.csv: .*{message}") as problem:
            function(corpus(tmp_path, content))
        assert "\n" not in str(problem.value)


def test_a_table_without_a_usable_row(tmp_path: Path) -> None:
    found = corpus(tmp_path, rows({"label": ""}, {"speaker": ""}, {"label": ""}))
    assert table.sessions(found) == ()
    assert sorted(reasons(table.read(found, ()))) == ["u1", "u2", "u3"]
    for classes in (None, ("happy", "sad")):
        with pytest.raises(UserError, match=r"none of its 3 rows .*; label: label is empty \(2 times\), such as u1"):
            table.classes(corpus(tmp_path, classes=classes))


def test_files_that_cannot_be_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "corpus"
    with pytest.raises(UserError, match="no such folder; set it to the folder that holds"):
        table.label_files(corpus(root))
    (root / "folder.csv").mkdir(parents=True)
    (tmp_path / "outside.csv").write_text(rows({}))
    (root / "link.csv").symlink_to("../outside.csv")
    for name, reason in (
        ("absent.csv", "missing"),
        ("Folder.TSV", "missing; there is folder.csv"),
        ("folder.csv", "a folder"),
        ("link.csv", "a link that leaves the corpus folder"),
        ("../outside.csv", "outside the corpus folder"),
        ("folder.csv/../../outside.csv", "outside the corpus folder"),
        (str(tmp_path / "outside.csv"), "outside the corpus folder"),
        ("x" * 5000, "unreadable"),
    ):
        with pytest.raises(UserError, match=rf"{reason}.*; `file` must name a CSV below {root}"):
            table.sessions(corpus(root, file=name))
    monkeypatch.setattr(table, "MOST_BYTES", 100)
    with pytest.raises(UserError, match=r"\d+ bytes long; tables of up to 0 MiB are read; leave columns out"):
        table.sessions(corpus(root, rows({}, {})))
    (root / "link.csv").unlink()
    (root / "link.csv").symlink_to("utterances.csv")
    monkeypatch.setattr(table, "MOST_BYTES", 1000)
    for name in ("link.csv", "folder.csv/../utterances.csv", "../corpus/utterances.csv"):
        assert table.sessions(corpus(root, file=name)) == ("1",)


def test_a_changed_table_is_read_again(tmp_path: Path) -> None:
    assert table.sessions(corpus(tmp_path, rows({"session": "1"}))) == ("1",)
    found = corpus(tmp_path, rows({"session": "2"}))
    os.utime(tmp_path / "utterances.csv", ns=(1, 1))
    assert table.sessions(found) == ("2",)
