"""Verb `manifest`: which utterances of a corpus can be used, which cannot and why, and whether it is the release."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from extractors.console import LOG, progress
from extractors.corpora import COLUMNS, Listing, Utterance, load
from extractors.corpora.check import tally
from extractors.files import UserError, read_csv, write_csv, write_json
from extractors.settings import Corpus


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("--name", required=True, help="key of the corpus in the configuration")
    parser.add_argument("--corpus", required=True, metavar="JSON", help="its settings")
    parser.add_argument("--out-dir", required=True, type=Path, help="folder for manifest.csv, rejected.csv, check.json")


def main(args: argparse.Namespace) -> None:
    """Read the corpus and write its three files; UserError when nothing of it can be used."""
    try:
        corpus = Corpus.model_validate_json(args.corpus)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"corpora.{args.name}.{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    listing = read(args.name, corpus)
    rows = [{**asdict(row), "origin": corpus.origin} for row in sorted(listing.kept, key=lambda row: row.utterance)]
    problems = [{**asdict(row), "origin": corpus.origin} for row in listing.rejected]
    problems.sort(key=lambda row: (row["utterance"], row["stage"]))
    write_csv(args.out_dir / "manifest.csv", [*COLUMNS, "origin"], rows)
    write_csv(args.out_dir / "rejected.csv", ["utterance", "stage", "reason", "origin"], problems)
    write_json(
        args.out_dir / "check.json", {"origin": corpus.origin, **listing.check, "kept": kept_counts(listing.kept)}
    )
    for line in summary(args.name, listing):
        LOG.info("%s", line)


def read(name: str, corpus: Corpus) -> Listing:
    """Listing of a configured corpus; UserError names the key to change."""
    module = load(corpus.type)
    sessions = corpus.sessions or module.SESSIONS
    if unknown := sorted(set(sessions) - set(module.SESSIONS)):
        known = ", ".join(module.SESSIONS)
        raise UserError(f"corpora.{name}.sessions: no session {', '.join(unknown)} in {corpus.type}; there are {known}")
    try:
        listing = module.read(Path(corpus.root), sessions, progress)
    except UserError as error:
        raise UserError(f"corpora.{name}.root: {error}") from error
    if not listing.kept:
        reasons = Counter(f"{row.stage}: {row.reason}" for row in listing.rejected).most_common(3)
        often = "; ".join(f"{reason} ({n} times)" for reason, n in reasons) or "it is empty"
        raise UserError(f"corpora.{name}.root: {corpus.root} has no usable utterance; {often}")
    # Every session becomes a fold, so one without utterances would fail much later.
    if absent := sorted(set(sessions) - {row.session for row in listing.kept}):
        there = ", ".join(session for session in sessions if session not in absent)
        raise UserError(
            f"corpora.{name}.sessions: no usable utterance of session {', '.join(absent)} in {corpus.root}; "
            f"name only those that are there ({there})"
        )
    return listing


def kept_counts(kept: list[Utterance]) -> dict[str, dict[str, int]]:
    """Usable utterances per class, speaker and session."""
    return {
        "class": tally(row.label for row in kept),
        "speaker": tally(row.speaker for row in kept),
        "session": tally(row.session for row in kept),
    }


def summary(name: str, listing: Listing) -> list[str]:
    """A few lines for the reader of the log."""
    stages = tally(row.stage for row in listing.rejected)
    differences: list[str] = listing.check["differences"]
    lines = [
        f"{name}: {len(listing.kept)} utterances kept, {len(listing.rejected)} rejected",
        *(f"  kept per {group}: {_listed(row)}" for group, row in kept_counts(listing.kept).items()),
        f"  rejected for: {_listed(stages)}",
        f"  labels against the release: {listing.check['status']}",
        *(f"    {line}" for line in differences[:10]),
    ]
    if len(differences) > 10:
        lines.append(f"    and {len(differences) - 10} more in check.json")
    return lines


def _listed(tallied: dict[str, int]) -> str:
    return ", ".join(f"{key}: {n}" for key, n in tallied.items()) or "nothing"


def read_manifest(path: Path, session: str | None = None) -> list[Utterance]:
    """Rows of a manifest, all or of one session; UserError when the file is missing, foreign or damaged."""
    rows = read_csv(path)
    if not rows:
        raise UserError(f"{path}: empty; delete it and run again")
    try:
        return [_utterance(row) for row in rows if session in (None, row["session"])]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a manifest ({error!r}); delete it and run again") from error


def _utterance(row: dict[str, str]) -> Utterance:
    if None in row or None in row.values():
        raise ValueError(f"row of {row['utterance']} has too many or too few values")
    values: dict[str, Any] = {column: row[column] for column in COLUMNS}
    for column in ("audio_start", "audio_end", "video_start", "video_end"):
        values[column] = float(values[column]) if values[column] else None
    return Utterance(**values)
