"""Tables as plain text for a terminal: UAR alone, in the paper's rows."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from cmarr.aggregate import ROWS, Row, Table, facts, named, statements
from cmarr.ranks import Ranks, places, printed

WIDTH = 120
"""of a line, at most"""
GAP = "  "
ELSEWHERE = "WAR, deviations, 95 % intervals and tests: table2.md, table2.csv."


def section(
    corpus: str,
    systems: Sequence[str],
    table: Table,
    scores: Sequence[Row],
    ranks: Ranks,
    last: Sequence[Sequence[str]] = (),
    below: Sequence[str] = (),
) -> list[str]:
    """Lines of one corpus; columns that do not fit side by side go into further blocks."""
    own = [row for row in scores if row["corpus"] == corpus]
    about = facts(own)
    columns = [["available", *map(named, ROWS), *(row[0] for row in last)]]
    for place, system in enumerate(systems, 1):
        cells = [f"{printed(table[corpus, system, name], 'uar'):.1f}{_mark(ranks, system, name)}" for name in ROWS]
        columns.append(
            [system[: WIDTH - len(GAP) - max(map(len, columns[0]))], *cells, *(f"{row[place]} " for row in last)]
        )
    title = f"{corpus} ({about['origin']}): UAR in percent, * for the best of a row"
    notes = [f"Note: {about['notes']}."] * bool(about["notes"])
    text = [line for words in [*notes, *statements(own), *below, ELSEWHERE] for line in _wrapped(words)]
    return [*_wrapped(title), "", *_blocks(columns), *text, ""]


def _wrapped(words: str) -> list[str]:
    return textwrap.wrap(words, WIDTH, break_on_hyphens=False)


def _mark(ranks: Ranks, system: str, condition: str) -> str:
    return "*" if ranks[system, condition, "uar"] == places(ranks, condition, "uar")[0] else " "


def _blocks(columns: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table given by columns, the first of which stands before every block."""
    widths = [max(map(len, column)) for column in columns]
    blocks: list[list[int]] = [[]]
    for place in range(1, len(columns)):
        if blocks[-1] and sum(len(GAP) + widths[each] for each in [*blocks[-1], place]) + widths[0] > WIDTH:
            blocks.append([])
        blocks[-1].append(place)
    lines = []
    for block in blocks:
        for row, label in enumerate(columns[0]):
            cells = [columns[place][row].rjust(widths[place]) for place in block]
            lines.append(GAP.join([label.ljust(widths[0]), *cells]).rstrip())
        lines.append("")
    return lines
