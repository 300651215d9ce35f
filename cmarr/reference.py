"""Systems against the linear reference: what is below it has learned less than means over time tell."""

from __future__ import annotations

from collections.abc import Mapping

from cmarr.aggregate import ROWS, Row, Table, number

REFERENCE = "linear"
COLUMN = "minus_linear_uar"


def difference(table: Table, corpus: str, system: str, condition: str, reference: str = REFERENCE) -> Row:
    """Column of a table: mean UAR less that of the reference, in points; empty without it and for itself."""
    theirs = table.get((corpus, reference, condition))
    if theirs is None or system == reference:
        return {COLUMN: ""}
    means = (cell.uar.array.mean() for cell in (table[corpus, system, condition], theirs))
    return {COLUMN: number(float(next(means) - next(means)))}


def below(table: Table, corpus: str, systems: Mapping[str, str], reference: str = REFERENCE) -> list[str]:
    """A sentence that names the systems whose UAR is below that of the reference, and where; none without it.

    `systems` maps the name of each run to what it is called there; `reference` is a name of runs, too.
    """
    if reference not in systems:
        return []
    named = []
    for system, head in systems.items():
        rows = [name for name in ROWS if difference(table, corpus, system, name, reference)[COLUMN].startswith("-")]
        if rows:
            named.append(f"{head} ({'all' if len(rows) == len(ROWS) else ', '.join(rows)})")
    return [f"UAR below that of {REFERENCE}: {', '.join(named) or 'none'}."]
