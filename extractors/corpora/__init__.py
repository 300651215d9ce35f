"""Corpora: one module per release layout, each of which turns a folder into a listing of utterances.

Adding a corpus means adding one module with the three members of `Corpus` and its name to `settings.Corpus.type`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, cast

Item = TypeVar("Item")
Stage = Literal["label", "transcript", "audio", "video"]


@dataclass(frozen=True)
class Utterance:
    """One row of a manifest; paths are relative to the corpus root, no start and end means the whole file."""

    utterance: str
    dialogue: str
    session: str
    speaker: str
    label: str
    text: str
    audio: str
    audio_start: float | None  # seconds, as are the three below
    audio_end: float | None
    video: str
    video_start: float | None
    video_end: float | None
    crop: str  # left, right or full


COLUMNS = tuple(field.name for field in fields(Utterance))


@dataclass(frozen=True)
class Rejected:
    """An utterance that cannot be used, and the first reason for it."""

    utterance: str
    stage: Stage
    reason: str


@dataclass(frozen=True)
class Listing:
    """What a corpus holds: usable utterances, the others, and how the labels compare with the release."""

    kept: list[Utterance]
    rejected: list[Rejected]
    check: dict[str, Any]


class Progress(Protocol):
    """`console.progress`, or anything that hands the items through."""

    def __call__(self, items: Iterable[Item], what: str, unit: str, total: int | None = None) -> Iterable[Item]: ...


class Corpus(Protocol):
    """What a corpus module offers; only UserError is raised, and only for a folder that is no such corpus."""

    SESSIONS: tuple[str, ...]

    def label_files(self, root: Path) -> list[Path]:
        """Label and transcript files that exist, sorted; cheap, no file is opened."""
        ...

    def read(self, root: Path, sessions: Sequence[str], progress: Progress) -> Listing:
        """Every utterance of `sessions`, kept or rejected; the check covers the labels of all sessions."""
        ...


def load(name: str) -> Corpus:
    """The corpus module of a `settings.Corpus.type`."""
    return cast(Corpus, import_module(f"extractors.corpora.{name}"))
