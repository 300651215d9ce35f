"""IEMOCAP: utterances from the merged label files and the transcripts; each has a wav, each dialogue an avi.

Names are trusted only where they match the id pattern, so AppleDouble files, annotators' folders and other extras
are never looked at; ids are cut at their last underscore because dialogue names differ in length.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from extractors.corpora import Listing, Rating, Rejected, Remark, Stage, Utterance
from extractors.corpora.check import compare
from extractors.corpora.iemocap_release import CLASSES, KNOWN, Turn, counts, lists
from extractors.corpora.lines import Line, clean, read_lines
from extractors.files import UserError
from extractors.settings import Iemocap

SESSIONS = ("1", "2", "3", "4", "5")
MOST_BYTES = 16 << 20
"""of a label or transcript file; those of the release have at most about 100 KB"""
ACTIVATION_SCALE = "1 calm, 5 active"

_DIALOGUE = r"Ses0[1-5][FM]_(?:impro0[1-8][ab]?|script0[1-3]_[1-3]b?)"
_UTTERANCE = rf"{_DIALOGUE}_[FM][0-9]{{3}}"
_SECONDS = r"[0-9]{1,6}(?:\.[0-9]{1,9})?"
_RATING = r"(-?[0-9]{1,3}(?:\.[0-9]{1,9})?)"
# Every repetition has a bound, so that no line, however long, takes more than a moment.
_FILE = re.compile(rf"{_DIALOGUE}\.txt")
_MEDIUM = re.compile(rf"({_UTTERANCE})\.(?:wav|wdseg)")
_LABEL = re.compile(
    rf"\[ {{0,4}}({_SECONDS}) {{0,4}}- {{0,4}}({_SECONDS}) {{0,4}}\]\t({_UTTERANCE})\t([A-Za-z]{{3}})\b"
    rf"(?:\t\[ {{0,4}}{_RATING}, {{0,4}}{_RATING}, {{0,4}}{_RATING} {{0,4}}\])?"
)
_ATTRIBUTES = re.compile(r"A-([EFM][0-9]{1,2}):\tval {1,4}(.?); act {1,4}(.?); dom {1,4}(.?);")
_TRANSCRIPT = re.compile(rf"({_DIALOGUE}_[FM](?:[0-9]{{3}}|XX[0-9]))[ \t]{{1,4}}\[[^\]]{{1,40}}\]:(.*)")


def label_files(corpus: Iemocap) -> list[Path]:
    """Label and transcript files below the root, sorted; UserError without a Session folder or a label file."""
    base = _release(Path(corpus.root))
    found = {kind: _dialogue_files(base, kind) for kind in ("EmoEvaluation", "transcriptions")}
    if not found["EmoEvaluation"]:
        raise UserError(f"{base}: no label files Session*/dialog/EmoEvaluation/Ses*.txt; unpack the whole release")
    return sorted(path for files in found.values() for path in files)


def sessions(corpus: Iemocap) -> tuple[str, ...]:
    """`1` to `5`."""
    return SESSIONS


def classes(corpus: Iemocap) -> tuple[str, ...]:
    """The four of the usual protocol."""
    return tuple(sorted(set(CLASSES.values())))


def read(corpus: Iemocap, sessions: Sequence[str]) -> Listing:
    """Every utterance of `sessions` that is labelled, transcribed or recorded; the check covers all sessions."""
    release = _Release(corpus)
    rows, passed_over, wordless = [], [], {}
    rejected = [row for row in release.rejected if row.utterance[4] in sessions]
    wavs = release.media("wav", ".wav", sessions)
    for name in sorted(name for name in {*release.turns, *release.texts, *wavs} if name[4] in sessions):
        if problem := release.label_problem(name):
            rejected.append(Rejected(name, "label", problem))
            passed_over += [_row(release, turn, "") for turn in release.turns.get(name, [])[:1]]
        elif len(texts := release.texts.get(name, set())) > 1:
            rejected.append(Rejected(name, "transcript", f"{len(texts)} different transcript lines"))
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
    )


def parse_labels(lines: Sequence[Line], file: str) -> Iterator[Turn | Rejected | Remark]:
    """Turns of an EmoEvaluation file, in its order (all F turns first), and what is odd in it.

    `file` names the file's dialogue where no turn can be named.
    """
    name = file
    for number, (text, utf8) in enumerate(lines, 1):
        if hit := _LABEL.match(text):
            name = hit[3]
            valence, activation, dominance = (None if value is None else float(value) for value in hit.groups()[4:])
            yield Turn(name, float(hit[1]), float(hit[2]), hit[4], valence, activation, dominance)
        elif text.startswith("["):
            yield Rejected(file, "label", f"line {number} of the label file begins like a label but is none")
        if not utf8:
            yield Remark(name, "label", f"line {number} of the label file is not UTF-8, read as Latin-1")
        if hit := _ATTRIBUTES.match(text):
            gaps = [
                what
                for what, value in zip(("valence", "activation", "dominance"), hit.groups()[1:], strict=True)
                if not value.strip()
            ]
            if gaps:
                yield Remark(name, "label", f"rater {hit[1]} gives no {', '.join(gaps)}")


def parse_transcript(lines: Sequence[Line], file: str) -> Iterator[tuple[str, str] | Remark]:
    """Id and text of every numbered turn, `XX` turns included, and what is odd; lines without an id are left out.

    The text starts after the first `]:` and may contain brackets.
    """
    for number, (text, utf8) in enumerate(lines, 1):
        hit = _TRANSCRIPT.match(text)
        if hit:
            yield hit[1], clean(hit[2])
        elif text.startswith("Ses"):
            yield Remark(file, "transcript", f"line {number} begins like a turn but is none, passed over")
        if not utf8:
            yield Remark(hit[1] if hit else file, "transcript", f"line {number} is not UTF-8, read as Latin-1")


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
    """Labels and transcripts of all sessions."""

    def __init__(self, corpus: Iemocap) -> None:
        self.root = Path(corpus.root)
        self.base = _release(self.root)
        self.turns: dict[str, list[Turn]] = defaultdict(list)
        self.texts: dict[str, set[str]] = defaultdict(set)
        self.rejected: list[Rejected] = []
        self.remarks: list[Remark] = []
        extra: Counter[str] = Counter()
        for path in label_files(corpus):
            stage: Stage = "label" if path.parent.name == "EmoEvaluation" else "transcript"
            lines = read_lines(self.root, path, MOST_BYTES)
            if isinstance(lines, str):
                self.rejected.append(Rejected(path.stem, stage, f"file is {lines}"))
                continue
            for item in (parse_labels if stage == "label" else parse_transcript)(lines, path.stem):
                if isinstance(item, Turn):
                    self.turns[item.utterance].append(item)
                elif isinstance(item, Rejected):
                    self.rejected.append(item)
                elif isinstance(item, Remark):
                    self.remarks.append(item)
                elif "XX" in item[0]:
                    extra[item[0]] += 1
                else:
                    self.texts[item[0]].add(item[1])
        if not self.turns:
            raise UserError(f"{self.base}: no label line in any label file; is this IEMOCAP, unpacked without errors?")
        for name, times in extra.items():
            often = f" ({times} lines)" if times > 1 else ""
            self.remarks.append(Remark(name, "transcript", f"extra turn without label and wav, passed over{often}"))

    def media(self, kind: str, suffix: str, sessions: Sequence[str]) -> set[str]:
        """Ids of all files below `sentences/<kind>/<dialogue>/`, usable or not."""
        folders = (self.base / f"Session{session}" / "sentences" / kind for session in sessions)
        names = (path.name for folder in folders for dialogue in _entries(folder) for path in _entries(dialogue))
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
