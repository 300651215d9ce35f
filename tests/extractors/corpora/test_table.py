from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from extractors.corpora import Listing, Utterance, table
from extractors.files import UserError
from extractors.settings import Table
from tests.extractors.corpora.table_rows import GOOD, HEADER, reasons, rows


def corpus(root: Path, content: str | bytes | None = None, **settings: Any) -> Table:
    """Settings of a folder whose table is `content`."""
    if content is not None:
        (root / "utterances.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return Table(type="table", root=str(root), **settings)


def read(root: Path, content: str | bytes, **settings: Any) -> Listing:
    found = corpus(root, content, **settings)
    return table.read(found, table.sessions(found))


def test_every_column_and_its_default(tmp_path: Path) -> None:
    content = (
        "\ufeff Label ,TEXT,note,Video,audio,speaker,Fold,utterance,crop,end,start,dialogue\r\n"
        'sad," Well, ""yes"".\tNo ",seen twice, ./clips//b.mp4 ,clips/b.mp4,Bob,day_2,b 1, LEFT ,2.5,.5e0,talk 7\r\n'
        "\r\n"
        'happy,"two\nlines",,a.avi,a.wav,Ann,1,a,,,,\r\n'
        ",,,,,,,,,,,\r\n"
        "sad,,,a.avi,a.wav,Ann,1,c,full,1E-1,0,\r\n"
    ).replace(".5e0", "0.5")
    listing = read(tmp_path, content)
    assert listing.rejected == []
    assert listing.rows == [
        Utterance("b 1", "talk 7", "day_2", "Bob", "sad", 'Well, "yes". No', "clips/b.mp4", 0.5, 2.5, "clips/b.mp4",
                  0.5, 2.5, "left"),
        Utterance("a", "a", "1", "Ann", "happy", "two lines", "a.wav", None, None, "a.avi", None, None, "full"),
        Utterance("c", "c", "1", "Ann", "sad", "", "a.wav", 0.0, 0.1, "a.avi", 0.0, 0.1, "full"),
    ]  # fmt: skip
    assert [(remark.utterance, remark.remark) for remark in listing.remarks] == [
        ("a", "lines 4 to 5 are one row, by their quotation marks")
    ]
    assert listing.wordless == {"c": "text is empty"}
    assert listing.check == {
        "status": "no reference list", "differences": [], "lists": {}, "known": {},
        "found": {"class": {"happy": 1, "sad": 2}, "speaker": {"Ann": 2, "Bob": 1}, "session": {"1": 2, "day_2": 1}},
    }  # fmt: skip


def test_optional_columns_may_be_absent(tmp_path: Path) -> None:
    short = ",".join(table.REQUIRED)
    listing = read(tmp_path, f"{short}\nx,1,Ann,calm,Hi.,a.wav,a.mp4")
    assert listing.rows == [
        Utterance("x", "x", "1", "Ann", "calm", "Hi.", "a.wav", None, None, "a.mp4", None, None, "full")
    ]


LONG = "x" * 201
PROBLEMS = [
    ({"utterance": ""}, "row 3", "label", "utterance is empty"),
    ({"utterance": LONG}, "row 3", "label", "utterance has 201 characters, 200 at most are possible"),
    ({"utterance": "a\x07b"}, "row 3", "label", "utterance has characters that cannot be shown"),
    ({"session": ""}, "u2", "label", "session ''; it needs letters a to z, digits or underscores, 40 at most"),
    ({"session": "a/b"}, "u2", "label", "session 'a/b'; it needs letters a to z, digits or underscores, 40 at most"),
    ({"session": "é"}, "u2", "label", "session 'é'; it needs letters a to z, digits or underscores, 40 at most"),
    ({"speaker": " "}, "u2", "label", "speaker is empty"),
    ({"label": ""}, "u2", "label", "label is empty"),
    ({"label": "a" * 41}, "u2", "label", 
     f"label '{'a' * 40}'...; it needs a letter or digit first and 40 characters at most"),
    ({"label": "-1"}, "u2", "label", "label '-1'; it needs a letter or digit first and 40 characters at most"),
    ({"dialogue": LONG}, "u2", "label", "dialogue has 201 characters, 200 at most are possible"),
    ({"start": "1"}, "u2", "label", "end is empty; give both times or none"),
    ({"end": "1"}, "u2", "label", "start is empty; give both times or none"),
    ({"start": "0:01", "end": "2"}, "u2", "label", "start '0:01' is not a number of seconds"),
    ({"start": "1", "end": "2,5"}, "u2", "label", "end '2,5' is not a number of seconds"),
    ({"start": "nan", "end": "2"}, "u2", "label", "start 'nan' is not a number of seconds"),
    ({"start": "1_0", "end": "20"}, "u2", "label", "start '1_0' is not a number of seconds"),
    ({"start": "1", "end": "1e99"}, "u2", "label", "end 1e99 is not between 0 and 1000000 seconds"),
    ({"start": "-1", "end": "2"}, "u2", "label", "start -1 is not between 0 and 1000000 seconds"),
    ({"start": "2", "end": "2.0"}, "u2", "label", "ends at 2.0 s, not after its start at 2 s"),
    ({"audio": ""}, "u2", "audio", "no file is named"),
    ({"video": ""}, "u2", "video", "no file is named"),
    ({"audio": "/etc/a.wav"}, "u2", "audio",
     "file '/etc/a.wav' is not below the corpus folder; name it from there, without .."),
    ({"video": "b/../../a.avi"}, "u2", "video",
     "file 'b/../../a.avi' is not below the corpus folder; name it from there, without .."),
    ({"audio": "b\\a.wav"}, "u2", "audio",
     "file 'b\\\\a.wav'; folders are separated by /, and control characters cannot be used"),
    ({"video": "a\nb.avi"}, "u2", "video",
     "file 'a\\nb.avi'; folders are separated by /, and control characters cannot be used"),
    ({"crop": "top"}, "u2", "video", "crop 'top' is none of left, right, full"),
    ({"text": "a\0b"}, "row 3", "label", "line 3 not readable as CSV (NUL bytes)"),
    ({"text": "a" * 140_000}, "row 3", "label",
     "line 3 not readable as CSV (field larger than field limit (131072))"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "name", "stage", "reason"), PROBLEMS, ids=range(len(PROBLEMS)))
def test_a_bad_row_is_rejected_alone(
    tmp_path: Path, change: dict[str, str], name: str, stage: str, reason: str
) -> None:
    listing = read(tmp_path, rows({}, change, {}))
    assert [row.utterance for row in listing.rows] == ["u1", "u3"]
    assert reasons(listing) == {name: (stage, reason)}


def test_lines_that_are_no_rows(tmp_path: Path) -> None:
    begin = [HEADER, "u1,1,Ann,sad,,a.wav,a.avi,,,,", "u2,1,Ann,sad,,a.wav", "u3,1,Ann,sad,,a.wav,a.avi,,,,,", "   "]
    middle = ['u4,1,Ann,sad,"not closed,a.wav,a.avi,,,,', 'u5,1,Ann,sad,"closed",a.wav,a.avi,,,,']
    end = ["u6,1,Ann\rsad,,a.wav,a.avi,,,,,", "u7,1,Ann,sad,,a.wav,a.avi,,,,", 'u8,1,Ann,sad,"open,a,a,,,,', ",,", ""]
    listing = read(tmp_path, "\n".join(begin + middle + end))
    assert [row.utterance for row in listing.rows] == ["u1", "u7"]
    assert reasons(listing) == {
        "row 3": ("label", "6 fields instead of 11"),
        "row 4": ("label", "12 fields instead of 11"),
        "row 6": ("label", "lines 6 to 7 not readable as CSV (',' expected after '\"')"),
        "row 8": ("label", "line 8 not readable as CSV (a carriage return within the line)"),
        "row 10": ("label", "lines 10 to 12 not readable as CSV (unexpected end of data)"),
    }


def test_rows_with_one_id_are_all_rejected(tmp_path: Path) -> None:
    twice = {"utterance": "u1"}
    listing = read(tmp_path, rows({}, {"label": "calm"}, {**twice, "label": ""}, *[{"utterance": "many"}] * 12))
    assert [row.utterance for row in listing.rows] == ["u2"]
    assert reasons(listing) == {
        "u1": ("label", "2 rows have this id (rows 2, 4)"),
        "many": ("label", "12 rows have this id (rows 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, ...)"),
    }


def test_latin_1_is_read_and_remarked(tmp_path: Path) -> None:
    content = rows({"text": "caf\u00e9"}, {"text": "caf\u00e9", "utterance": "\u00e9"}).encode("latin-1")
    utf8 = rows({"text": "caf\u00e9"}).splitlines()[1].replace("u1", "u3").encode()
    listing = read(tmp_path, content + utf8)
    assert {row.utterance: row.text for row in listing.rows} == dict.fromkeys(("u1", "\u00e9", "u3"), "caf\u00e9")
    assert [(remark.utterance, remark.remark) for remark in listing.remarks] == [
        ("u1", "line 2 not UTF-8, read as Latin-1"),
        ("\u00e9", "line 3 not UTF-8, read as Latin-1"),
    ]


def test_classes_and_their_order(tmp_path: Path) -> None:
    labels = ["zest", "sad", "Angry", "neutral", "anger", "angry", "zest", "x" * 41]
    content = rows(*({"label": label} for label in labels))
    assert table.classes(corpus(tmp_path, content)) == ("angry", "neutral", "sad", "Angry", "anger", "zest")
    chosen = corpus(tmp_path, classes=("zest", "sad", "bored"))
    assert table.classes(chosen) == ("zest", "sad", "bored")
    listing = table.read(chosen, table.sessions(chosen))
    assert [row.label for row in listing.rows] == ["zest", "sad", "zest"]
    assert reasons(listing)["u3"] == ("label", "label 'Angry' is not one of the classes")
    with pytest.raises(UserError, match=r"utterances.csv: happy is the only label"):
        table.classes(corpus(tmp_path, rows({}, {})))


def test_sessions_and_what_is_read_of_them(tmp_path: Path) -> None:
    changes: Sequence[dict[str, str]] = (
        {"session": "b"}, {"session": "a_1"}, {"session": "B"}, {"session": "b", "label": ""},
        {"session": "a_1", "crop": "x"}, {"session": "?"}, {"session": "empty", "speaker": ""},
        {"session": "b", "utterance": "two"}, {"session": "B", "utterance": "two"},
    )  # fmt: skip
    found = corpus(tmp_path, rows(*changes))
    assert table.sessions(found) == ("B", "a_1", "b")
    listing = table.read(found, ["b"])
    assert [row.utterance for row in listing.rows] == ["u1"]
    assert sorted(reasons(listing)) == ["two", "u4", "u6"]
    assert listing.check["found"]["session"] == {"B": 1, "a_1": 1, "b": 1}
    assert table.label_files(found) == [tmp_path / "utterances.csv"]


def test_session_and_fold(tmp_path: Path) -> None:
    both = f"{HEADER},fold"
    row = ",".join(GOOD.values())
    others = [f"{row.replace('u1', name)},{fold}\n" for name, fold in (("u2", "2"), ("u3", ""), ("", "2"))]
    listing = read(tmp_path, f"{both}\n{row},1\n{''.join(others)}")
    assert [(row.utterance, row.session) for row in listing.rows] == [("u1", "1")]
    assert reasons(listing) == {
        "u2": ("label", "session '1', but fold '2'"),
        "u3": ("label", "session '1', but fold ''"),
        "row 5": ("label", "utterance is empty"),
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty; the first line must name the columns"),
        (b"\n \n,,\n", "empty; the first line must name the columns"),
        (HEADER.encode(), "has a header but no row"),
        (b"utterance;session;label\nu;1;sad\n", r"no column utterance, session \(or fold\), speaker, label, text"),
        (HEADER.replace("audio,", "").encode(), "no column audio in its first line"),
        (HEADER.replace("crop", "Text").encode(), "several columns are called text"),
        ("\ufeff".encode("utf-16") + HEADER.encode("utf-16"), r"NUL bytes\); save it as UTF-8 CSV"),
        ((HEADER + "\rx,1").encode(), r"carriage return within the line\); save it"),
        (rows({"label": ""}, {"speaker": ""}).encode(), "none of its rows can be used; u1: label is empty"),
    ],
)
def test_tables_that_are_unusable_as_a_whole(tmp_path: Path, content: bytes, message: str) -> None:
    for function in (table.sessions, table.classes, lambda found: table.read(found, ["1"])):
        with pytest.raises(UserError, match=rf"^{tmp_path}/utterances.csv: .*{message}") as problem:
            function(corpus(tmp_path, content))
        assert "\n" not in str(problem.value)


def test_files_that_cannot_be_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "corpus"
    with pytest.raises(UserError, match="no such folder; set it to the folder that holds"):
        table.label_files(corpus(root))
    (root / "folder.csv").mkdir(parents=True)
    (tmp_path / "outside.csv").write_text(rows({}))
    (root / "link.csv").symlink_to("../outside.csv")
    for name, reason in (
        ("absent.csv", "missing"),
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
    with pytest.raises(UserError, match="at most are expected; the file is damaged"):
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
