from __future__ import annotations

import pytest

from extractors.corpora.lines import split
from extractors.corpora.table_records import Records, records
from extractors.files import UserError
from tests.extractors.corpora.table_rows import HEADER

ROW = "u1,1,Ann,sad,Hi,a.wav,a.avi,0.5,1.5,left,d"


def read(content: str | bytes) -> Records:
    return records(split(content.encode() if isinstance(content, str) else content))


TABLE = f"{HEADER}\r\n{ROW}\r\n"


@pytest.mark.parametrize(
    "content",
    [
        TABLE,
        "\ufeff" + TABLE,
        TABLE.encode("utf-16"),
        TABLE.replace("\r\n", "\r"),
        "\r\n ,,\r\n" + TABLE + ",,,,,,,,,,\r\n\r\n",
        "sep=,\r\n" + TABLE,
        '"sep=,"\r\n' + TABLE,
        TABLE.replace(",", ";"),
        "\ufeffsep=;\r\n" + TABLE.replace(",", ";"),
        TABLE.replace(",", "\t"),
        TABLE.replace(",", "\t").encode("utf-16"),
        TABLE.replace(",", "|"),
        TABLE.replace(",", " , "),
        TABLE.replace(",", '", "').replace("\r\n", '"\r\n"')[:-1].join(['"', ""]),
        TABLE.replace(",", "\u00a0,\u200b"),
        TABLE.upper().replace(ROW.upper(), ROW),
        TABLE.replace("\r\n", ",,,\r\n"),
        TABLE.replace("\r\n", "\r\n0,").join([",", ""])[:-2],
        TABLE.replace("\r\n", "\r\n0,").join(["Unnamed: 0,", ""])[:-2],
        TABLE + "\x1a",
    ],
    ids=range(20),
)
def test_one_table_as_programs_write_it(content: str | bytes) -> None:
    (row,) = read(content).rows
    assert row.problem == ""
    assert list(row.cells.values()) == ROW.split(",")


def test_rows_that_leave_out_optional_cells() -> None:
    found = read(f"{HEADER}\nu1,1,Ann,sad,Hi,a.wav,a.avi\nu2,1,Ann,sad,Hi,a.wav,a.avi,1,2\nu3,1,Ann,sad,Hi,a.wav").rows
    assert [row.problem for row in found] == ["", "", "6 fields instead of 11"]
    assert [(row.cells["start"], row.cells["crop"]) for row in found[:2]] == [("", ""), ("1", "")]


def test_a_last_row_without_an_end_is_cut_off_unless_others_are_short_too() -> None:
    short = "u2,1,Ann,sad,Hi,a.wav,a.avi"
    assert read(f"{TABLE}{short}").rows[-1].problem == "7 fields instead of 11 and no end of line: the file is cut off"
    assert read(f"{TABLE}{short}\n").rows[-1].problem == ""
    assert read(f"{HEADER}\n{short}\n{short}").rows[-1].problem == ""
    assert read(f"{TABLE}{ROW}").rows[-1].problem == ""


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (ROW + ",x", "12 fields instead of 11; a cell with a separator in it needs quotation marks"),
        (ROW.replace("Hi", "Hi, you"), "12 fields instead of 11; a cell with a separator"),
        (ROW.replace(",", ";"), "1 fields instead of 11; semicolons instead of commas between them"),
        (ROW.replace("Hi", "\u201cHi, you\u201d").removesuffix(",d"), "curly quotation marks around a cell with"),
        (ROW.replace("Hi", '"Hi'), "line 2 not readable as CSV (a quotation mark is not closed, or one"),
        (
            ROW.replace("Hi", '"Hi \\"you\\""'),
            "line 2 not readable as CSV (a quotation mark is not closed, or one within",
        ),
        (ROW.replace("Hi", "H\0i"), "line 2 not readable as CSV (NUL bytes)"),
    ],
)
def test_a_row_that_cannot_be_read_costs_no_other(line: str, problem: str) -> None:
    first, second = read(f"{HEADER}\n{line}\n{ROW}\n").rows
    assert first.problem.startswith(problem)
    assert second.problem == ""


def test_curly_quotation_marks_may_be_said() -> None:
    for text in ("\u201cHi.\u201d", "\u201cHi\u201d he said", "he said \u201cHi\u201d"):
        (row,) = read(f"{HEADER}\n{ROW.replace('Hi', text)}\n").rows
        assert (row.problem, row.cells["text"]) == ("", text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04\x14\x00", "an Excel workbook; save it as CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an Excel workbook; save it as CSV UTF-8"),
        (TABLE.encode("utf-16-le"), "NUL bytes"),
        ("utterance;label;Text\n", "no column session .or fold., speaker, audio, video .* read with semicolons"),
        ("utterance\tlabel\tText\n", "read with tabs between the columns; name the columns there, separated by commas"),
        ("\u201eutterance\u201c,label\n", "curly quotation marks in its first line"),
    ],
)
def test_what_is_no_table(content: str | bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(content)


def test_columns_that_are_not_used() -> None:
    assert read(f",Unnamed: 0,{HEADER},Start_Time\n").unused == ("Unnamed: 0", "Start_Time")


def test_modalities_without_a_column() -> None:
    found = read("utterance,fold,speaker,label,audio\nu1,1,Ann,sad,a.wav\n")
    assert (found.absent, found.rows[0].problem) == (("text", "video"), "")
