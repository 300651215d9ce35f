"""Verb `manifest`: which utterances of a corpus are used, which are not and why, and whether it is the release."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from extractors.console import LOG, progress
from extractors.corpora import COLUMNS, Listing, Rating, Rejected, Remark, Utterance, load
from extractors.corpora.judge import judge
from extractors.corpora.reference import tally, utterance_counts
from extractors.files import UserError, read_csv, write_csv, write_json
from extractors.settings import AnyCorpus

_MEDIA = {
    "missing": re.compile(": missing|: no file|: a link"),
    "unreadable": re.compile("unreadable|empty file|no picture|no video stream|no sound can"),
    "cut off": re.compile("cut off"),
    "too short": re.compile("ms long"),
    "without a sound track": re.compile("no sound track"),
}
_NUMBER = re.compile(r"(?<![\w-])[0-9]+([.][0-9]+)?")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("--name", required=True, help="key of the corpus in the configuration")
    parser.add_argument("--corpus", required=True, metavar="JSON", help="its settings")
    parser.add_argument("--out-dir", required=True, type=Path, help="folder for the four CSV files and check.json")


def main(args: argparse.Namespace) -> None:
    """Read the corpus and write its files; UserError when nothing of it can be used."""
    try:
        corpus: AnyCorpus = TypeAdapter(AnyCorpus).validate_json(args.corpus)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"corpora.{args.name}.{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}") from error
    listing = read(args.name, corpus)
    write(args.out_dir, corpus, listing)
    for line in summary(args.name, listing):
        LOG.info("%s", line)


def write(folder: Path, corpus: AnyCorpus, listing: Listing) -> None:
    """manifest.csv, rejected.csv, remarks.csv, ratings.csv and check.json of a judged listing."""

    def table(name: str, kind: type, rows: Iterable[Any]) -> None:
        columns = [item.name for item in fields(kind)]
        content = sorted((asdict(row) | {"origin": corpus.origin} for row in rows), key=lambda row: row["utterance"])
        write_csv(folder / name, [*columns, "origin"], content)

    table("manifest.csv", Utterance, listing.rows)
    table("rejected.csv", Rejected, listing.rejected)
    table("remarks.csv", Remark, listing.remarks)
    table("ratings.csv", Rating, listing.ratings)
    about = {"origin": corpus.origin, "classes": list(load(corpus.type).classes(corpus))}
    found = {"media": media_counts(listing), "kept": utterance_counts(listing.rows)}
    write_json(folder / "check.json", about | listing.check | found)


def read(name: str, corpus: AnyCorpus, partial: bool = False) -> Listing:
    """Judged listing of a configured corpus; UserError names the key to change.

    `partial` says that sessions may be without usable utterances.
    """
    module = load(corpus.type)
    try:
        known = module.sessions(corpus)
        sessions = corpus.sessions or known
        listing = module.read(corpus, sessions)
    except UserError as error:
        raise UserError(f"corpora.{name}.root: {error}") from error
    if unknown := sorted(set(sessions) - set(known)):
        there = ", ".join(known)
        raise UserError(f"corpora.{name}.sessions: no session {', '.join(unknown)} in {corpus.root}; there are {there}")
    listing = judge(listing, Path(corpus.root), corpus.policy, progress)
    if not listing.rows:
        reasons = Counter(f"{row.stage}: {row.reason}" for row in listing.rejected).most_common(3)
        often = "; ".join(f"{reason} ({n} times)" for reason, n in reasons) or "it is empty"
        raise UserError(f"corpora.{name}.root: {corpus.root} has no usable utterance; {often}")
    # Every session becomes a fold, so one without utterances would fail much later.
    if not partial and (absent := sorted(set(sessions) - {row.session for row in listing.rows})):
        there = ", ".join(session for session in sessions if session not in absent)
        raise UserError(
            f"corpora.{name}.sessions: no usable utterance of session {', '.join(absent)} in {corpus.root}; "
            f"name only those that are there ({there})"
        )
    return listing


def media_counts(listing: Listing) -> dict[str, int]:
    """Labelled utterances, used or not, whose sound or picture is missing, unreadable and so on."""
    texts = [row.reason for row in listing.rejected if row.stage in ("audio", "video")]
    texts += [row.remark for row in listing.remarks if row.utterance and row.stage in ("audio", "video")]
    return {kind: sum(bool(pattern.search(text)) for text in texts) for kind, pattern in _MEDIA.items()}


def summary(name: str, listing: Listing, causes: int = 5) -> list[str]:
    """A few lines for the reader of the log, with the commonest `causes` of rejections and remarks."""
    check = listing.check
    differences: list[str] = check["differences"]
    status = {
        "matches": "matches the reference list",
        "differs": f"{len(differences)} differences from the reference list",
        "not a release": "not a release (less than half of it, and no list agrees)",
    }.get(check["status"], check["status"])
    lines = [
        f"{name}: {len(listing.rows)} utterances kept, {len(listing.rejected)} rejected,"
        f" {len(listing.remarks)} remarks",
        *(f"  kept per {group}: {_listed(row)}" for group, row in utterance_counts(listing.rows).items()),
        *_frequent("rejected for", [(row.stage, row.reason) for row in listing.rejected], causes, "rejected.csv"),
        *_frequent("remarks on", [(row.stage, row.remark) for row in listing.remarks], causes, "remarks.csv"),
        f"  media: {_listed(media_counts(listing))}",
        f"  labels: {status}",
        *(f"    {line}" for line in differences[:10]),
    ]
    if len(differences) > 10:
        lines.append(f"    and {len(differences) - 10} more in check.json")
    return lines


def _frequent(title: str, rows: Sequence[tuple[str, str]], most: int, file: str) -> list[str]:
    """Counts per stage, and the commonest causes with their numbers masked; all are in `file`."""
    stages = tally(stage for stage, _ in rows)
    causes = Counter(f"{stage}: {_NUMBER.sub('#', text)}" for stage, text in rows)
    lines = [f"  {title}: {_listed(stages)}", *(f"    {n} x {cause}" for cause, n in causes.most_common(most))]
    return [*lines, f"    and {len(causes) - most} more kinds in {file}"] if len(causes) > most else lines


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
