"""Any data set that one CSV describes: a row per utterance, with its label, its text and the names of its media.

What the columns mean stands in docs/add-a-corpus.md. Every row is used or rejected with a reason; an error is only
what makes the table useless as a whole.
"""

from __future__ import annotations

import csv
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeVar

from extractors.corpora import Listing, Rejected, Remark, Stage, Utterance
from extractors.corpora.lines import Line, clean, read_lines
from extractors.corpora.paths import missing
from extractors.corpora.reference import uncompared, utterance_counts
from extractors.files import UserError
from extractors.settings import LABEL, Table

REQUIRED = ("utterance", "session", "speaker", "label", "text", "audio", "video")
OPTIONAL = ("start", "end", "crop", "dialogue")
FIRST_CLASSES = ("angry", "happy", "neutral", "sad")
CROPS = ("left", "right", "full")
MOST_BYTES = 64 << 20
LONGEST_NAME, LONGEST_LABEL, MOST_SECONDS = 200, 40, 1_000_000
SHOWN_ROWS = 10

_SESSION = re.compile(r"[A-Za-z0-9_]{1,40}")
_NUMBER = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{0,12})?(?:[eE]-?[0-9]{1,2})?")
Noted = TypeVar("Noted", Rejected, Remark)


def label_files(corpus: Table) -> list[Path]:
    """The CSV; UserError when it is not a file below the root."""
    root, path = Path(corpus.root), Path(corpus.root) / corpus.file
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; set it to the folder that holds {corpus.file}")
    if os.path.relpath(path, root).startswith("../"):
        raise UserError(f"{path}: outside the corpus folder; `file` must name a CSV below {root}")
    if problem := missing(root, path):
        raise UserError(f"{path}: {problem}; `file` must name a CSV below {root}")
    return [path]


def sessions(corpus: Table) -> tuple[str, ...]:
    """Sessions of the rows that can be used, sorted."""
    return tuple(sorted({row.session for row in _table(corpus).rows}))


def classes(corpus: Table) -> tuple[str, ...]:
    """As the settings say, else the labels of the rows that can be used: the four of the project first, then sorted."""
    if corpus.classes:
        return corpus.classes
    found = {row.label for row in _table(corpus).rows}
    if len(found) < 2:
        (path,) = label_files(corpus)
        raise UserError(f"{path}: {found.pop()} is the only label; two or more are needed")
    return *(label for label in FIRST_CLASSES if label in found), *sorted(found - set(FIRST_CLASSES))


def read(corpus: Table, sessions: Sequence[str]) -> Listing:
    """Every row of `sessions` and those whose session cannot be told; the counts of the check cover all sessions."""
    table = _table(corpus)

    def chosen(items: Sequence[Noted]) -> list[Noted]:
        return [item for item in items if table.session_of[item.utterance] in ("", *sessions)]

    rows = [row for row in table.rows if row.session in sessions]
    wordless = {row.utterance: "text is empty" for row in rows if not row.text}
    return Listing(
        rows, chosen(table.rejected), uncompared(utterance_counts(table.rows)), chosen(table.remarks), wordless=wordless
    )


@dataclass(frozen=True)
class Parsed:
    """What a table says."""

    rows: list[Utterance]
    rejected: list[Rejected]
    remarks: list[Remark]
    session_of: dict[str, str]
    """of the ids whose session is known; empty for the others"""


def parse(lines: Sequence[Line], classes: Sequence[str] | None) -> Parsed:
    """Every row of the table with one of `classes` (None: with any label); UserError when it is no such table."""
    records = _records(lines)
    header = next(records, None)
    if header is None:
        raise UserError("empty; the first line must name the columns")
    if header.problem:
        raise UserError(f"{header.problem}; save it as UTF-8 CSV with commas")
    place = _columns(header.cells)
    named: dict[str, list[_Row]] = defaultdict(list)
    for record in records:
        row = _row(record, place, len(header.cells))
        named[row.name].append(row)
    if not named:
        raise UserError("has a header but no row; add one per utterance")
    parsed = Parsed([], [], [], {})
    for name, (row, *others) in named.items():
        parsed.session_of[name] = row.session if all(same.session == row.session for same in others) else ""
        parsed.remarks.extend(Remark(name, "label", remark) for same in (row, *others) for remark in same.remarks)
        if others:
            where = [str(same.line) for same in (row, *others)]
            shown = ", ".join(where[:SHOWN_ROWS]) + (", ..." if len(where) > SHOWN_ROWS else "")
            parsed.rejected.append(Rejected(name, "label", f"{len(where)} rows have this id (rows {shown})"))
        elif problem := row.problem or next(_problems(row.cells, classes), None):
            parsed.rejected.append(Rejected(name, *problem))
        else:
            parsed.rows.append(_utterance(name, row.cells))
    return parsed


def _table(corpus: Table) -> Parsed:
    (path,) = label_files(corpus)
    status = path.stat()
    return _parsed(Path(corpus.root), path, corpus.classes, (status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=4)
def _parsed(root: Path, path: Path, classes: tuple[str, ...] | None, state: tuple[int, int]) -> Parsed:
    """The table at `path`; read again only when its `state` is another one."""
    lines = read_lines(root, path, MOST_BYTES)
    if isinstance(lines, str):
        raise UserError(f"{path}: {lines}; `file` must name the table of utterances")
    try:
        parsed = parse(lines, classes)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if not parsed.rows:
        first = parsed.rejected[0]
        raise UserError(f"{path}: none of its rows can be used; {first.utterance}: {first.reason}")
    return parsed


class _Record(NamedTuple):
    """A record of the CSV: its first line, and its cells or why there are none."""

    line: int
    cells: list[str]
    problem: str
    remarks: list[str]


def _records(lines: Sequence[Line]) -> Iterator[_Record]:
    """Every record that is not blank."""
    reader = csv.reader((line.text + "\n" for line in lines), strict=True)
    while (first := reader.line_num + 1) <= len(lines):
        cells, problem = [], ""
        try:
            cells = [cell.strip() for cell in next(reader)]
        except csv.Error as error:
            problem = "a carriage return within the line" if "new-line" in str(error) else str(error)
        if any("\0" in cell for cell in cells):
            problem = "NUL bytes"
        if not problem and not any(cells):
            continue
        last = reader.line_num
        where = f"line {first}" if first == last else f"lines {first} to {last}"
        remarks = [] if all(line.utf8 for line in lines[first - 1 : last]) else [f"{where} not UTF-8, read as Latin-1"]
        if first < last:
            remarks.append(f"{where} are one row, by their quotation marks")
        yield _Record(first, cells, f"{where} not readable as CSV ({problem})" if problem else "", remarks)


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Where each known column is; UserError when one is absent or there twice."""
    names = [cell.lower() for cell in header]
    place = {name: names.index(name) for name in (*REQUIRED, "fold", *OPTIONAL) if name in names}
    if twice := [name for name in place if names.count(name) > 1]:
        raise UserError(f"several columns are called {', '.join(twice)}; keep one of each")
    absent = [name for name in REQUIRED if name not in place and (name != "session" or "fold" not in place)]
    if absent:
        listed = ", ".join("session (or fold)" if name == "session" else name for name in absent)
        raise UserError(f"no column {listed} in its first line; name the columns there, separated by commas")
    return place


class _Row(NamedTuple):
    """A record by the names of its columns, under its id, or as `row 17` (its line) where it has no usable one."""

    name: str
    line: int
    session: str  # empty if it is not usable
    cells: Mapping[str, str]
    problem: tuple[Stage, str] | None
    remarks: list[str]


def _row(record: _Record, place: Mapping[str, int], width: int) -> _Row:
    unnamed = _Row(f"row {record.line}", record.line, "", {}, None, record.remarks)
    if record.problem:
        return unnamed._replace(problem=("label", record.problem))
    if len(record.cells) != width:
        return unnamed._replace(problem=("label", f"{len(record.cells)} fields instead of {width}"))
    cells = {name: record.cells[index] for name, index in place.items()}
    session = cells.setdefault("session", cells.get("fold", ""))
    row = unnamed._replace(session=session if _SESSION.fullmatch(session) else "", cells=cells)
    if problem := _name_problem("utterance", cells["utterance"]):
        return row._replace(problem=("label", problem))
    row = row._replace(name=cells["utterance"])
    if (fold := cells.get("fold", session)) != session:
        return row._replace(session="", problem=("label", f"session {_shown(session)}, but fold {_shown(fold)}"))
    return row


def _problems(cells: Mapping[str, str], classes: Sequence[str] | None) -> Iterator[tuple[Stage, str]]:
    """What is wrong with a row."""
    if not _SESSION.fullmatch(cells["session"]):
        yield "label", f"session {_shown(cells['session'])}; it needs letters a to z, digits or underscores, 40 at most"
    if problem := _name_problem("speaker", cells["speaker"]):
        yield "label", problem
    if problem := _label_problem(cells["label"], classes):
        yield "label", problem
    if cells.get("dialogue") and (problem := _name_problem("dialogue", cells["dialogue"])):
        yield "label", problem
    if problem := _time_problem(cells.get("start", ""), cells.get("end", "")):
        yield "label", problem
    if problem := _path_problem(cells["audio"]):
        yield "audio", problem
    if problem := _path_problem(cells["video"]):
        yield "video", problem
    if (crop := cells.get("crop", "")) and crop.lower() not in CROPS:
        yield "video", f"crop {_shown(crop)} is none of {', '.join(CROPS)}"


def _name_problem(column: str, name: str) -> str:
    if not name:
        return f"{column} is empty"
    if len(name) > LONGEST_NAME:
        return f"{column} has {len(name)} characters, {LONGEST_NAME} at most are possible"
    return "" if name.isprintable() else f"{column} has characters that cannot be shown"


def _label_problem(label: str, classes: Sequence[str] | None) -> str:
    if not label:
        return "label is empty"
    if classes is not None:
        return "" if label in classes else f"label {_shown(label)} is not one of the classes"
    if re.fullmatch(LABEL, label):
        return ""
    return f"label {_shown(label)}; it needs a letter or digit first and {LONGEST_LABEL} characters at most"


def _time_problem(start: str, end: str) -> str:
    if not start and not end:
        return ""
    if not (start and end):
        return f"{'end' if start else 'start'} is empty; give both times or none"
    for name, text in (("start", start), ("end", end)):
        if not _NUMBER.fullmatch(text):
            return f"{name} {_shown(text)} is not a number of seconds"
        if not 0 <= float(text) <= MOST_SECONDS:
            return f"{name} {text} is not between 0 and {MOST_SECONDS} seconds"
    return f"ends at {end} s, not after its start at {start} s" if float(end) <= float(start) else ""


def _path_problem(path: str) -> str:
    if not path:
        return "no file is named"
    if clean(path) != path or "\\" in path:
        return f"file {_shown(path)}; folders are separated by /, and control characters cannot be used"
    if path.startswith("/") or ".." in PurePosixPath(path).parts:
        return f"file {_shown(path)} is not below the corpus folder; name it from there, without .."
    return ""


def _shown(cell: str) -> str:
    return repr(cell[:LONGEST_LABEL]) + ("..." if len(cell) > LONGEST_LABEL else "")


def _utterance(name: str, cells: Mapping[str, str]) -> Utterance:
    start, end = (float(cells[column]) if cells.get(column) else None for column in ("start", "end"))
    return Utterance(
        utterance=name,
        dialogue=cells.get("dialogue") or name,
        session=cells["session"],
        speaker=cells["speaker"],
        label=cells["label"],
        text=clean(cells["text"]),
        audio=PurePosixPath(cells["audio"]).as_posix(),
        audio_start=start,
        audio_end=end,
        video=PurePosixPath(cells["video"]).as_posix(),
        video_start=start,
        video_end=end,
        crop=cells.get("crop", "").lower() or "full",
    )
