"""Scores of some systems on one corpus that are given by hand."""

from __future__ import annotations

from collections.abc import Mapping

from cmarr.aggregate import FACTS, ROWS, Cell, Row, Table, Values

NOTES = "the face model was never trained; " * 5 + "beware"


def table_of(uar: Mapping[str, Mapping[str, float]], rest: float = 50.0) -> Table:
    """UAR by system and condition, `rest` where none is given; the WAR is 100 less the UAR."""
    found = {}
    for system, own in uar.items():
        for name in ROWS:
            value = own.get(name, rest)
            found["c", system, name] = Cell(*(Values({"1": each}, {"1": each}) for each in (100 - value, value)))
    return found


def scores_of(systems: Mapping[str, Mapping[str, object]]) -> list[Row]:
    """Rows of two folds, with what is given for a system."""
    base = dict.fromkeys(FACTS, "x") | {"corpus": "c", "seed": "1", "origin": "synthetic", "notes": NOTES}
    return [
        base | {"system": system, "fold": fold} | {key: str(value) for key, value in own.items()}
        for system, own in systems.items() for fold in "12"
    ]  # fmt: skip
