"""Tables in the paper's layout: a row per condition, a column per system with WAR / UAR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cmarr.aggregate import ROWS, Cell, Row, Table, Values, described, facts, named, number, spread


def section(
    corpus: str, systems: Mapping[str, str], table: Table, scores: Sequence[Row], last: Sequence[Sequence[str]] = ()
) -> list[str]:
    """Lines of one corpus; `systems` maps each system to the head of its column, `last` are further rows."""
    own = [row for row in scores if row["corpus"] == corpus and row["system"] in systems]
    about = facts(own)
    body = [["available", *systems.values()]]
    body += [[named(name), *(entry(table[corpus, system, name]) for system in systems)] for name in ROWS]
    lines = [f"## {corpus} ({about['origin']})", ""]
    if about["notes"]:
        lines += [f"**Note: {about['notes']}.**", ""]
    lines += ["WAR / UAR in percent, mean ± standard deviation over folds.", "", *grid([*body, *last])]
    phrase = described(own)
    lines += ["", f"{phrase[0].upper()}{phrase[1:]}. Scores that chose the epoch: {about['choice']}."]
    lines.append("Scores of all folds' utterances together are in the CSV file, as `war_pooled` and `uar_pooled`.")
    if about["origin"] != "release":
        lines.append(f"The data are {about['origin']}: the figures say nothing about the real corpus.")
    return [*lines, ""]


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
