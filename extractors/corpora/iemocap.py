"""IEMOCAP: utterances from the merged label files, the transcripts, the sentence wavs and the dialogue videos.

Names are trusted only where they match the id pattern, so AppleDouble files, annotators' folders and other extras
are never looked at; ids are cut at their last underscore because dialogue names differ in length.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from extractors.corpora import Listing, Progress, Rejected, Stage, Utterance
from extractors.corpora.check import compare
from extractors.corpora.iemocap_release import KNOWN, Turn, counts, gaps, lists
from extractors.corpora.media import missing, video_problem, wav_problem
from extractors.files import UserError

SESSIONS = ("1", "2", "3", "4", "5")

LONGEST_TEXT = 10_000
"""Characters; the longest sentence of the release has 100 words."""

_DIALOGUE = r"Ses0[1-5][FM]_(?:impro0[1-8][ab]?|script0[1-3]_[1-3]b?)"
_UTTERANCE = rf"{_DIALOGUE}_[FM][0-9]{{3}}"
_SECONDS = r"[0-9]{1,6}(?:\.[0-9]{1,9})?"
# Every repetition has a bound, so that no line, however long, takes more than a moment.
_FILE = re.compile(rf"{_DIALOGUE}\.txt")
_WAV = re.compile(rf"({_UTTERANCE})\.wav")
_LABEL = re.compile(
    rf"\[ {{0,4}}({_SECONDS}) {{0,4}}- {{0,4}}({_SECONDS}) {{0,4}}\]\t({_UTTERANCE})\t([A-Za-z]{{3}})\b"
)
_TRANSCRIPT = re.compile(rf"({_UTTERANCE})[ \t]{{1,4}}\[[^\]]{{1,40}}\]:(.*)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class _UnusableError(Exception):
    def __init__(self, stage: Stage, reason: str) -> None:
        super().__init__(reason)
        self.stage: Stage = stage


def label_files(root: Path) -> list[Path]:
    """Label and transcript files below `root`, sorted; UserError when there is no Session folder or no label file."""
    base = _release(root)
    found = {kind: _dialogue_files(base, kind) for kind in ("EmoEvaluation", "transcriptions")}
    if not found["EmoEvaluation"]:
        raise UserError(f"{base}: no label files Session*/dialog/EmoEvaluation/Ses*.txt; unpack the whole release")
    return sorted(path for files in found.values() for path in files)


def read(root: Path, sessions: Sequence[str], progress: Progress) -> Listing:
    """Every utterance of `sessions` that is labelled, transcribed or recorded; the check covers all sessions."""
    release = _Release(root)
    kept: list[Utterance] = []
    rejected = [row for row in release.rejected if row.utterance[4] in sessions]
    names = [name for name in sorted({*release.turns, *release.texts, *release.wavs(sessions)}) if name[4] in sessions]
    for name in progress(names, "reading media headers", "utterance"):
        try:
            kept.append(release.utterance(name))
        except _UnusableError as problem:
            rejected.append(Rejected(name, problem.stage, str(problem)))
    turns = [turn for same in release.turns.values() for turn in same]
    check = compare(lists(turns), counts(turns), KNOWN)
    if check["status"] == "differs":
        check["differences"] += gaps(turns)
    return Listing(kept, sorted(rejected, key=lambda row: row.utterance), check)


def parse_labels(content: str) -> list[Turn]:
    """Label lines of an EmoEvaluation file, in its order (all F turns first, then all M turns)."""
    found = (_LABEL.match(line) for line in content.split("\n"))
    return [Turn(hit[3], float(hit[1]), float(hit[2]), hit[4]) for hit in found if hit]


def parse_transcript(content: str) -> list[tuple[str, str]]:
    """Id and text of every numbered turn; lines without id and unlabelled `XX` turns are left out.

    The text starts after the first `]:` and may contain brackets; control characters become blanks.
    """
    found = (_TRANSCRIPT.match(line) for line in content.split("\n"))
    return [(hit[1], _CONTROL.sub(" ", hit[2]).strip()) for hit in found if hit]


def decode(content: bytes) -> str:
    """Text of a file: UTF-8 where it is valid, else Latin-1, which always is."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _release(root: Path) -> Path:
    """The folder with the Session folders: `root`, or the one folder below it that has some."""
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; set it to the unpacked IEMOCAP release")
    below = [path for path in _entries(root) if not path.name.startswith(".")]
    bases = [path for path in (root, *below) if any((path / f"Session{number}").is_dir() for number in SESSIONS)]
    if not bases:
        raise UserError(f"{root}: no folders Session1 to Session5, nor one level down; set it to IEMOCAP_full_release")
    if root not in bases and len(bases) > 1:
        raise UserError(f"{root}: several releases ({', '.join(path.name for path in bases)}); set it to one of them")
    return bases[0]


def _dialogue_files(base: Path, kind: str) -> list[Path]:
    listed = (path for number in SESSIONS for path in _entries(base / f"Session{number}" / "dialog" / kind))
    return [path for path in listed if _FILE.fullmatch(path.name) and path.is_file()]


def _entries(folder: Path) -> list[Path]:
    """Sorted content of a folder, none if it is not there."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}; make the folder readable") from error


class _Release:
    """Labels and transcripts of all sessions in memory; media are looked at when an utterance is asked for."""

    def __init__(self, root: Path) -> None:
        self.root, self.base = root, _release(root)
        self.turns: dict[str, list[Turn]] = defaultdict(list)
        self.texts: dict[str, set[str]] = defaultdict(set)
        self.rejected: list[Rejected] = []
        self._videos: dict[str, str] = {}
        for path in label_files(root):
            labels = path.parent.name == "EmoEvaluation"
            if problem := missing(root, path):
                self.rejected.append(Rejected(path.stem, "label" if labels else "transcript", f"file is {problem}"))
                continue
            try:
                content = decode(path.read_bytes())
            except OSError as error:
                raise UserError(f"{path}: {error.strerror}; make the file readable") from error
            if labels:
                for turn in parse_labels(content):
                    self.turns[turn.utterance].append(turn)
            else:
                for name, text in parse_transcript(content):
                    self.texts[name].add(text)
        if not self.turns:
            raise UserError(f"{self.base}: no label line in any label file; is this IEMOCAP, unpacked without errors?")

    def wavs(self, sessions: Sequence[str]) -> set[str]:
        """Ids of all sentence wavs, usable or not."""
        folders = (self.base / f"Session{session}" / "sentences" / "wav" for session in sessions)
        dialogues = (dialogue for folder in folders for dialogue in _entries(folder))
        hits = (_WAV.fullmatch(path.name) for dialogue in dialogues for path in _entries(dialogue))
        return {hit[1] for hit in hits if hit}

    def utterance(self, name: str) -> Utterance:
        """The manifest row of an id; _UnusableError with the first of its problems."""
        turn = self._turn(name)
        text = self._text(name)
        folder = self.base / f"Session{turn.session}"
        audio = folder / "sentences" / "wav" / turn.dialogue / f"{name}.wav"
        if problem := missing(self.root, audio) or wav_problem(audio):
            raise _UnusableError("audio", f"wav: {problem}")
        video = folder / "dialog" / "avi" / "DivX" / f"{turn.dialogue}.avi"
        if turn.dialogue not in self._videos:
            self._videos[turn.dialogue] = missing(self.root, video) or video_problem(video)
        if problem := self._videos[turn.dialogue]:
            raise _UnusableError("video", f"avi of the dialogue: {problem}")
        return Utterance(
            utterance=name,
            dialogue=turn.dialogue,
            session=turn.session,
            speaker=turn.speaker,
            label=turn.label,
            text=text,
            audio=audio.relative_to(self.root).as_posix(),
            audio_start=None,
            audio_end=None,
            video=video.relative_to(self.root).as_posix(),
            video_start=turn.start,
            video_end=turn.end,
            crop="left" if name[5] == turn.speaker[1] else "right",  # the actor with the markers sits on the left
        )

    def _turn(self, name: str) -> Turn:
        if name not in self.turns:
            raise _UnusableError("label", "recorded or transcribed, but there is no label line")
        turn, *others = self.turns[name]
        if others:
            raise _UnusableError(
                "label", f"{1 + len(others)} label lines: {', '.join(t.code for t in self.turns[name])}"
            )
        if turn.end <= turn.start:
            raise _UnusableError("label", f"ends at {turn.end} s, not after its start at {turn.start} s")
        if not turn.label:
            raise _UnusableError("label", f"label {turn.code} is not one of the four classes")
        return turn

    def _text(self, name: str) -> str:
        texts = self.texts.get(name, set())
        if len(texts) != 1:
            raise _UnusableError(
                "transcript", f"{len(texts)} different transcript lines" if texts else "no transcript line"
            )
        (text,) = texts
        if len(text) > LONGEST_TEXT:
            raise _UnusableError("transcript", f"{len(text)} characters long; the file is damaged")
        return text
