"""Verb `scores`: WAR and UAR of every prediction file, one row each; all tables and figures are made from these."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from cmarr.metrics import confusion, uar, war
from cmarr.vocabulary import CONDITIONS
from extractors.files import UserError, read_csv, read_json, write_csv

COLUMNS = (
    "corpus", "system", "protocol", "encoders", "fold", "seed", "condition",
    "classes", "utterances", "war", "uar", "best_epoch", "origin", "notes",
)  # fmt: skip


def score(path: Path, classes: list[str]) -> tuple[int, float, float]:
    """Number of utterances, WAR and UAR in percent of one prediction file; ties go to the first of `classes`."""
    rows = read_csv(path)
    if not rows:
        raise UserError(f"{path}: no predictions in it; delete it and run again")
    labels = np.array([classes.index(row["label"]) for row in rows])
    guesses = np.array([[float(row[f"p_{name}"]) for name in classes] for row in rows]).argmax(axis=1)
    counts = confusion(labels, guesses, len(classes))
    return len(rows), war(counts), uar(counts)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models", type=Path, required=True, help="folder <corpus>/<system>/fold<k>/seed<s>/record.json"
    )
    parser.add_argument("--predictions", type=Path, required=True, help="the same tree with <condition>.csv")
    parser.add_argument("--runs", nargs="+", required=True, help="<corpus>/<system>/fold<k>/seed<s> of every run")
    parser.add_argument("--out", type=Path, required=True)


def main(args: argparse.Namespace) -> None:
    rows = []
    for run in args.runs:
        record = read_json(args.models / run / "record.json")
        for condition in CONDITIONS:
            count, run_war, run_uar = score(args.predictions / run / f"{condition}.csv", record["classes"])
            rows.append(
                {key: record[key] for key in COLUMNS if key in record}
                | {"condition": condition, "classes": len(record["classes"]), "utterances": count}
                | {"war": f"{run_war:.4f}", "uar": f"{run_uar:.4f}", "notes": "; ".join(record["notes"])}
            )
    write_csv(args.out, COLUMNS, rows)
