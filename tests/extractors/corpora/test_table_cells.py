from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.corpora.table_cells import (
    bare,
    name_problem,
    path_problem,
    seconds,
    shown,
    spelling,
    stands_for_nothing,
    tidy,
    whole,
)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("0.4867768702320021", 0.4867768702320021),
        ("0.30000000000000004", 0.30000000000000004),
        ("3.0e-01", 0.3),
        ("1.0E-01", 0.1),
        ("4.0E+00", 4.0),
        ("1e+05", 100_000.0),
        ("1e-05", 1e-5),
        (".1", 0.1),
        ("5.", 5.0),
        ("+1", 1.0),
        ("007.50", 7.5),
        ("-0.0", 0.0),
        ("-1.1102230246251565e-16", 0.0),
        ("np.float64(1.5)", 1.5),
        ("numpy.float32(0.25)", 0.25),
        ("999999.9999999999999999999", 1e6),
    ],
)
def test_numbers_as_programs_print_them(cell: str, value: float) -> None:
    assert seconds("start", cell, decimal_comma=False) == value
    assert str(seconds("start", cell, decimal_comma=True)) == str(value)


@given(st.floats(0, 1e6), st.sampled_from([np.float64, np.float32]))
def test_what_numpy_prints_is_what_it_was(value: float, kind: type[np.floating]) -> None:
    number = min(kind(value), kind(1e6))
    for text in (str(number), repr(number), f"{number:.17g}", f"{number:E}", np.format_float_positional(number)):
        assert kind(seconds("end", text, decimal_comma=False)) == kind(float(re.sub(r"[^(]*\(|\)", "", text)))


@pytest.mark.parametrize(
    ("cell", "fix"),
    [
        ("0,5", "; write a point before the decimals, 0.5"),
        ("1,234.5", "; write it without marks between thousands"),
        ("1 234", "; write it without marks between thousands"),
        ("1.234.567,5", "; write it without marks between thousands"),
        ("00:01:02.5", "; write 62.5"),
        ("1:00:00,25", "; write 3600.25"),
        ("01:02", "; write 62.5 for 1 minute and 2.5 seconds"),
        ("1.5 s", "; write 1.5"),
        *((cell, "") for cell in ("inf", "soon", "1_0", "0x10", "\u0661", "1e", ".", "e5", "--1", "1 2", "f(1.)", "")),
    ],
)  # fmt: skip
def test_what_is_no_number_and_how_to_write_it(cell: str, fix: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"start {cell!r} is not a number of seconds{fix}") + "$"):
        seconds("start", cell, decimal_comma=False)


@pytest.mark.parametrize("cell", ["-1", "-0.001", "1000000.1", "1e99", "9" * 30, "1e999"])
def test_times_out_of_range(cell: str) -> None:
    with pytest.raises(ValueError, match="is not between 0 and 1000000 seconds"):
        seconds("start", cell, decimal_comma=False)


def test_a_comma_before_decimals_where_it_cannot_separate_columns() -> None:
    assert [seconds("start", cell, decimal_comma=True) for cell in ("0,5", "12,345", ",5", "1,0E+1", "0.5")] == [
        *(0.5, 12.345, 0.5, 10.0, 0.5)
    ]
    for cell in ("1.234,5", "1,234,567", "1,2.5"):
        with pytest.raises(ValueError, match="is not a number"):
            seconds("start", cell, decimal_comma=True)


def test_blanks_that_cannot_be_seen() -> None:
    assert tidy("\u00a0\u200b \ufeff a\u00a0b\u200b\u2003\u2060\x1a ") == "a\u00a0b"
    assert tidy("\u200b\u00a0") == ""


def test_marks_and_numbers_of_spreadsheets() -> None:
    assert [bare(cell) for cell in ("'1", '="01"', "1", "it's", "=1")] == ["1", "01", "1", "it's", "=1"]
    assert [whole(cell) for cell in ("1.0", "12.000", "01.0", "1.5", "1.", ".0", "a.0", "1")] == [
        *("1", "12", "01", "1.5", "1.", ".0", "a.0", "1")
    ]
    assert all(map(stands_for_nothing, ("NA", "NaN", "nan", "None", "NULL", "#N/A", "<NA>", "NaT", "n/a")))
    assert not any(map(stands_for_nothing, ("", "Nan", "none", "Nora", "0", "Na")))


def test_labels_in_one_form() -> None:
    assert spelling("e\u0301nerve\u0301") == spelling("'\u00e9nerv\u00e9") == "\u00e9nerv\u00e9"
    assert (spelling("very \u00a0 calm"), spelling("2.0")) == ("very calm", "2")


def test_names_and_paths() -> None:
    assert name_problem("speaker", "Zo\u00eb 2") == path_problem("audio", "a b/c'.wav") == ""
    assert name_problem("speaker", "a\u200bb") == "speaker has characters that cannot be shown"
    assert path_problem("video", "NaN") == "no file is named in column video"
    assert shown("x" * 41) == repr("x" * 40) + "..."
