"""A table file as records: what separates its cells, which column is which, and rows of an unusual length."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from extractors.corpora.lines import Line
from extractors.corpora.table_cells import stands_for_nothing, tidy
from extractors.files import UserError

MODALITIES = ("text", "audio", "video")
REQUIRED = ("utterance", "session", "speaker", "label", *MODALITIES)
SPANS = ("start", "end", "audio_start", "audio_end", "video_start", "video_end")
OPTIONAL = (*SPANS, "crop", "dialogue")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
WORKBOOKS = ("PK\x03\x04", "\xd0\xcf\x11\xe0")
CURLY = ("\u201c", "\u201d", "\u201e")


class Record(NamedTuple):
    """A row of the table: its first line, and its cells by column or why there are none."""

    line: int
    cells: dict[str, str]
    problem: str
    remarks: list[str]
    short: str
    """how many fields it has, if that is fewer than the header"""


class Records(NamedTuple):
    """All rows of a table that are not blank, and what separates their cells.

    Then those of `MODALITIES` that have no column, and the columns that are none of those known here. Cells of optional
    columns that stand for no value, and those that a row leaves out, are empty.
    """

    rows: list[Record]
    separator: str
    absent: tuple[str, ...]
    unused: tuple[str, ...]


def records(lines: Sequence[Line]) -> Records:
    """The rows of a table; UserError when it is no such table."""
    begin, separator = _separator(lines)
    rows = _rows(lines, begin, separator)
    header = next(rows, None)
    if lines[0].text.startswith(WORKBOOKS):
        raise UserError("an Excel workbook; save it as CSV UTF-8")
    if header is None:
        raise UserError("empty; the first line must name the columns")
    if header.problem:
        raise UserError(f"{header.problem}; save it as UTF-8 CSV with commas")
    if any(cell[0] in CURLY for cell in header.cells if cell):
        raise UserError('curly quotation marks in its first line; replace them by straight ones (")')
    place = _columns(header.cells, separator)
    absent = tuple(name for name in MODALITIES if name not in place)
    found = [_named(row, place, len(header.cells), separator) for row in rows]
    if found and found[-1].short and lines[-1].text and not any(row.short for row in found[:-1]):
        found[-1] = found[-1]._replace(cells={}, problem=f"{found[-1].short} and no end of line: the file is cut off")
    unused = tuple(cell for cell in header.cells if cell and _name(cell) not in place)
    return Records(found, separator, absent, unused)


class _Row(NamedTuple):
    """A row as it stands: its first line, and its cells or why there are none."""

    line: int
    cells: list[str]
    problem: str
    remarks: list[str]


def _separator(lines: Sequence[Line]) -> tuple[int, str]:
    """Where the header begins, and the separator under which most of the known columns are found in it."""
    begin = next((number for number, line in enumerate(lines) if tidy(line.text).strip('",;\t|')), 0)
    first = tidy(lines[begin].text).strip('"') if lines else ""
    if first.lower().startswith("sep=") and first[4:5] in SEPARATORS:
        return begin + 1, first[4]
    names = {*REQUIRED, *OPTIONAL, "fold"}

    def known(separator: str) -> int:
        return len(names.intersection(_name(cell.strip('"')) for cell in first.split(separator)))

    return 0, max(SEPARATORS, key=known)


def _rows(lines: Sequence[Line], begin: int, separator: str) -> Iterator[_Row]:
    """Every row that is not blank; one that cannot be read costs its first line only."""
    while begin < len(lines):
        start = begin
        texts = (lines[number].text + "\n" for number in range(start, len(lines)))
        reader = csv.reader(texts, delimiter=separator, skipinitialspace=True, strict=True)
        try:
            for cells in map(_tidied, reader):
                first, begin = begin + 1, start + reader.line_num
                if any("\0" in cell for cell in cells):
                    yield _row(lines, first, begin, [], "NUL bytes")
                elif any(cells):
                    yield _row(lines, first, begin, cells, "")
            return
        except csv.Error as error:
            begin += 1
            why = "NUL bytes" if "\0" in lines[begin - 1].text else _why(str(error))
            yield _row(lines, begin, begin, [], why)


def _tidied(cells: list[str]) -> list[str]:
    return [tidy(cell) for cell in cells]


def _why(error: str) -> str:
    if "new-line" in error:
        return "a carriage return within the line"
    if "unexpected end" in error or "expected after" in error:
        return "a quotation mark is not closed, or one within a cell is not doubled"
    return error


def _row(lines: Sequence[Line], first: int, last: int, cells: list[str], problem: str) -> _Row:
    where = f"line {first}" if first == last else f"lines {first} to {last}"
    remarks = [] if all(line.utf8 for line in lines[first - 1 : last]) else [f"{where} not UTF-8, read as Latin-1"]
    if first < last:
        remarks.append(f"{where} are one row, by their quotation marks")
    return _Row(first, cells, f"{where} not readable as CSV ({problem})" if problem else "", remarks)


def _name(cell: str) -> str:
    return tidy(cell).lower()


def _columns(header: Sequence[str], separator: str) -> dict[str, int]:
    """Where each known column is; UserError when one is there twice, or one without which no row has a name or label.

    Without a column of text, audio or video every row can still be told to lack it.
    """
    names = [_name(cell) for cell in header]
    place = {name: names.index(name) for name in (*REQUIRED, "fold", *OPTIONAL) if name in names}
    if twice := [name for name in place if names.count(name) > 1]:
        raise UserError(f"several columns are called {', '.join(twice)}; keep one of each")
    absent = [name for name in REQUIRED if name not in place and (name != "session" or "fold" not in place)]
    if set(absent) - set(MODALITIES):
        listed = ", ".join("session (or fold)" if name == "session" else name for name in absent)
        raise UserError(
            f"no column {listed} in its first line, read with {SEPARATORS[separator]} between the columns; "
            "name the columns there, separated by commas"
        )
    return place


def _named(row: _Row, place: Mapping[str, int], width: int, separator: str) -> Record:
    """A row by the names of its columns."""
    cells, problem = row.cells, row.problem
    lacking = {name for name, index in place.items() if index >= len(cells)}
    fields = f"{len(cells)} fields instead of {width}"
    if not problem and any(cells[width:]):
        problem = f"{fields}; a cell with a separator in it needs quotation marks, and each column its name"
    if not problem and lacking - set(OPTIONAL):
        others = [name for other, name in SEPARATORS.items() if cells[0].count(other) > len(REQUIRED) - 2]
        problem = fields + (f"; {others[0]} instead of {SEPARATORS[separator]} between them" if others else "")
    if not problem and _split_by_its_comma(cells):
        problem = 'curly quotation marks around a cell with a separator in it; replace them by straight ones (")'
    if problem:
        return Record(row.line, {}, problem, row.remarks, "")
    found = {name: cells[index] if index < len(cells) else "" for name, index in place.items()}
    empty = dict.fromkeys((name for name in OPTIONAL if stands_for_nothing(found.get(name, ""))), "")
    return Record(row.line, found | empty, "", row.remarks, fields if lacking else "")


def _split_by_its_comma(cells: Sequence[str]) -> bool:
    """Whether a curly quotation mark opens in one cell and closes in a later one."""
    opens = next((number for number, cell in enumerate(cells) if cell[:1] in CURLY and cell[-1:] not in CURLY), None)
    return opens is not None and any(cell[-1:] in CURLY and cell[:1] not in CURLY for cell in cells[opens + 1 :])
