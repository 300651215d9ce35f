"""Which utterances of a listing can be used: the same policy and the same look at the media for every corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from extractors.corpora import Listing, Progress, Rejected, Remark, Utterance
from extractors.corpora.lines import LONGEST_TEXT
from extractors.corpora.media import Film, Sound, film, missing, sound
from extractors.settings import Policy

UNUSUAL_SECONDS = (0.5, 20.0)
"""Shorter and longer utterances get a remark: few in the releases, and worth a look."""

THREADS = 4
Found = TypeVar("Found")


class _UnusableError(Exception):
    def __init__(self, row: Utterance, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.rejected = Rejected(row.utterance, stage, reason)  # type: ignore[arg-type]


@dataclass
class _Media:
    sounds: dict[str, Sound]
    films: dict[str, Film]


def judge(listing: Listing, root: Path, policy: Policy, progress: Progress) -> Listing:
    """`listing` with only those rows that can be used; the others are among the rejected, oddities are remarks.

    Each media file is opened once, however many utterances share it.
    """
    everyone = [*listing.rows, *listing.passed_over]
    media = _Media(
        look(root, (row.audio for row in everyone), sound, Sound, progress, "reading audio headers"),
        look(root, (row.video for row in everyone), film, Film, progress, "reading video headers"),
    )
    kept, rejected, remarks = [], list(listing.rejected), list(listing.remarks)
    for row in listing.rows:
        try:
            remarks += _remarks(row, listing.wordless.get(row.utterance, "transcript is empty"), media, policy)
            kept.append(row)
        except _UnusableError as problem:
            rejected.append(problem.rejected)
    for row in listing.passed_over:
        try:
            remarks += _media_remarks(row, media, policy)
        except _UnusableError as problem:
            remarks.append(Remark(row.utterance, problem.rejected.stage, problem.rejected.reason))
    return replace(
        listing,
        rows=sorted(kept, key=lambda row: row.utterance),
        rejected=sorted(rejected, key=lambda row: (row.utterance, row.stage)),
        remarks=sorted(remarks, key=lambda row: (row.utterance, row.stage)),
    )


def look(
    root: Path,
    relative: Iterable[str],
    open_file: Callable[[Path], Found],
    kind: Callable[[str], Found],
    progress: Progress,
    what: str,
) -> dict[str, Found]:
    """What is found in each distinct file; files are opened by a few threads at once."""

    def one(name: str) -> Found:
        problem = missing(root, root / name) if name else "missing"
        return kind(problem) if problem else open_file(root / name)

    names = list(dict.fromkeys(relative))
    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(names, progress(pool.map(one, names), what, "file", len(names)), strict=True))


def _remarks(row: Utterance, wordless: str, media: _Media, policy: Policy) -> list[Remark]:
    """Oddities of a usable row; _UnusableError with the first of its problems."""
    if not row.text and policy.empty_transcript == "reject":
        raise _UnusableError(row, "transcript", wordless)
    if len(row.text) > LONGEST_TEXT:
        raise _UnusableError(row, "transcript", f"{len(row.text)} characters long; the file is damaged")
    remarks = [] if row.text else [Remark(row.utterance, "transcript", f"{wordless}; kept by policy.empty_transcript")]
    return remarks + _media_remarks(row, media, policy)


def _media_remarks(row: Utterance, media: _Media, policy: Policy) -> list[Remark]:
    remarks = []
    heard, seen = media.sounds[row.audio], media.films[row.video]
    if heard.problem:
        raise _UnusableError(row, "audio", f"{_kind(row.audio, 'sound')}: {heard.problem}")
    seconds = _span(row.audio_start, row.audio_end, heard.seconds)
    if seconds < policy.shortest_seconds:
        raise _UnusableError(
            row, "audio", f"{1000 * seconds:.1f} ms long, at least {1000 * policy.shortest_seconds:g} are needed"
        )
    if seen.problem:
        raise _UnusableError(row, "video", f"{_kind(row.video, 'video')}: {seen.problem}")
    if seen.breaks_off is not None and (row.video_end is None or row.video_end > seen.breaks_off):
        reason = f"{_kind(row.video, 'video')}: cut off, the last picture is at {seen.breaks_off:.3f} s"
        end = row.video_end if row.video_end is not None else seen.promised
        raise _UnusableError(row, "video", f"{reason}, the utterance ends at {end:.3f} s")
    if row.video_start and seen.promised and row.video_start >= seen.promised:
        reason = f"{seen.promised:.3f} s long, the utterance begins at {row.video_start:.3f} s"
        raise _UnusableError(row, "video", f"{_kind(row.video, 'video')}: {reason}")
    if not UNUSUAL_SECONDS[0] <= seconds <= UNUSUAL_SECONDS[1]:
        remarks.append(Remark(row.utterance, "audio", f"{seconds:.3f} s long"))
    labelled = (row.video_end or 0.0) - (row.video_start or 0.0)
    if row.audio_end is None and row.video_end is not None and abs(labelled - seconds) > 0.1:
        remarks.append(Remark(row.utterance, "audio", f"{seconds:.3f} s long, by the labels {labelled:.3f} s"))
    if seen.silent:
        remarks.append(Remark(row.utterance, "video", f"{_kind(row.video, 'video')} has no sound track"))
    return remarks


def _span(start: float | None, end: float | None, whole: float) -> float:
    return (whole if end is None else min(end, whole)) - (start or 0.0)


def _kind(path: str, other: str) -> str:
    return Path(path).suffix.removeprefix(".").lower() or other
