"""Verb `folds`: train, validation and test ids of every fold, and what chooses the epoch, by one of six protocols."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cmarr.seeds import derive
from extractors.console import LOG
from extractors.corpora.iemocap_plays import play
from extractors.files import UserError, read_csv, write_json

Row = dict[str, str]
Folds = dict[str, dict[str, list[str]]]
"""name of a fold to its `train`, `validation` and `test`, utterances in the order of the manifest"""
VALIDATION_SHARE = 0.1
"""of the training dialogues"""
DRAWS = 200


def clean_folds(corpus: str, rows: list[Row]) -> Folds:
    """Folds of the protocol `clean`, named by the session they test (docs/decisions.md).

    Fold k tests session k, both speakers, and trains on the other sessions less a validation set of one tenth of
    their dialogues, always whole ones; those of one scene of IEMOCAP's plays stay together. UserError when there is
    too little to split.
    """
    folds = {}
    for session in _sessions(corpus, rows):
        rest = [row for row in rows if row["session"] != session]
        held_out = validation_rows(rest, derive(corpus, "clean", session, "validation") % 2**32)
        if held_out is None:
            raise UserError(
                f"{corpus}: fold {session} has one training dialogue or scene; validation needs two or more"
            )
        validation = {rest[index]["utterance"] for index in held_out}
        folds[session] = _fold(rows, _with(rows, "session", session), validation)
    return folds


def session_folds(corpus: str, rows: list[Row]) -> Folds:
    """Folds of the protocol `clean_session`, named by the session they test; the next session validates.

    UserError with fewer than three sessions.
    """
    sessions = _sessions(corpus, rows)
    if len(sessions) < 3:
        raise UserError(f"{corpus}: protocol clean_session needs three sessions or more, the manifest has 2; use clean")
    return {
        session: _fold(rows, _with(rows, "session", session), _with(rows, "session", after))
        for session, after in zip(sessions, [*sessions[1:], sessions[0]], strict=True)
    }


def plain_folds(corpus: str, rows: list[Row]) -> Folds:
    """Folds without validation, named by the session they test: `paper_last` and `paper_besttest`."""
    return {session: _fold(rows, _with(rows, "session", session), set()) for session in _sessions(corpus, rows)}


def speaker_folds(corpus: str, rows: list[Row]) -> Folds:
    """Folds 1 to 2 K of the protocol `mmin_clean`, for K sessions (docs/protocols.md).

    Fold 2 k - 1 tests the first speaker of session k by name, the woman in both releases, and fold 2 k the second;
    the other one validates, all other sessions train. UserError unless every session has two speakers.
    """
    folds: Folds = {}
    for session in _sessions(corpus, rows):
        speakers = sorted({row["speaker"] for row in rows if row["session"] == session})
        if len(speakers) != 2:
            raise UserError(
                f"{corpus}: session {session} has {len(speakers)} speaker(s), and the protocols mmin_clean and "
                "mmin_script need two in each; use clean, clean_session, paper_last or paper_besttest"
            )
        both = _with(rows, "session", session)
        for speaker in speakers:
            test = both & _with(rows, "speaker", speaker)
            folds[str(len(folds) + 1)] = _fold(rows, test, both - test)
    return folds


def script_folds(corpus: str, rows: list[Row]) -> Folds:
    """Folds of the protocol `mmin_script`: those of `mmin_clean` with the validation utterances unused."""
    return {name: fold | {"validation": []} for name, fold in speaker_folds(corpus, rows).items()}


@dataclass(frozen=True)
class Protocol:
    split: Callable[[str, list[Row]], Folds]
    """folds of a corpus, by its name and the rows of its manifest"""
    rows: str
    """whose scores choose the epoch: those of the `validation` or `test` utterances, or of `none`: the last epoch"""
    notes: tuple[str, ...] = ()
    """what every table has to say about its figures"""


SAME_WORDS = "scripted plays are in all sessions (IEMOCAP's have the same words in training and test)"
TEST_SELECTED = "the epoch was chosen on test data, so the figures are too good"
PROTOCOLS = {
    "clean": Protocol(clean_folds, "validation"),
    "clean_session": Protocol(session_folds, "validation"),
    "paper_last": Protocol(plain_folds, "none", ("no validation set, last epoch",)),
    "paper_besttest": Protocol(plain_folds, "test", (TEST_SELECTED,)),
    "mmin_clean": Protocol(
        speaker_folds, "validation", ("the validation speaker shares dialogues with the test speaker",)
    ),
    "mmin_script": Protocol(script_folds, "test", (TEST_SELECTED,)),
}
"""docs/protocols.md"""


def validation_rows(rows: list[Row], seed: int) -> set[int] | None:
    """Indices of a validation set: the one of 200 seeded draws of dialogues whose label shares are nearest to all.

    Near in total variation; ties go to the first draw. Dialogues of one scene of a play are drawn together, so that a
    draw may have more than its tenth. None when there is a single dialogue or scene.
    """
    names, groups = np.unique([play(row["dialogue"]) or row["dialogue"] for row in rows], return_inverse=True)
    if len(names) < 2:
        return None
    dialogues = {(group, row["dialogue"]) for group, row in zip(groups.tolist(), rows, strict=True)}
    sizes = np.bincount([group for group, _ in dialogues])
    wanted = np.ceil(VALIDATION_SHARE * len(dialogues))
    _, labels = np.unique([row["label"] for row in rows], return_inverse=True)
    shares = np.bincount(labels) / len(labels)

    def distance(chosen: np.ndarray) -> float:
        return float(abs(np.bincount(labels[chosen], minlength=len(shares)) / len(chosen) - shares).sum() / 2)

    random, draws = np.random.RandomState(seed), []
    for _ in range(DRAWS):
        order = random.permutation(len(names))
        enough = np.searchsorted(np.cumsum(sizes[order]), wanted) + 1
        draws.append(np.flatnonzero(np.isin(groups, order[: min(enough, len(names) - 1)])))
    return set(min(draws, key=distance).tolist())


def _sessions(corpus: str, rows: list[Row]) -> list[str]:
    """Sessions in order; UserError with fewer than two."""
    sessions = sorted({row["session"] for row in rows})
    if len(sessions) < 2:
        raise UserError(f"{corpus}: leave-one-session-out needs two sessions or more, the manifest has {len(sessions)}")
    return sessions


def _with(rows: list[Row], column: str, value: str) -> set[str]:
    return {row["utterance"] for row in rows if row[column] == value}


def _fold(rows: list[Row], test: set[str], validation: set[str]) -> dict[str, list[str]]:
    names = [row["utterance"] for row in rows]
    return {
        "train": [name for name in names if name not in test and name not in validation],
        "validation": [name for name in names if name in validation],
        "test": [name for name in names if name in test],
    }


def _absent(folds: Folds, rows: list[Row], classes: list[str]) -> list[str]:
    """`fold <k> has no <class>` for each fold with test utterances of some classes only."""
    labels = {row["utterance"]: row["label"] for row in rows}
    lacking = {
        name: [label for label in classes if label not in {labels[utterance] for utterance in fold["test"]}]
        for name, fold in folds.items()
    }
    return [f"fold {name} has no {' and no '.join(found)}" for name, found in lacking.items() if found]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", required=True, help="name of the corpus; part of the seed")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--classes", nargs="+", required=True, help="labels, in the order of a system's outputs")
    parser.add_argument(
        "--leave-out", nargs="?", type=Path, metavar="FILE", help="CSV of utterances (and reasons) that no fold gets"
    )
    parser.add_argument("--protocol", choices=PROTOCOLS, required=True)
    parser.add_argument(
        "--choice-metric", choices=("mean_uar", "pooled_uar", "pooled_macro_f1"), default="mean_uar",
        help="of the rows that choose the epoch: mean UAR of all conditions, or of the pooled missing ones",
    )  # fmt: skip
    parser.add_argument(
        "--released-targets", action="store_true",
        help="fold 8 repeats fold 7, as in the target files that MMIN's authors released for IEMOCAP",
    )  # fmt: skip
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
    protocol = PROTOCOLS[args.protocol]
    folds, notes = protocol.split(args.corpus, used), protocol.notes
    if any(play(row["dialogue"]) for row in used):
        notes = (*notes, SAME_WORDS)
    if args.released_targets:
        if "8" not in folds or not args.protocol.startswith("mmin"):
            raise UserError(f"--released-targets: {args.corpus} has no eight folds by speaker under {args.protocol}")
        folds["8"] = folds["7"]
        notes = (*notes, "fold 8 repeats fold 7, so one speaker is tested twice and another one never")
    if absent := _absent(folds, used, args.classes):
        notes = (*notes, f"UAR is over the classes that a test fold has: {', '.join(absent)}")
    about = {
        "corpus": args.corpus, "protocol": args.protocol, "origin": rows[0]["origin"], "classes": args.classes,
        "choice": {"rows": protocol.rows, "metric": args.choice_metric}, "notes": notes, "left_out": left_out,
    }  # fmt: skip
    write_json(args.out, about | {"folds": folds})
    LOG.info("%s: %d utterances in %d folds, %d left out", args.out, len(used), len(folds), len(left_out))
