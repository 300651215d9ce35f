from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from extractors.corpora import Utterance, table
from extractors.corpora.table_records import REQUIRED
from extractors.files import UserError
from tests.extractors.corpora.table_rows import GOOD, HEADER, corpus, read, reasons, rows


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
        ("", "columns that are not used: 'note'"),
        ("a", "lines 4 to 5 are one row, by their quotation marks"),
    ]
    assert listing.wordless == {"c": "text is empty"}
    assert listing.check == {
        "status": "no reference list", "differences": [], "lists": {}, "known": {},
        "found": {"class": {"happy": 1, "sad": 2}, "speaker": {"Ann": 2, "Bob": 1}, "session": {"1": 2, "day_2": 1}},
    }  # fmt: skip


def test_optional_columns_may_be_absent(tmp_path: Path) -> None:
    short = ",".join(REQUIRED)
    listing = read(tmp_path, f"{short}\nx,1,Ann,calm,Hi.,a.wav,a.mp4")
    assert listing.rows == [
        Utterance("x", "x", "1", "Ann", "calm", "Hi.", "a.wav", None, None, "a.mp4", None, None, "full")
    ]


LONG = "x" * 201
PROBLEMS = [
    ({"utterance": ""}, "row 3", "label", "utterance is empty"),
    ({"utterance": LONG}, "row 3", "label", "utterance has 201 characters, 200 at most are possible"),
    ({"utterance": "a\x07b"}, "row 3", "label", "utterance has characters that cannot be shown"),
    ({"session": ""}, "u2", "label", "session is empty"),
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
    ({"start": "0:01", "end": "2"}, "u2", "label", 
     "start '0:01' is not a number of seconds; write 62.5 for 1 minute and 2.5 seconds"),
    ({"start": "1", "end": "2,5"}, "u2", "label", 
     "end '2,5' is not a number of seconds; write a point before the decimals, 2.5"),
    ({"start": "nan", "end": "2"}, "u2", "label", "start is empty; give both times or none"),
    ({"start": "inf", "end": "2"}, "u2", "label", "start 'inf' is not a number of seconds"),
    ({"session": "nan"}, "u2", "label", "session 'nan' stands for no value"),
    ({"label": "NaN"}, "u2", "label", "label 'NaN' stands for no value; if it is a class, list it under `classes`"),
    ({"audio_start": "1"}, "u2", "label", "audio_end is empty; give both times or none"),
    ({"video_start": "2", "video_end": "1"}, "u2", "label", "ends at 1 s, not after its start at 2 s"),
    ({"audio": "nan"}, "u2", "audio", "no file is named in column audio"),
    ({"start": "1_0", "end": "20"}, "u2", "label", "start '1_0' is not a number of seconds"),
    ({"start": "1", "end": "1e99"}, "u2", "label", "end 1e99 is not between 0 and 1000000 seconds"),
    ({"start": "-1", "end": "2"}, "u2", "label", "start -1 is not between 0 and 1000000 seconds"),
    ({"start": "2", "end": "2.0"}, "u2", "label", "ends at 2.0 s, not after its start at 2 s"),
    ({"audio": ""}, "u2", "audio", "no file is named in column audio"),
    ({"video": ""}, "u2", "video", "no file is named in column video"),
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
    begin = [HEADER, "u1,1,Ann,sad,,a.wav,a.avi,,,,", "u2,1,Ann,sad,,a.wav", "u3,1,Ann,sad,,a.wav,a.avi,,,,,?", "   "]
    middle = ['u4,1,Ann,sad,"not closed,a.wav,a.avi,,,,', 'u5,1,Ann,sad,"closed",a.wav,a.avi,,,,']
    end = ["u6,1,Ann\rsad,,a.wav,a.avi,,,,,", "u7,1,Ann,sad,,a.wav,a.avi,,,,", 'u8,1,Ann,sad,"open,a,a,,,,', ",,", ""]
    listing = read(tmp_path, "\n".join(begin + middle + end))
    assert [row.utterance for row in listing.rows] == ["u1", "u5", "u7"]
    quoted = "a quotation mark is not closed, or one within a cell is not doubled"
    hint = "a cell with a separator in it needs quotation marks, and each column its name"
    assert reasons(listing) == {
        "row 3": ("label", "6 fields instead of 11"),
        "row 4": ("label", f"12 fields instead of 11; {hint}"),
        "row 6": ("label", f"line 6 not readable as CSV ({quoted})"),
        "row 8": ("label", "line 8 not readable as CSV (a carriage return within the line)"),
        "row 10": ("label", f"line 10 not readable as CSV ({quoted})"),
    }


def test_rows_with_one_id_are_all_rejected(tmp_path: Path) -> None:
    twice = {"utterance": "u1"}
    listing = read(tmp_path, rows({}, {"label": "calm"}, {**twice, "label": ""}, *[{"utterance": "many"}] * 12))
    assert [row.utterance for row in listing.rows] == ["u2"]
    listed = "5, 6, 7, 8, 9, 10, 11, 12, 13, 14, ..."
    assert [(row.utterance, row.reason) for row in listing.rejected] == [
        ("u1", "2 rows have this id (rows 2, 4); this one is row 2"),
        ("u1", "2 rows have this id (rows 2, 4); this one is row 4"),
        *(("many", f"12 rows have this id (rows {listed}); this one is row {row}") for row in range(5, 17)),
    ]
    assert listing.size == 15


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
    assert table.classes(corpus(tmp_path, content)) == ("angry", "neutral", "sad", "anger", "zest")
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
    assert sorted((row.utterance, row.stage, row.session) for row in listing.rejected) == [
        ("two", "label", "B"), ("two", "label", "b"), ("u2", "subset", "a_1"), ("u3", "subset", "B"),
        ("u4", "label", "b"), ("u5", "video", "a_1"), ("u6", "label", ""), ("u7", "label", "empty"),
    ]  # fmt: skip
    assert [remark.remark for remark in listing.remarks] == [
        "sessions 'B', 'b' differ in case or blanks only; they are not one",
    ]
    assert listing.check["found"]["session"] == {"B": 1, "a_1": 1, "b": 1}
    assert table.label_files(found) == [tmp_path / "utterances.csv"]


def test_spans_of_sound_and_picture(tmp_path: Path) -> None:
    both = {"start": "1", "end": "2"}
    film = {"video_start": "61.5", "video_end": "63"}
    sound = {"audio_start": "0", "audio_end": "1.5"}
    listing = read(tmp_path, rows(film, both, {**both, **film}, {**sound, **film}, {**both, **sound}))
    assert [(row.audio_start, row.audio_end, row.video_start, row.video_end) for row in listing.rows] == [
        (None, None, 61.5, 63.0), (1.0, 2.0, 1.0, 2.0), (1.0, 2.0, 61.5, 63.0), (0.0, 1.5, 61.5, 63.0),
        (0.0, 1.5, 1.0, 2.0),
    ]  # fmt: skip


def test_whole_numbers_and_absent_values(tmp_path: Path) -> None:
    odd = {"session": "1.0", "speaker": "7.0", "dialogue": "nan", "start": "NaN", "end": "None", "crop": "<NA>"}
    listing = read(tmp_path, rows({"speaker": "7"}, odd, {"text": "None", "speaker": "NA", "dialogue": "3.0"}))
    assert [(row.session, row.speaker, row.dialogue, row.text) for row in listing.rows] == [
        ("1", "7", "u1", "Hello."), ("1", "7", "u2", "Hello."), ("1", "NA", "3", "None"),
    ]  # fmt: skip
    assert [(remark.utterance, remark.remark) for remark in listing.remarks] == [
        ("u3", "text 'None' is taken as said"), ("u3", "speaker 'NA' is taken for a name"),
    ]  # fmt: skip


def test_a_modality_without_a_column(tmp_path: Path) -> None:
    for kind, stage in (("text", "transcript"), ("audio", "audio"), ("video", "video")):
        short = [{name: cell for name, cell in {**GOOD, "utterance": f"u{n}"}.items() if name != kind} for n in (1, 2)]
        content = "\n".join([",".join(short[0]), *(",".join(row.values()) for row in short)])
        found = corpus(tmp_path, content + "\n")
        assert table.sessions(found) == ()
        listing = table.read(found, ())
        assert reasons(listing) == dict.fromkeys(("u1", "u2"), (stage, f"the table has no column {kind}"))
        with pytest.raises(UserError, match=rf"its 2 rows can be used; {stage}: the table has no column {kind}"):
            table.classes(found)


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
