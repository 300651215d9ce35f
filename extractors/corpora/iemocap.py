"""IEMOCAP: utterances from the merged label files and the transcripts; each has a wav, each dialogue an avi.

Names are trusted only where they match the id pattern, so AppleDouble files, annotators' folders and other extras
are never looked at; ids are cut at their last underscore because dialogue names differ in length.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from extractors.corpora import Listing, Rating, Rejected, Remark, Stage, Utterance, unchosen
from extractors.corpora.iemocap_lines import DIALOGUE, UTTERANCE, parse_labels, parse_transcript
from extractors.corpora.iemocap_plays import play
from extractors.corpora.iemocap_release import CLASSES, KNOWN, Turn, counts, lists
from extractors.corpora.lines import read_lines
from extractors.corpora.reference import compare
from extractors.files import UserError
from extractors.settings import Iemocap

SESSIONS = ("1", "2", "3", "4", "5")
MOST_BYTES = 16 << 20
"""of a label or transcript file; the longest dialogue has 167 turns"""
ACTIVATION_SCALE = "1 calm, 5 active"

_FILE = re.compile(rf"{DIALOGUE}\.txt")
_MEDIUM = re.compile(rf"({UTTERANCE})\.(?:wav|wdseg)")


def label_files(corpus: Iemocap) -> list[Path]:
    """Label and transcript files below the root, sorted; UserError without a Session folder or a label file."""
    base = _release(Path(corpus.root))
    found = {kind: _dialogue_files(base, kind) for kind in ("EmoEvaluation", "transcriptions")}
    if not found["EmoEvaluation"]:
        raise UserError(f"{base}: no label files Session*/dialog/EmoEvaluation/Ses*.txt; unpack the whole release")
    return sorted(path for files in found.values() for path in files if os.path.isfile(path))  # noqa: PTH113


def sessions(corpus: Iemocap) -> tuple[str, ...]:
    """`1` to `5`."""
    return SESSIONS


def classes(corpus: Iemocap) -> tuple[str, ...]:
    """The four of the usual protocol."""
    return tuple(sorted(set(CLASSES.values())))


def read(corpus: Iemocap, sessions: Sequence[str]) -> Listing:
    """Every utterance that is labelled, transcribed or recorded; the check covers all sessions."""
    release = _Release(corpus)
    rows, passed_over, wordless = [], [], {}
    rejected = release.rejected
    names = sorted({*release.turns, *release.texts, *release.media("wav", ".wav", SESSIONS)})
    size = len(names) + len(rejected)
    for name in names:
        if name[4] not in sessions:
            rejected.append(unchosen(name, name[4]))
        elif corpus.policy.scripted == "reject" and play(name.rsplit("_", 1)[0]):
            rejected.append(Rejected(name, "subset", "scripted, rejected by policy.scripted", name[4]))
        elif problem := release.label_problem(name):
            rejected.append(Rejected(name, "label", problem, name[4]))
            passed_over += [_row(release, turn, "") for turn in release.turns.get(name, [])[:1]]
        elif len(texts := release.texts.get(name, set())) > 1:
            rejected.append(Rejected(name, "transcript", f"{len(texts)} different transcript lines", name[4]))
        else:
            rows.append(_row(release, release.turns[name][0], next(iter(texts), "")))
            if not rows[-1].text:
                wordless[name] = "transcript is empty" if texts else "no transcript line"
    turns = [turn for same in release.turns.values() for turn in same]
    aligned = release.media("ForcedAlignment", ".wdseg", sessions)
    unaligned = [turn.utterance for turn in turns if aligned and turn.utterance not in aligned]
    remarks = release.remarks + [Remark(name, "alignment", "no forced alignment (not needed)") for name in unaligned]
    ratings = [
        Rating(turn.utterance, turn.valence, turn.activation, turn.dominance, None, ACTIVATION_SCALE) for turn in turns
    ]
    return Listing(
        rows=rows,
        rejected=rejected,
        check=compare(lists(turns), counts(turns), KNOWN) | {"activation": f"as stored: {ACTIVATION_SCALE}"},
        remarks=[remark for remark in remarks if remark.utterance[4] in sessions],
        ratings=[rating for rating in ratings if rating.utterance[4] in sessions],
        passed_over=passed_over,
        wordless=wordless,
        size=size,
    )


def _release(root: Path) -> Path:
    """The folder with the Session folders: `root`, or the one folder below it that has some."""
    if not os.path.isdir(root):  # noqa: PTH112
        raise UserError(f"{root}: no such folder; set it to the unpacked IEMOCAP release")
    bases = [root] if _has_sessions(root) else [path for path in _entries(root) if _has_sessions(path)]
    if not bases:
        raise UserError(f"{root}: no folders Session1 to Session5, nor one level down; set it to IEMOCAP_full_release")
    if len(bases) > 1:
        raise UserError(f"{root}: several releases ({', '.join(path.name for path in bases)}); set it to one of them")
    if not bases[0].name.isprintable():
        raise UserError(f"{root}: the release lies in {bases[0].name!a}; rename that folder to plain letters")
    return bases[0]


def _has_sessions(path: Path) -> bool:
    # Unlike the methods of Path, these functions take a folder that cannot be read for one that is not there.
    return any(os.path.isdir(path / f"Session{number}") for number in SESSIONS)  # noqa: PTH112


def _dialogue_files(base: Path, kind: str) -> list[Path]:
    listed = (path for number in SESSIONS for path in _entries(base / f"Session{number}" / "dialog" / kind))
    return [path for path in listed if _FILE.fullmatch(path.name)]


def _entries(folder: Path) -> list[Path]:
    """Sorted content of a folder, none if it is not there or cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


class _Release:
    """Labels and transcripts of all sessions."""

    def __init__(self, corpus: Iemocap) -> None:
        self.root = Path(corpus.root)
        self.base = _release(self.root)
        self.turns: dict[str, list[Turn]] = defaultdict(list)
        self.texts: dict[str, set[str]] = defaultdict(set)
        self.rejected: list[Rejected] = []
        self.remarks: list[Remark] = []
        extra: Counter[str] = Counter()
        label_files(corpus)  # for its errors
        paths = [path for kind in ("EmoEvaluation", "transcriptions") for path in _dialogue_files(self.base, kind)]
        for path in paths:
            stage: Stage = "label" if path.parent.name == "EmoEvaluation" else "transcript"
            lines = read_lines(self.root, path, MOST_BYTES)
            if isinstance(lines, str):
                self.rejected.append(Rejected(path.stem, stage, f"file is {lines}", path.stem[4]))
                continue
            for item in (parse_labels if stage == "label" else parse_transcript)(lines, path.stem):
                if isinstance(item, Turn):
                    self.turns[item.utterance].append(item)
                elif isinstance(item, Rejected):
                    self.rejected.append(replace(item, session=path.stem[4]))
                elif isinstance(item, Remark):
                    self.remarks.append(item)
                elif "XX" in item[0]:
                    extra[item[0]] += 1
                else:
                    self.texts[item[0]].add(item[1])
        if not self.turns:
            why = f"{self.rejected[0].utterance}: {self.rejected[0].reason}" if self.rejected else "they are empty"
            raise UserError(f"{self.base}: no label line in any label file ({why}); unpack or copy the release again")
        for session, kind in product(SESSIONS, ("EmoEvaluation", "transcriptions")):
            folder = self.base / f"Session{session}" / "dialog" / kind
            if os.path.lexists(folder) and not os.access(folder, os.R_OK | os.X_OK):
                self.remarks.append(Remark(f"Ses0{session}", "label", f"folder {kind} cannot be read"))
        for name, times in extra.items():
            often = f" ({times} lines)" if times > 1 else ""
            self.remarks.append(Remark(name, "transcript", f"extra turn without label and wav, passed over{often}"))

    def media(self, kind: str, suffix: str, sessions: Sequence[str]) -> set[str]:
        """Ids of all files below `sentences/<kind>/<dialogue>/`, usable or not."""
        folders = (self.base / f"Session{session}" / "sentences" / kind for session in sessions)
        dialogues = (path for folder in folders for path in _entries(folder) if re.fullmatch(DIALOGUE, path.name))
        names = (path.name for dialogue in dialogues for path in _entries(dialogue))
        hits = (_MEDIUM.fullmatch(name) for name in names if name.endswith(suffix))
        return {hit[1] for hit in hits if hit}

    def label_problem(self, name: str) -> str:
        """Why the label of an id cannot be used, or an empty string."""
        if name not in self.turns:
            return "recorded or transcribed, but there is no label line"
        turn, *others = self.turns[name]
        if others:
            return f"{1 + len(others)} label lines: {', '.join(same.code for same in self.turns[name])}"
        if not turn.label:
            return f"label {turn.code} is not one of the four classes"
        if turn.end <= turn.start:
            return f"ends at {turn.end} s, not after its start at {turn.start} s"
        return ""


def _row(release: _Release, turn: Turn, text: str) -> Utterance:
    folder = (release.base / f"Session{turn.session}").relative_to(release.root)
    wav = folder / "sentences" / "wav" / turn.dialogue / f"{turn.utterance}.wav"
    return Utterance(
        utterance=turn.utterance,
        dialogue=turn.dialogue,
        session=turn.session,
        speaker=turn.speaker,
        label=turn.label,
        text=text,
        audio=wav.as_posix(),
        audio_start=None,
        audio_end=None,
        video=(folder / "dialog" / "avi" / "DivX" / f"{turn.dialogue}.avi").as_posix(),
        video_start=turn.start,
        video_end=turn.end,
        crop="left" if turn.utterance[5] == turn.speaker[1] else "right",  # the actor with the markers sits on the left
    )
