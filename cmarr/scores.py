"""Verb `scores`: WAR, UAR and confusions of every prediction file; all tables and figures are made from these."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmarr.aggregate import FACTS, facts_of
from cmarr.budget import BUDGET, budget_of
from cmarr.metrics import confusion, uar, war
from cmarr.vocabulary import CONDITIONS
from extractors.files import UserError, read_csv, read_json, write_csv

RUN = ("corpus", "system", "fold", "seed", "condition")
COLUMNS = (
    "corpus", "system", "protocol", "choice", "encoders", "speech", "fold", "seed", "condition",
    "classes", "utterances", "war", "uar", "best_epoch", *BUDGET, "origin", "notes",
)  # fmt: skip
CONFUSION_COLUMNS = (*RUN, "label", "predicted", "count", *FACTS)


def guesses(path: Path, classes: list[str]) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Utterances of one prediction file, and the places in `classes` of their labels and predictions.

    Ties go to the first of `classes`. UserError for a file without predictions.
    """
    rows = read_csv(path)
    if not rows:
        raise UserError(f"{path}: no predictions in it; delete it and run again")
    labels = np.array([classes.index(row["label"]) for row in rows])
    shares = np.array([[float(row[f"p_{name}"]) for name in classes] for row in rows])
    return [row["utterance"] for row in rows], labels, shares.argmax(axis=1)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of verbs that read the predictions of several runs."""
    parser.add_argument(
        "--models", type=Path, required=True, help="folder <corpus>/<system>/fold<k>/seed<s>/record.json"
    )
    parser.add_argument("--predictions", type=Path, required=True, help="the same tree with <condition>.csv")
    parser.add_argument("--runs", nargs="+", required=True, help="<corpus>/<system>/fold<k>/seed<s> of every run")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="CSV, one row per run and condition")
    parser.add_argument(
        "--confusions", type=Path, required=True, help="CSV, one row per run, condition, label and prediction"
    )


def main(args: argparse.Namespace) -> None:
    rows: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    for run in args.runs:
        record = read_json(args.models / run / "record.json")
        classes = record["classes"]
        for condition in CONDITIONS:
            _, labels, found = guesses(args.predictions / run / f"{condition}.csv", classes)
            counts = confusion(labels, found, len(classes))
            about = record | facts_of(record) | budget_of(record) | {"condition": condition}
            rows.append(
                {key: about[key] for key in COLUMNS if key in about}
                | {"classes": len(classes), "utterances": counts.sum()}
                | {"war": f"{war(counts):.4f}", "uar": f"{uar(counts):.4f}"}
            )
            pairs += [
                {key: about[key] for key in CONFUSION_COLUMNS if key in about}
                | {"label": classes[true], "predicted": classes[guess], "count": count}
                for (true, guess), count in np.ndenumerate(counts)
            ]
    write_csv(args.out, COLUMNS, rows)
    write_csv(args.confusions, CONFUSION_COLUMNS, pairs)
