"""Verb `scores`: WAR, UAR and confusions of every prediction file; all tables and figures are made from these."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmarr.aggregate import FACTS
from cmarr.metrics import confusion, uar, war
from cmarr.vocabulary import CONDITIONS
from extractors.files import UserError, read_csv, read_json, write_csv

RUN = ("corpus", "system", "fold", "seed", "condition")
COLUMNS = (
    "corpus", "system", "protocol", "choice", "encoders", "fold", "seed", "condition",
    "classes", "utterances", "war", "uar", "best_epoch", "origin", "notes",
)  # fmt: skip
CONFUSION_COLUMNS = (*RUN, "label", "predicted", "count", *FACTS)


def counted(path: Path, classes: list[str]) -> NDArray[np.int64]:
    """Confusion matrix (classes, classes) of one prediction file; ties go to the first of `classes`."""
    rows = read_csv(path)
    if not rows:
        raise UserError(f"{path}: no predictions in it; delete it and run again")
    labels = np.array([classes.index(row["label"]) for row in rows])
    guesses = np.array([[float(row[f"p_{name}"]) for name in classes] for row in rows]).argmax(axis=1)
    return confusion(labels, guesses, len(classes))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models", type=Path, required=True, help="folder <corpus>/<system>/fold<k>/seed<s>/record.json"
    )
    parser.add_argument("--predictions", type=Path, required=True, help="the same tree with <condition>.csv")
    parser.add_argument("--runs", nargs="+", required=True, help="<corpus>/<system>/fold<k>/seed<s> of every run")
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
            counts = counted(args.predictions / run / f"{condition}.csv", classes)
            about = record | {"condition": condition, "notes": "; ".join(record["notes"])}
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
