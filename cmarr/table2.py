"""Verb `table2`: WAR and UAR per corpus, condition and system (Table 2 of the paper)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cmarr.aggregate import FACTS, SCORES, Row, Table, cells, facts
from cmarr.markdown import section
from extractors.files import publish, read_csv, write_csv

COLUMNS = ("corpus", "system", "condition", *SCORES, *FACTS)


def rows_of(table: Table, scores: Sequence[Row]) -> list[Row]:
    """The table in long form, a row per corpus, system and condition."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in scores:
        groups.setdefault((row["corpus"], row["system"]), []).append(row)
    about = {key: facts(group) for key, group in groups.items()}
    return [
        {"corpus": corpus, "system": system, "condition": condition} | cell.statistics() | about[corpus, system]
        for (corpus, system, condition), cell in table.items()
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument(
        "--out", type=Path, required=True, help="table as CSV, one row per corpus, system and condition"
    )
    parser.add_argument("--markdown", type=Path, required=True, help="table in the paper's layout")


def main(args: argparse.Namespace) -> None:
    scores = read_csv(args.scores)
    table = cells(scores)
    write_csv(args.out, COLUMNS, rows_of(table, scores))
    lines = []
    for corpus in dict.fromkeys(row["corpus"] for row in scores):
        systems = dict.fromkeys(row["system"] for row in scores if row["corpus"] == corpus)
        lines += section(corpus, {system: system for system in systems}, table, scores)
    with publish(args.markdown) as draft:
        draft.write_text("\n".join(lines), encoding="utf-8")
