"""Verb `manifest`: which utterances of a corpus are used, which are not and why, and whether it is the release."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from extractors.console import LOG, progress
from extractors.corpora import COLUMNS, Listing, Rating, Rejected, Remark, Utterance, load
from extractors.corpora.judge import judge
from extractors.corpora.reasons import causes, kind
from extractors.corpora.reference import tally, utterance_counts
from extractors.explain import leading_zeros
from extractors.files import UserError, read_csv, write_csv, write_json
from extractors.settings import AnyCorpus, parse_corpus

_MEDIA = {
    "missing": re.compile(": missing|: no file|: a link"),
    "unreadable": re.compile("unreadable|empty file|no picture|no video stream|no sound can"),
    "cut off": re.compile("cut off"),
    "too short": re.compile("ms long"),
    "without a sound track": re.compile("no sound track"),
}
_MODALITIES = {"transcript": "text", "audio": "audio", "video": "video"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("--name", required=True, help="key of the corpus in the configuration")
    parser.add_argument("--corpus", required=True, metavar="JSON", help="its settings")
    parser.add_argument("--out-dir", required=True, type=Path, help="folder for the four CSV files and check.json")


def main(args: argparse.Namespace) -> None:
    """Read the corpus and write its files; UserError when nothing of it, or of a session, can be used."""
    corpus = parse_corpus(f"corpora.{args.name}", args.corpus)
    listing = read(args.name, corpus)
    for line in summary(args.name, listing):
        LOG.info("%s", line)
    finish(args.name, corpus, listing, args.out_dir)


def read(name: str, corpus: AnyCorpus) -> Listing:
    """Judged listing of a configured corpus, which may have no rows; UserError names the key to change."""
    module = load(corpus.type)
    try:
        known = module.sessions(corpus)
        listing = module.read(corpus, corpus.sessions or known)
    except UserError as error:
        raise UserError(f"corpora.{name}.root: {error}") from error
    there = {*known, *(row.session for row in listing.rejected)}
    if known and (unknown := sorted(set(corpus.sessions or ()) - there)):
        raise UserError(
            f"corpora.{name}.sessions: no session {', '.join(unknown)} in {corpus.root}; there are "
            f"{', '.join(known)}{leading_zeros(unknown, known)}"
        )
    size = len(listing.rows) + len(listing.rejected) if listing.size is None else listing.size
    listing = replace(judge(listing, Path(corpus.root), corpus.policy, progress), size=size)
    if odd := _account(listing, size):
        raise UserError(f"corpora.{name}: {odd}; this is a mistake in extractors/corpora/{corpus.type}.py")
    used = {row.session for row in listing.rows}
    asked = corpus.sessions or {*known, *(row.session for row in listing.rejected if row.session)}
    return replace(listing, lost=tuple(sorted(set(asked) - used)))


def _account(listing: Listing, size: int) -> str:
    """What does not add up in a judged listing of `size` entries, or an empty string."""
    kept, rejected = Counter(row.utterance for row in listing.rows), {row.utterance for row in listing.rejected}
    if twice := sorted(name for name, n in kept.items() if n > 1 or name in rejected):
        return f"{twice[0]} is kept and rejected, or kept twice"
    if kept.total() + len(listing.rejected) != size:
        return f"{size} utterances listed, but {kept.total()} kept and {len(listing.rejected)} rejected"
    return ""


def finish(name: str, corpus: AnyCorpus, listing: Listing, folder: Path | None, partial: bool = False) -> None:
    """Write the files of a judged listing into `folder`, if there is one.

    UserError when the corpus or one of its sessions has no rows (`partial`: sessions may have none) or there is one
    class only; the CSV files are there all the same, and check.json is not.
    """
    problem = unusable(name, corpus, listing, partial)
    if folder:
        write(folder, corpus, listing)
        if problem:
            (folder / "check.json").unlink(missing_ok=True)
        else:
            about = {"origin": corpus.origin, "classes": list(load(corpus.type).classes(corpus))}
            found = {
                "media": media_counts(listing),
                "kept": utterance_counts(listing.rows),
                "rejected": len(listing.rejected),
            }
            write_json(folder / "check.json", about | listing.check | found)
    if problem:
        where = f"{folder / 'rejected.csv'} has" if folder else "`--out FOLDER` writes rejected.csv with"
        raise UserError(f"{problem}; {where} all unused utterances and the reason of each")


def write(folder: Path, corpus: AnyCorpus, listing: Listing) -> None:
    """manifest.csv, rejected.csv, remarks.csv and ratings.csv of a judged listing, each sorted by id."""

    def table(name: str, columns: Sequence[str], rows: Iterable[Any]) -> None:
        ordered = sorted(rows, key=lambda row: str(row.utterance))
        content = ({column: getattr(row, column) for column in columns} | {"origin": corpus.origin} for row in ordered)
        write_csv(folder / name, [*columns, "origin"], content)

    table("manifest.csv", COLUMNS, listing.rows)
    table("rejected.csv", ("utterance", "stage", "reason"), listing.rejected)
    table("remarks.csv", [item.name for item in fields(Remark)], listing.remarks)
    table("ratings.csv", [item.name for item in fields(Rating)], listing.ratings)


def unusable(name: str, corpus: AnyCorpus, listing: Listing, partial: bool) -> str:
    """Why no experiment can be made of a judged listing, or an empty string."""
    module, root = load(corpus.type), corpus.root
    if not listing.rows:
        found = f"corpora.{name}.root: {root} has no usable utterance; {causes(listing.rejected) or 'it is empty'}"
        return found + _all_three(listing.rejected)
    # Every session becomes a fold, so one without utterances would fail much later.
    sessions = corpus.sessions or (() if partial else module.sessions(corpus))
    there = {row.session for row in listing.rows}
    if absent := [session for session in sessions if session not in there]:
        lost = [row for row in listing.rejected if row.session in absent]
        return (
            f"corpora.{name}.sessions: no usable utterance of session {', '.join(absent)} in {root}; "
            f"{causes(lost) or 'nothing is there'}{_all_three(lost)}; mend that, or "
            f"name only those that are there ({', '.join(session for session in sessions if session in there)})"
        )
    try:
        module.classes(corpus)
    except UserError as error:
        return f"corpora.{name}.root: {error}"
    return ""


def _all_three(rejected: Iterable[Rejected]) -> str:
    """What to say when all that have a usable label lack the same modality."""
    lacking = {_MODALITIES[row.stage] for row in rejected if row.stage in _MODALITIES}
    if len(lacking) != 1:
        return ""
    return f"; text, audio and video are all three needed, and no utterance has usable {lacking.pop()}"


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
    of = "" if listing.size is None else f"; {listing.size} listed"
    lines = [
        f"{name}: {len(listing.rows)} utterances kept, {len(listing.rejected)} rejected,"
        f" {len(listing.remarks)} remarks{of}",
        *(f"  kept per {group}: {_listed(row)}" for group, row in utterance_counts(listing.rows).items()),
        *(f"  no usable utterance of session {session}" for session in listing.lost if listing.rows),
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
    """Counts per stage, and the commonest kinds of causes; all are in `file`."""
    stages = tally(stage for stage, _ in rows)
    kinds = Counter(f"{stage}: {kind(text)}" for stage, text in rows)
    lines = [f"  {title}: {_listed(stages)}", *(f"    {n} x {cause}" for cause, n in kinds.most_common(most))]
    return [*lines, f"    and {len(kinds) - most} more kinds in {file}"] if len(kinds) > most else lines


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
