"""What a system was given: trials of tuning, epochs, steps of the optimiser, parameters, candidates of a solved one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cmarr.aggregate import Row

BUDGET = ("trials", "epochs", "steps", "parameters", "candidates")
SHOWN = BUDGET[:-1]
"""rows below a table"""
Budgets = dict[str, dict[str, int | None]]
"""system to what it was given, the mean over its runs, rounded; None for what it has not"""


def budget_of(record: Mapping[str, Any]) -> Row:
    """Columns of a run's scores, by the record of its training; empty what it has not."""
    return {name: str(record.get(name, "")) for name in BUDGET}


def budgets(scores: Sequence[Row], corpus: str) -> Budgets:
    """Of every system of a corpus."""
    runs: dict[str, list[Row]] = {}
    for row in scores:
        if row["corpus"] == corpus:
            runs.setdefault(row["system"], []).append(row)
    return {system: {name: _mean(own, name) for name in BUDGET} for system, own in runs.items()}


def _mean(rows: Sequence[Row], name: str) -> int | None:
    known = [float(row[name]) for row in rows if row.get(name)]
    return round(float(np.mean(known))) if known else None


def lines(found: Budgets, systems: Sequence[str], shown: Sequence[str] = SHOWN) -> list[list[str]]:
    """Rows below a table, `-` for what a system has not; none where nothing is known."""
    rows = [[name, *(_text(found[system][name]) for system in systems)] for name in shown]
    return [row for row in rows if set(row[1:]) != {"-"}]


def _text(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def sentences(found: Budgets) -> list[str]:
    """What the rows mean, and which systems are solved for."""
    if not any(given["trials"] is not None for given in found.values()):
        return []
    solved = [
        _solved(system, given["candidates"]) for system, given in found.items() if given["candidates"] is not None
    ]
    said = f" Solved for, not trained in epochs: {', '.join(solved)}." if solved else ""
    return [f"Trials of tuning; epochs and steps of the optimiser in all stages, mean over runs.{said}"]


def _solved(system: str, candidates: int) -> str:
    return f"{system} (best of {candidates} candidates in each condition)" if candidates > 1 else system
