"""Tables in the paper's layout: a row per condition, a column per system with WAR / UAR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cmarr.aggregate import ROWS, Cell, Row, Table, Values, facts, named, number, spread, statements

CONTENT = "WAR / UAR in percent, mean ± standard deviation over folds"
POOLED = "Scores of all folds' utterances together are in the CSV file, as `war_pooled` and `uar_pooled`."


def section(
    corpus: str,
    systems: Mapping[str, str],
    table: Table,
    scores: Sequence[Row],
    last: Sequence[Sequence[str]] = (),
    below: Sequence[str] = (),
) -> list[str]:
    """Lines of one corpus; `systems` maps each system to the head of its column.

    `last` are further rows of the table, `below` further sentences below it.
    """
    own = [row for row in scores if row["corpus"] == corpus and row["system"] in systems]
    body = [["available", *systems.values()]]
    body += [[named(name), *(entry(table[corpus, system, name]) for system in systems)] for name in ROWS]
    return [*heading(corpus, own), f"{CONTENT}.", "", *grid([*body, *last]), "", *statements(own), POOLED, *below, ""]


def heading(corpus: str, rows: Sequence[Row]) -> list[str]:
    """Title of a corpus, with the origin of its data and the notes of the rows."""
    about = facts(rows)
    return [f"## {corpus} ({about['origin']})", "", *([f"**Note: {about['notes']}.**", ""] if about["notes"] else [])]


def grid(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table whose first row is the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def entry(cell: Cell) -> str:
    """WAR / UAR, each with its deviation over folds where there are several."""
    return f"{_with_deviation(cell.war)} / {_with_deviation(cell.uar)}"


def _with_deviation(values: Values) -> str:
    deviation = number(spread(values.array))
    return number(float(values.array.mean())) + (f" ± {deviation}" if deviation else "")


def signed(difference: Values) -> str:
    """Mean difference with its sign, and its 95 % t interval over folds where there are several."""
    found = difference.statistics("x")
    within = f" [{found['x_low']}, {found['x_high']}]" if found["x_low"] else ""
    return f"{float(found['x_mean']):+.2f}{within}"
