"""Verb `table2`: WAR and UAR per corpus, condition and system (Table 2 of the paper), and how far they are from it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cmarr import budget, latex, markdown, reference, terminal
from cmarr.aggregate import FACTS, ROWS, SCORES, Row, Table, cells, conditions_of, facts, noted, number
from cmarr.budget import BUDGET, Budgets
from cmarr.confusion import pooled
from cmarr.metrics import uar, war
from cmarr.published import DIFFERENCE_COLUMNS, PAPER_COLUMNS, differences, paper
from cmarr.ranks import METRICS, Ranks, mean_ranks, ranks
from cmarr.verdict import verdict
from cmarr.vocabulary import CONDITIONS
from extractors.files import UserError, publish, read_csv, write_csv

POOLED = ("war_pooled", "uar_pooled")
COLUMNS = ("corpus", "system", "condition", *SCORES, *POOLED, *FACTS)
RANKED_COLUMNS = (
    *COLUMNS[: -len(FACTS)], *(f"rank_{metric}" for metric in METRICS), reference.COLUMN, *BUDGET, *FACTS,
)  # fmt: skip
MEAN_RANK = "Mean rank: over the seven conditions; 1 is the best, and scores that are printed alike share a rank."


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
        | noted(about[key[:2]], cell.war, cell.uar)
        for key, cell in table.items()
    ]


def add_score_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of verbs that make a table of scores."""
    parser.add_argument("--scores", type=Path, required=True, help="one column per system, in order of appearance")
    parser.add_argument("--confusions", type=Path, required=True, help="of the same runs")
    parser.add_argument(
        "--out", type=Path, required=True, help="table as CSV, one row per corpus, system and condition"
    )
    parser.add_argument("--markdown", type=Path, required=True, help="table in the paper's layout")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_score_arguments(parser)
    parser.add_argument("--latex", type=Path, required=True, help="the same as LaTeX, for `booktabs`")
    parser.add_argument("--text", type=Path, required=True, help="UAR alone, for a terminal of 120 columns")
    parser.add_argument("--published", type=Path, required=True, help="CSV: the scores that the paper prints")
    parser.add_argument("--difference", type=Path, required=True, help="CSV: scores less those of the paper")
    parser.add_argument(
        "--types", nargs="+", type=corpus_type, required=True, metavar="CORPUS=TYPE",
        help="type of each corpus, which says whether the paper has scores of it",
    )  # fmt: skip
    parser.add_argument(
        "--significance", type=Path, nargs="*", default=[], help="CSV of the verb `significance`, for a line below"
    )


def corpus_type(text: str) -> tuple[str, str]:
    """`name=iemocap` as name and type; ValueError without the sign in between."""
    name, kind = text.split("=")
    return name, kind


def main(args: argparse.Namespace) -> None:
    scores = read_csv(args.scores)
    table = cells(scores)
    rows = rows_of(table, scores, read_csv(args.confusions))
    tests = [row for path in args.significance for row in read_csv(path)]
    ranked: list[Row] = []
    texts: dict[Path, list[str]] = {args.markdown: [], args.latex: [latex.HEAD], args.text: []}
    for corpus in dict.fromkeys(row["corpus"] for row in scores):
        systems = list(dict.fromkeys(row["system"] for row in scores if row["corpus"] == corpus))
        found = ranks(table, corpus, systems)
        given = budget.budgets(scores, corpus)
        ranked += [row | _beside(row, table, found, given) for row in rows if row["corpus"] == corpus]
        heads, ranking = {name: name for name in systems}, mean_ranks(found, systems)
        last = [*ranking, *budget.lines(given, systems)]
        told = [*budget.sentences(given), *reference.below(table, corpus, heads)]
        below = [*([MEAN_RANK] if ranking else []), *told, *verdict(tests, corpus)]
        texts[args.markdown] += markdown.section(corpus, heads, table, scores, last, below)
        texts[args.latex] += latex.section(corpus, heads, table, scores, found, last, below)
        short = [*mean_ranks(found, systems, ["uar"]), *budget.lines(given, systems, ["trials", "steps"])]
        texts[args.text] += terminal.section(corpus, systems, table, scores, found, short, told)
    write_csv(args.out, RANKED_COLUMNS, ranked)
    write_csv(args.published, PAPER_COLUMNS, paper())
    write_csv(args.difference, DIFFERENCE_COLUMNS, differences(table, scores, dict(args.types)))
    for path, lines in texts.items():
        with publish(path) as draft:
            draft.write_text("\n".join(lines), encoding="utf-8")


def _beside(row: Row, table: Table, found: Ranks, given: Budgets) -> Row:
    """Further columns of a row of the table: its ranks, the difference to the reference, and what its system got."""
    corpus, system, condition = row["corpus"], row["system"], row["condition"]
    own = {name: "" if value is None else str(value) for name, value in given[system].items()}
    ranking = {f"rank_{metric}": f"{found[system, condition, metric]:g}" for metric in METRICS}
    return ranking | reference.difference(table, corpus, system, condition) | own
