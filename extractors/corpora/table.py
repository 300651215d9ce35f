"""Any data set that one CSV describes: a row per utterance, with its label, its text and the names of its media.

What the columns mean stands in docs/add-a-corpus.md. Every row is used or rejected with a reason; an error is only
what makes the table useless as a whole.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from extractors.corpora import Listing, Rejected, Remark, Stage, UnusableError, Utterance, unchosen
from extractors.corpora.lines import Line, read_lines, words
from extractors.corpora.paths import Neighbours, missing
from extractors.corpora.reasons import causes
from extractors.corpora.reference import uncompared, utterance_counts
from extractors.corpora.table_cells import (
    bare,
    name_problem,
    path_problem,
    seconds,
    shown,
    spelling,
    stands_for_nothing,
    whole,
)  # fmt: skip
from extractors.corpora.table_labels import FIRST_CLASSES, alike, label_problem, one_spelling
from extractors.corpora.table_records import SEPARATORS, Record, records
from extractors.files import UserError
from extractors.settings import Table

CROPS = ("left", "right", "full")
MOST_BYTES = 64 << 20
"""About 350,000 rows, for which the job of the manifest has the memory."""
SHOWN_ROWS = 10

_SESSION = re.compile(r"[A-Za-z0-9_]{1,40}")
_STAGES: dict[str, Stage] = {"text": "transcript", "audio": "audio", "video": "video"}


def label_files(corpus: Table) -> list[Path]:
    """The CSV; UserError when it is not a file below the root."""
    root, path = Path(corpus.root), Path(corpus.root) / corpus.file
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; set it to the folder that holds {corpus.file}")
    if os.path.relpath(path, root).startswith("../"):
        raise UserError(f"{path}: outside the corpus folder; `file` must name a CSV below {root}")
    if problem := missing(root, path):
        near = Neighbours(root).hint(corpus.file) if problem == "missing" else ""
        raise UserError(f"{path}: {problem}; {near and near + '; '}`file` must name a CSV below {root}")
    return [path]


def sessions(corpus: Table) -> tuple[str, ...]:
    """Sessions of the rows that can be used, sorted; there may be none."""
    return tuple(sorted({row.session for row in _table(corpus).rows}))


def classes(corpus: Table) -> tuple[str, ...]:
    """As the settings say, else the labels of the rows that can be used: the four of the project first, then sorted."""
    table, (path,) = _table(corpus), label_files(corpus)
    if not table.rows:
        raise UserError(f"{path}: none of its {table.size} rows can be used; {causes(table.rejected)}")
    if corpus.classes:
        return corpus.classes
    found = {row.label for row in table.rows}
    if len(found) < 2:
        raise UserError(f"{path}: {found.pop()} is the only label; two or more are needed")
    return *(label for label in FIRST_CLASSES if label in found), *sorted(found - set(FIRST_CLASSES))


def read(corpus: Table, sessions: Sequence[str]) -> Listing:
    """Every row of the table; the counts of the check cover all sessions."""
    table = _table(corpus)
    rows = [row for row in table.rows if row.session in sessions]
    others = [unchosen(row.utterance, row.session) for row in table.rows if row.session not in sessions]
    return Listing(
        rows,
        table.rejected + others,
        uncompared(utterance_counts(table.rows)),
        table.remarks,
        wordless={row.utterance: "text is empty" for row in rows if not row.text},
        size=table.size,
    )


@dataclass(frozen=True)
class Parsed:
    """What a table says, and how many rows it has."""

    rows: list[Utterance]
    rejected: list[Rejected]
    remarks: list[Remark]
    size: int


def parse(lines: Sequence[Line], classes: Sequence[str] | None) -> Parsed:
    """Every row of the table with one of `classes` (None: with any label); UserError when it is no such table."""
    table = records(lines)
    named: dict[str, list[_Row]] = defaultdict(list)
    for record in table.rows:
        row = _row(record)
        named[row.name].append(row)
    if not named:
        raise UserError("has a header but no row; add one per utterance")
    parsed = Parsed([], [], [], len(table.rows))
    if table.separator != ",":
        how = f"the columns are separated by {SEPARATORS[table.separator]}"
        parsed.remarks.append(Remark("", "label", how + ", and 1,5 is one and a half" * (table.separator == ";")))
    if table.unused:
        parsed.remarks.append(
            Remark("", "label", f"columns that are not used: {', '.join(map(shown, table.unused[:10]))}")
        )
    for name, (row, *others) in named.items():
        same_id = (row, *others)
        where = ", ".join(str(same.line) for same in same_id[:SHOWN_ROWS]) + ", ..." * (len(same_id) > SHOWN_ROWS)
        for same in same_id:
            parsed.remarks.extend(Remark(name, "label", remark) for remark in same.remarks)
            if others:
                reason = f"{len(same_id)} rows have this id (rows {where}); this one is row {same.line}"
                parsed.rejected.append(Rejected(name, "label", reason, same.session))
        if others:
            continue
        try:
            if row.problem:
                raise UnusableError("label", row.problem)
            parsed.rows.append(_utterance(row, classes, table.separator == ";", table.absent))
        except UnusableError as problem:
            parsed.rejected.append(Rejected(name, problem.stage, str(problem), row.session))
        else:
            parsed.remarks.extend(_odd_words(parsed.rows[-1]))
    rows, remarks = one_spelling(parsed.rows, classes or ())
    remarks += alike("session", (row.session for row in rows)) + alike("speaker", (row.speaker for row in rows))
    return replace(parsed, rows=rows, remarks=parsed.remarks + remarks)


def _table(corpus: Table) -> Parsed:
    (path,) = label_files(corpus)
    status = path.stat()
    return _parsed(Path(corpus.root), path, corpus.classes, (status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=4)
def _parsed(root: Path, path: Path, classes: tuple[str, ...] | None, state: tuple[int, int]) -> Parsed:
    """The table at `path`; read again only when its `state` is another one."""
    if state[1] > MOST_BYTES:
        most = f"tables of up to {MOST_BYTES >> 20} MiB are read"
        raise UserError(f"{path}: {state[1]} bytes long; {most}; leave columns out that are not needed, or split it")
    lines = read_lines(root, path, MOST_BYTES)
    if isinstance(lines, str):
        raise UserError(f"{path}: {lines}; `file` must name the table of utterances")
    try:
        return parse(lines, classes)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


class _Row(NamedTuple):
    """A record under its id, or as `row 17` (its line) where it has no usable one."""

    name: str
    line: int
    session: str  # empty if it is not usable
    cells: Mapping[str, str]
    problem: str
    remarks: list[str]


def _row(record: Record) -> _Row:
    unnamed = _Row(f"row {record.line}", record.line, "", {}, record.problem, record.remarks)
    if record.problem:
        return unnamed
    session, fold = (whole(bare(record.cells.get(column, ""))) for column in ("session", "fold"))
    if "session" not in record.cells:
        session = fold
    cells = record.cells | {"session": session} if session != record.cells.get("session") else record.cells
    usable = _SESSION.fullmatch(session) and not stands_for_nothing(session)
    row = unnamed._replace(session=session if usable else "", cells=cells)
    if problem := name_problem("utterance", cells["utterance"]):
        return row._replace(problem=problem)
    row = row._replace(name=cells["utterance"])
    if "fold" in cells and fold != session:
        return row._replace(session="", problem=f"session {shown(session)}, but fold {shown(fold)}")
    return row


def _utterance(row: _Row, classes: Sequence[str] | None, decimal_comma: bool, absent: Sequence[str]) -> Utterance:
    """A row as an utterance; UnusableError with what is wrong with it."""

    def need(stage: Stage, problem: str) -> None:
        if problem:
            raise UnusableError(stage, problem)

    cells, session = row.cells, shown(row.cells["session"])
    speaker, dialogue = whole(cells["speaker"]), whole(cells.get("dialogue", ""))
    if not row.session:
        rule = "; it needs letters a to z, digits or underscores, 40 at most"
        why = " stands for no value" if stands_for_nothing(cells["session"]) else rule
        raise UnusableError("label", f"session {session}{why}" if cells["session"] else "session is empty")
    need("label", name_problem("speaker", speaker))
    label = spelling(cells["label"])
    need("label", label_problem(label, classes))
    need("label", name_problem("dialogue", dialogue) if dialogue else "")
    both = _span(cells, "", decimal_comma)
    audio, video = (_span(cells, f"{kind}_", decimal_comma) or both or (None, None) for kind in ("audio", "video"))
    for kind in absent:
        raise UnusableError(_STAGES[kind], f"the table has no column {kind}")
    need("audio", path_problem("audio", cells["audio"]))
    need("video", path_problem("video", cells["video"]))
    crop = bare(cells.get("crop", "")).lower() or "full"
    need("video", "" if crop in CROPS else f"crop {shown(cells['crop'])} is none of {', '.join(CROPS)}")
    return Utterance(
        utterance=row.name,
        dialogue=dialogue or row.name,
        session=row.session,
        speaker=speaker,
        label=label,
        text=words(cells["text"]),
        audio=PurePosixPath(cells["audio"]).as_posix(),
        audio_start=audio[0],
        audio_end=audio[1],
        video=PurePosixPath(cells["video"]).as_posix(),
        video_start=video[0],
        video_end=video[1],
        crop=crop,
    )


def _span(cells: Mapping[str, str], kind: str, decimal_comma: bool) -> tuple[float, float] | None:
    """Start and end of a kind (`audio_`, `video_`, or empty for both) in seconds, None where neither is given."""
    columns = (f"{kind}start", f"{kind}end")
    texts = [bare(cells.get(column, "")) for column in columns]
    if not any(texts):
        return None
    if not all(texts):
        raise UnusableError("label", f"{columns[bool(texts[0])]} is empty; give both times or none")
    try:
        start, end = (seconds(column, text, decimal_comma) for column, text in zip(columns, texts, strict=True))
    except ValueError as problem:
        raise UnusableError("label", str(problem)) from problem
    if end <= start:
        raise UnusableError("label", f"ends at {texts[1]} s, not after its start at {texts[0]} s")
    return start, end


def _odd_words(row: Utterance) -> list[Remark]:
    odd = []
    if stands_for_nothing(row.text):
        odd.append(Remark(row.utterance, "transcript", f"text {shown(row.text)} is taken as said"))
    if stands_for_nothing(row.speaker):
        odd.append(Remark(row.utterance, "label", f"speaker {shown(row.speaker)} is taken for a name"))
    return odd
