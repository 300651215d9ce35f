"""Verb `folds`: train, validation and test ids of every fold."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from cmarr.seeds import derive
from extractors.files import UserError, read_csv, write_json

Row = dict[str, str]
VALIDATION_SHARE = 10
"""one in ten training dialogues validates"""


def clean_folds(corpus: str, rows: list[Row]) -> dict[str, dict[str, list[str]]]:
    """Folds of the protocol `clean`, named by the session they test (systems.md 1.3).

    Fold k tests session k, both speakers, and trains on the other sessions less a validation set of one tenth of
    their dialogues: whole dialogues, stratified by label, drawn with a seed derived from corpus and fold.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    sessions = sorted({row["session"] for row in rows})
    if len(sessions) < 2:
        raise UserError(f"{corpus}: leave-one-session-out needs two sessions or more, the manifest has {len(sessions)}")
    folds = {}
    for session in sessions:
        rest = [row for row in rows if row["session"] != session]
        dialogues = np.array([row["dialogue"] for row in rest])
        parts = min(VALIDATION_SHARE, len(set(dialogues)))
        if parts < 2:
            raise UserError(f"{corpus}: fold {session} has one training dialogue; a validation set needs two or more")
        seed = derive(corpus, "clean", session, "validation") % 2**32
        splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
        labels = [row["label"] for row in rest]
        held_out = set(next(iter(splitter.split(labels, labels, dialogues)))[1].tolist())
        folds[session] = {
            "train": [row["utterance"] for i, row in enumerate(rest) if i not in held_out],
            "validation": [row["utterance"] for i, row in enumerate(rest) if i in held_out],
            "test": [row["utterance"] for row in rows if row["session"] == session],
        }
    return folds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", required=True, help="name of the corpus; part of the seed")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--protocol", choices=["clean"], required=True)
    parser.add_argument("--out", type=Path, required=True)


def main(args: argparse.Namespace) -> None:
    rows = read_csv(args.manifest)
    if not rows:
        raise UserError(f"{args.manifest}: no utterance was kept; see rejected.csv beside it")
    folds = clean_folds(args.corpus, rows)
    write_json(
        args.out, {"corpus": args.corpus, "protocol": args.protocol, "origin": rows[0]["origin"], "folds": folds}
    )
