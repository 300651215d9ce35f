"""Which utterances of a listing can be used: the same policy and the same look at the media for every corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from extractors.corpora import Listing, Progress, Rejected, Remark, Stage, UnusableError, Utterance
from extractors.corpora.films import Film, film
from extractors.corpora.lines import LONGEST_TEXT
from extractors.corpora.paths import Neighbours, missing
from extractors.corpora.sounds import Sound, sound
from extractors.settings import Policy

UNUSUAL_SECONDS = (0.5, 20.0)
"""Shorter and longer utterances get a remark: few in the releases, and worth a look."""

THREADS = 4
Found = TypeVar("Found")


@dataclass
class _Media:
    sounds: dict[str, Sound]
    films: dict[str, Film]
    near: dict[str, str]

    def nowhere(self, name: str) -> str:
        """Of a file that the corpus would have found by its name in any folder."""
        return f"missing: no {name} below the folder" + (f"; there is {self.near[name]}" if name in self.near else "")


def judge(listing: Listing, root: Path, policy: Policy, progress: Progress) -> Listing:
    """`listing` with only those rows that can be used; the others are among the rejected, oddities are remarks.

    Each media file is opened once, however many utterances share it.
    """
    everyone = [*listing.rows, *listing.passed_over]
    media = _Media(
        look(root, (row.audio for row in everyone), sound, Sound, progress, "reading audio headers"),
        look(root, (row.video for row in everyone), film, Film, progress, "reading video headers"),
        listing.near,
    )
    kept, rejected, remarks = [], list(listing.rejected), list(listing.remarks)
    passed_over = list(listing.passed_over)
    for row in listing.rows:
        try:
            remarks += _text_remarks(row, listing.wordless.get(row.utterance, "transcript is empty"), policy)
        except UnusableError as problem:
            rejected.append(Rejected(row.utterance, problem.stage, str(problem), row.session))
            passed_over.append(row)
            continue
        try:
            remarks += _media_remarks(row, media, policy)
            kept.append(row)
        except UnusableError as problem:
            rejected.append(Rejected(row.utterance, problem.stage, str(problem), row.session))
    for row in passed_over:
        try:
            remarks += _media_remarks(row, media, policy)
        except UnusableError as problem:
            remarks.append(Remark(row.utterance, problem.stage, str(problem)))
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

    def one(name: str) -> Found | str:
        return missing(root, root / name) or open_file(root / name)

    names = list(dict.fromkeys(filter(None, relative)))
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(progress(pool.map(one, names), what, "file", len(names)))
    near = Neighbours(root)
    return {
        name: kind(_named(item, name, near)) if isinstance(item, str) else item
        for name, item in zip(names, found, strict=True)
    }


def _named(problem: str, name: str, near: Neighbours) -> str:
    """A problem with the path where that tells most, and with what is there instead."""
    return "; ".join(filter(None, (f"missing: {name}", near.hint(name)))) if problem == "missing" else problem


def _text_remarks(row: Utterance, wordless: str, policy: Policy) -> list[Remark]:
    """Oddities of the words of a row; UnusableError when they cannot be used."""
    if not row.text and policy.empty_transcript == "reject":
        raise UnusableError("transcript", wordless)
    if len(row.text) > LONGEST_TEXT:
        raise UnusableError("transcript", f"{len(row.text)} characters long; the file is damaged")
    return [] if row.text else [Remark(row.utterance, "transcript", f"{wordless}; kept by policy.empty_transcript")]


def _media_remarks(row: Utterance, media: _Media, policy: Policy) -> list[Remark]:
    """Oddities of the media of a row; UnusableError with the first of their problems."""
    wav, avi = _kind(row.audio, "wav"), _kind(row.video, "avi")
    heard = media.sounds.get(row.audio, Sound(media.nowhere(f"{row.utterance}.{wav}")))
    seen = media.films.get(row.video, Film(media.nowhere(f"{row.utterance}.{avi}")))
    if heard.problem:
        raise UnusableError("audio", f"{wav}: {heard.problem}")
    if row.audio_start and row.audio_start >= heard.seconds:
        reason = f"{wav}: {heard.seconds:.3f} s long, the utterance begins at {row.audio_start:.3f} s"
        raise UnusableError("audio", reason)
    end = heard.seconds if row.audio_end is None else min(row.audio_end, heard.seconds)
    seconds = end - (row.audio_start or 0.0)
    if heard.cut and (row.audio_end is None or row.audio_end > heard.seconds + 0.1):
        raise UnusableError("audio", f"{wav}: cut off: {heard.cut}")
    if heard.levels.not_finite(row.audio_start, row.audio_end):
        raise UnusableError("audio", f"{wav}: samples that are not finite")
    if seconds < policy.shortest_seconds:
        reason = f"{1000 * seconds:.1f} ms long, at least {1000 * policy.shortest_seconds:g} are needed"
        raise UnusableError("audio", reason)
    if seen.problem:
        raise UnusableError("video", f"{avi}: {seen.problem}")
    if seen.breaks_off is not None and (row.video_end is None or row.video_end > seen.breaks_off):
        end = row.video_end or seen.seconds
        reason = f"{seen.how} {seen.breaks_off:.3f} s" + (f", the utterance ends at {end:.3f} s" if end else "")
        raise UnusableError("video", f"{avi}: {reason}")
    if row.video_start and seen.seconds and row.video_start >= seen.seconds:
        reason = f"{seen.seconds:.3f} s long, the utterance begins at {row.video_start:.3f} s"
        raise UnusableError("video", f"{avi}: {reason}")

    odd: list[tuple[Stage, str]] = []
    about = [heard.odd, heard.cut and f"cut off: {heard.cut}", *heard.levels.odd(row.audio_start, row.audio_end)]
    odd += [("audio", f"{wav}: {text}") for text in about if text]
    if not UNUSUAL_SECONDS[0] <= seconds <= UNUSUAL_SECONDS[1]:
        odd.append(("audio", f"{seconds:.3f} s long"))
    if row.audio_end is not None and row.audio_end > heard.seconds + 0.1:
        odd.append(("audio", f"{wav}: {heard.seconds:.3f} s long, the utterance ends at {row.audio_end:.3f} s"))
    if row.video_end is not None:
        labelled = row.video_end - (row.video_start or 0.0)
        if row.audio_end is None and abs(labelled - seconds) > 0.1:
            odd.append(("audio", f"{seconds:.3f} s long, by the labels {labelled:.3f} s"))
        if seen.seconds and row.video_end > seen.seconds + 0.1:
            odd.append(("video", f"{avi}: {seen.seconds:.3f} s long, the utterance ends at {row.video_end:.3f} s"))
    elif row.audio_end is None and seen.seconds and abs(seen.seconds - seconds) > 0.5:
        odd.append(("video", f"{seconds:.3f} s of sound, {seen.seconds:.3f} s of picture"))
    if seen.breaks_off is not None:
        odd.append(("video", f"{avi}: {seen.how} {seen.breaks_off:.3f} s"))
    if seen.odd:
        odd.append(("video", f"{avi}: {seen.odd}"))
    if seen.silent:
        odd.append(("video", f"{avi} has no sound track"))
    return [Remark(row.utterance, stage, text) for stage, text in odd]


def _kind(path: str, other: str) -> str:
    return Path(path).suffix.removeprefix(".").lower() or other
