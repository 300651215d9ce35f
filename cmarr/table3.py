"""Verb `table3`: ablations, each beside the full model (Table 3 of the paper)."""

from __future__ import annotations

import argparse

from cmarr import reference
from cmarr.aggregate import Cell, cells
from cmarr.markdown import section, signed
from cmarr.table2 import COLUMNS, add_score_arguments, rows_of
from cmarr.variants import base, overrides
from extractors.files import UserError, publish, read_csv, write_csv

SHOWN = ("mean", "low", "high")
DIFFERENCES = tuple(
    f"{metric}_minus_full" + ("" if name == "mean" else f"_{name}") for metric in ("war", "uar") for name in SHOWN
)
LAST_ROW = "Last row: paired difference to `ours`, with its 95 % t interval over folds (means over seeds)."


def heading(system: str, full: str) -> str:
    """Head of a system's column: `ours` for the full model, else its name or what is different in the variant."""
    if system == full:
        return "ours"
    changed = [value if key == "ablation" else f"{key} {value}" for key, value in overrides(system).items()]
    if base(system) != base(full) or not changed:
        changed.insert(0, base(system))
    return ", ".join(changed)


def differences(cell: Cell, full: Cell) -> dict[str, str]:
    """Mean paired difference to the full model over folds (each the mean over seeds), and its 95 % t interval."""
    both = cell.minus(full).statistics()
    kept = [both[f"{metric}_{name}"] for metric in ("war", "uar") for name in SHOWN]
    return dict(zip(DIFFERENCES, kept, strict=True))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_score_arguments(parser)
    parser.add_argument("--full", required=True, help="system that the others are compared with")


def main(args: argparse.Namespace) -> None:
    scores = read_csv(args.scores)
    table = cells(scores)
    corpora = list(dict.fromkeys(row["corpus"] for row in scores))
    if lacking := next((name for name in corpora if (name, args.full, "average") not in table), None):
        raise UserError(f"{args.scores}: has no {args.full} on {lacking}, which the others are compared with; train it")
    rows = []
    for row in rows_of(table, scores, read_csv(args.confusions)):
        corpus, system, condition = row["corpus"], row["system"], row["condition"]
        compared = dict.fromkeys(DIFFERENCES, "")
        if system != args.full:
            compared = differences(table[corpus, system, condition], table[corpus, args.full, condition])
        rows.append(row | {"column": heading(system, args.full)} | compared)
    write_csv(args.out, (*COLUMNS, "column", *DIFFERENCES), rows)
    lines = []
    for corpus in corpora:
        names = dict.fromkeys(row["system"] for row in scores if row["corpus"] == corpus)
        systems = {system: heading(system, args.full) for system in names}
        full = table[corpus, args.full, "average"]
        last = ["average minus ours", *(_difference(table[corpus, system, "average"], full) for system in systems)]
        below = [LAST_ROW, *reference.below(table, corpus, systems)]
        lines += section(corpus, systems, table, scores, [last], below)
    with publish(args.markdown) as draft:
        draft.write_text("\n".join(lines), encoding="utf-8")


def _difference(cell: Cell, full: Cell) -> str:
    if cell is full:
        return ""
    both = cell.minus(full)
    return f"{signed(both.war)} / {signed(both.uar)}"
