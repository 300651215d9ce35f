"""Verb `folds`: train, validation and test ids of every fold."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from cmarr.seeds import derive
from extractors.console import LOG
from extractors.files import UserError, read_csv, write_json

Row = dict[str, str]
VALIDATION_SHARE = 0.1
"""of the training dialogues"""
DRAWS = 200


def clean_folds(corpus: str, rows: list[Row]) -> dict[str, dict[str, list[str]]]:
    """Folds of the protocol `clean`, named by the session they test (docs/decisions.md).

    Fold k tests session k, both speakers, and trains on the other sessions less a validation set of one tenth of
    their dialogues, always whole dialogues. UserError when there is too little to split.
    """
    sessions = sorted({row["session"] for row in rows})
    if len(sessions) < 2:
        raise UserError(f"{corpus}: leave-one-session-out needs two sessions or more, the manifest has {len(sessions)}")
    folds = {}
    for session in sessions:
        rest = [row for row in rows if row["session"] != session]
        held_out = validation_rows(rest, derive(corpus, "clean", session, "validation") % 2**32)
        if held_out is None:
            raise UserError(f"{corpus}: fold {session} has one training dialogue; a validation set needs two or more")
        folds[session] = {
            "train": [row["utterance"] for i, row in enumerate(rest) if i not in held_out],
            "validation": [row["utterance"] for i, row in enumerate(rest) if i in held_out],
            "test": [row["utterance"] for row in rows if row["session"] == session],
        }
    return folds


def validation_rows(rows: list[Row], seed: int) -> set[int] | None:
    """Indices of a validation set: the one of 200 seeded draws of dialogues whose label shares are nearest to all.

    Near in total variation; ties go to the first draw. None when there is a single dialogue.
    """
    from sklearn.model_selection import GroupShuffleSplit

    dialogues = [row["dialogue"] for row in rows]
    if len(set(dialogues)) < 2:
        return None
    _, labels = np.unique([row["label"] for row in rows], return_inverse=True)
    shares = np.bincount(labels) / len(labels)

    def distance(chosen: np.ndarray) -> float:
        return float(abs(np.bincount(labels[chosen], minlength=len(shares)) / len(chosen) - shares).sum() / 2)

    draws = GroupShuffleSplit(DRAWS, test_size=VALIDATION_SHARE, random_state=seed).split(labels, groups=dialogues)
    return set(min((held_out for _, held_out in draws), key=distance).tolist())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", required=True, help="name of the corpus; part of the seed")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--classes", nargs="+", required=True, help="labels, in the order of a system's outputs")
    parser.add_argument(
        "--leave-out", nargs="?", type=Path, metavar="FILE", help="CSV of utterances (and reasons) that no fold gets"
    )
    parser.add_argument("--protocol", choices=["clean"], required=True)
    parser.add_argument("--out", type=Path, required=True)


def main(args: argparse.Namespace) -> None:
    rows = read_csv(args.manifest)
    if not rows:
        raise UserError(f"{args.manifest}: no utterance was kept; see rejected.csv beside it")
    if strange := sorted({row["label"] for row in rows} - set(args.classes)):
        raise UserError(f"{args.manifest}: label {strange[0]} is not among the classes; delete it and run again")
    left_out = {row["utterance"]: row["reason"] for row in read_csv(args.leave_out)} if args.leave_out else {}
    used = [row for row in rows if row["utterance"] not in left_out]
    if lost := sorted({row["session"] for row in rows} - {row["session"] for row in used}):
        raise UserError(
            f"{args.leave_out}: names every utterance of session {', '.join(lost)}, so nothing is left to test; set "
            f"corpora.{args.corpus}.policy.no_face to keep or name other sessions in corpora.{args.corpus}.sessions"
        )
    folds = clean_folds(args.corpus, used)
    about = {
        "corpus": args.corpus, "protocol": args.protocol, "origin": rows[0]["origin"], "classes": args.classes,
        "left_out": left_out,
    }  # fmt: skip
    write_json(args.out, about | {"folds": folds})
    LOG.info("%s: %d utterances in %d folds, %d left out", args.out, len(used), len(folds), len(left_out))
