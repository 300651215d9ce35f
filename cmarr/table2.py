"""Verb `table2`: WAR and UAR per corpus, condition and system (Table 2 of the paper)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cmarr.aggregate import FACTS, ROWS, SCORES, Row, Table, cells, conditions_of, facts, number
from cmarr.confusion import pooled
from cmarr.markdown import section
from cmarr.metrics import uar, war
from cmarr.vocabulary import CONDITIONS
from extractors.files import UserError, publish, read_csv, write_csv

POOLED = ("war_pooled", "uar_pooled")
COLUMNS = ("corpus", "system", "condition", *SCORES, *POOLED, *FACTS)


def pooled_scores(confusions: Sequence[Row]) -> dict[tuple[str, str, str], Row]:
    """Scores of the counts of all folds together, mean over seeds, per corpus, system and condition.

    `average` is the mean over the six missing conditions.
    """
    runs: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in confusions:
        runs.setdefault((row["corpus"], row["system"]), {}).setdefault(row["seed"], []).append(row)
    found = {}
    for (corpus, system), seeds in runs.items():
        classes = list(dict.fromkeys(row["label"] for own in seeds.values() for row in own))
        scores = {}
        for condition in CONDITIONS:
            counts = [pooled(own, classes, condition) for own in seeds.values()]
            scores[condition] = np.mean([(war(each), uar(each)) for each in counts], axis=0)
        for name in ROWS:
            means = np.mean([scores[condition] for condition in conditions_of(name)], axis=0)
            found[corpus, system, name] = dict(zip(POOLED, map(number, means), strict=True))
    return found


def rows_of(table: Table, scores: Sequence[Row], confusions: Sequence[Row]) -> list[Row]:
    """The table in long form, a row per corpus, system and condition; UserError without the confusions of one."""
    over_folds = pooled_scores(confusions)
    if lacking := next((key for key in table if key not in over_folds), None):
        raise UserError(f"confusions: have no {lacking[1]} on {lacking[0]}, which the scores have; make both again")
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in scores:
        groups.setdefault((row["corpus"], row["system"]), []).append(row)
    about = {key: facts(group) for key, group in groups.items()}
    return [
        dict(zip(("corpus", "system", "condition"), key, strict=True))
        | cell.statistics()
        | over_folds[key]
        | about[key[:2]]
        for key, cell in table.items()
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scores", type=Path, required=True, help="one column per system, in order of appearance")
    parser.add_argument("--confusions", type=Path, required=True, help="of the same runs")
    parser.add_argument(
        "--out", type=Path, required=True, help="table as CSV, one row per corpus, system and condition"
    )
    parser.add_argument("--markdown", type=Path, required=True, help="table in the paper's layout")


def main(args: argparse.Namespace) -> None:
    scores = read_csv(args.scores)
    table = cells(scores)
    write_csv(args.out, COLUMNS, rows_of(table, scores, read_csv(args.confusions)))
    lines = []
    for corpus in dict.fromkeys(row["corpus"] for row in scores):
        systems = dict.fromkeys(row["system"] for row in scores if row["corpus"] == corpus)
        lines += section(corpus, {system: system for system in systems}, table, scores)
    with publish(args.markdown) as draft:
        draft.write_text("\n".join(lines), encoding="utf-8")
