"""Corpora: one module per layout, each of which turns a folder into a listing of utterances.

Adding one means adding a module with the four functions of `Module`, and its settings to `settings.AnyCorpus`
(docs/add-a-corpus.md). Modules read labels and transcripts; `judge` looks at the media of all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, cast

Item = TypeVar("Item")
Stage = Literal["label", "subset", "transcript", "audio", "video", "alignment"]


@dataclass(frozen=True)
class Utterance:
    """One row of a manifest; paths are relative to the corpus root, no start and end means the whole file."""

    utterance: str
    dialogue: str
    session: str
    speaker: str
    label: str
    text: str
    audio: str  # empty when there is no such file, as for video
    audio_start: float | None  # seconds, as are the three below
    audio_end: float | None
    video: str
    video_start: float | None
    video_end: float | None
    crop: str  # left, right or full


COLUMNS = tuple(item.name for item in fields(Utterance))


@dataclass(frozen=True)
class Rejected:
    """An utterance that is not used, and the first reason for it."""

    utterance: str
    stage: Stage
    reason: str
    session: str = field(default="", compare=False)
    """where it is known; not written into rejected.csv"""


def unchosen(utterance: str, session: str) -> Rejected:
    """The row of an utterance whose session is not to be used."""
    return Rejected(utterance, "subset", f"session {session} is not among the chosen sessions", session)


class UnusableError(Exception):
    """Ends the work on one utterance; its message is the reason for the rejection."""

    def __init__(self, stage: Stage, reason: str) -> None:
        super().__init__(reason)
        self.stage: Stage = stage


@dataclass(frozen=True)
class Remark:
    """Something odd about an utterance (or unlabelled turn) that does not keep it from being used."""

    utterance: str
    stage: Stage
    remark: str


@dataclass(frozen=True)
class Rating:
    """Mean ratings of an utterance exactly as the release stores them; None where it has none."""

    utterance: str
    valence: float | None
    activation: float | None
    dominance: float | None
    naturalness: float | None
    activation_scale: str  # what its ends mean, such as `1 calm, 5 active`


@dataclass(frozen=True)
class Listing:
    """What a corpus holds, by its labels and transcripts."""

    rows: list[Utterance]
    """utterances to use; what is known of their media is only where they should be"""
    rejected: list[Rejected]
    check: dict[str, Any]
    """how the labels compare with the release (`reference.compare`), or that there is nothing to compare with"""
    remarks: list[Remark] = field(default_factory=list)
    ratings: list[Rating] = field(default_factory=list)
    passed_over: list[Utterance] = field(default_factory=list)
    """utterances among the rejected whose media are looked at all the same; what is wrong with them is a remark"""
    wordless: dict[str, str] = field(default_factory=dict)
    """rows whose text is empty, and why (`no transcript line`)"""
    near: dict[str, str] = field(default_factory=dict)
    """`<utterance>.wav` or `.avi` that is nowhere to a file that is named almost so"""
    size: int | None = None
    """how many the corpus lists, counted before they are sorted into rows and rejected; None if that is not known"""
    lost: tuple[str, ...] = ()
    """sessions that were to be used and have no row, known once the media were looked at"""


class Progress(Protocol):
    """`console.progress`, or anything that hands the items through."""

    def __call__(self, items: Iterable[Item], what: str, unit: str, total: int | None = None) -> Iterable[Item]: ...


class Module(Protocol):
    """What a corpus module offers; `corpus` is its own settings object.

    Only UserError is raised, and only for a folder that is no such corpus as a whole.
    """

    def label_files(self, corpus: Any) -> list[Path]:
        """Label and transcript files that exist, sorted; cheap, none is read."""
        ...

    def sessions(self, corpus: Any) -> tuple[str, ...]:
        """All sessions that can be used; each becomes a fold."""
        ...

    def classes(self, corpus: Any) -> tuple[str, ...]:
        """The labels, in the order of a system's outputs."""
        ...

    def read(self, corpus: Any, sessions: Sequence[str]) -> Listing:
        """Every utterance: rows of `sessions`, all others among the rejected (`unchosen`). No media file is opened.

        The check covers the labels of all sessions.
        """
        ...


def load(name: str) -> Module:
    """The corpus module of a `type`."""
    return cast(Module, import_module(f"extractors.corpora.{name}"))
