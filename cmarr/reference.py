"""Systems against the linear reference: what is below it has learned less than means over time tell."""

from __future__ import annotations

from collections.abc import Sequence

from cmarr.aggregate import ROWS, Row, Table, number

REFERENCE = "linear"
COLUMN = "minus_linear_uar"


def difference(table: Table, corpus: str, system: str, condition: str) -> Row:
    """Column of a table: mean UAR less that of the reference, in points; empty without it and for itself."""
    reference = table.get((corpus, REFERENCE, condition))
    if reference is None or system == REFERENCE:
        return {COLUMN: ""}
    means = (cell.uar.array.mean() for cell in (table[corpus, system, condition], reference))
    return {COLUMN: number(float(next(means) - next(means)))}


def below(table: Table, corpus: str, systems: Sequence[str]) -> list[str]:
    """A sentence that names the systems whose UAR is below that of the reference, and where; none without it."""
    if REFERENCE not in systems:
        return []
    named = []
    for system in systems:
        rows = [name for name in ROWS if difference(table, corpus, system, name)[COLUMN].startswith("-")]
        if rows:
            named.append(f"{system} ({'all' if len(rows) == len(ROWS) else ', '.join(rows)})")
    return [f"UAR below that of {REFERENCE}: {', '.join(named) or 'none'}."]
