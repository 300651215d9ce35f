"""MSP-IMPROV: clips from the evaluation file, the transcripts, and the wav and avi files wherever these lie.

Media and transcripts are found by name in one walk over the folder, so the layout with `Audio/` and `Video/` and the
one with both side by side are the same to it; a name that is no id of the release (`._*`) is never looked at.
"""

from __future__ import annotations

import filecmp
import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from extractors.console import progress
from extractors.corpora import Listing, Rating, Rejected, Remark, Stage, UnusableError, Utterance, unchosen
from extractors.corpora.lines import Line, read_lines, words
from extractors.corpora.msp_improv_labels import ATTRIBUTES, CLASSES, UTTERANCE, Clip, parse_evaluation
from extractors.corpora.msp_improv_labels import session as session_of
from extractors.corpora.msp_improv_release import EXCLUDED, KNOWN, counts, in_subset, lists
from extractors.corpora.paths import missing
from extractors.corpora.reference import compare
from extractors.files import UserError
from extractors.settings import MspImprov

MOST_LABEL_BYTES = 1 << 26
"""Of the evaluation file; by estimate, 8,438 blocks of ten short lines take a tenth of it."""
MOST_BYTES = 1 << 20
"""Of a transcript, which is one line."""

ACTIVATION = "1 active, 5 calm"

_SCENARIOS = {"P": "natural interaction", "R": "read", "T": "target sentence improvised"}
_UNUSED = {"O": " (other)", "X": " (no agreement)"}

_FILE = re.compile(rf"({UTTERANCE})\.((?i:wav|avi|txt))", re.ASCII)
_ALMOST = re.compile(r"(?:msp|utd)-improv-.*\.(?:wav|avi)", re.IGNORECASE | re.ASCII | re.DOTALL)
_NEAR = re.compile(rf"(?:msp|utd)({UTTERANCE[3:]}).*\.([a-z0-9]{{2,4}})", re.IGNORECASE | re.ASCII)
_SUFFIXES = {"wav": ("wav", "flac", "mp3", "m4a", "ogg"), "avi": ("avi", "mp4", "mkv", "mov", "mpg", "webm")}
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
"""A byte of a file name that is no UTF-8."""
_EVALUATION = re.compile(r"eval(?:uat|ut)ion\.txt", re.IGNORECASE | re.ASCII)


def label_files(corpus: MspImprov) -> list[Path]:
    """The evaluation file, in the folder or one level down; UserError when there is none.

    The 8,438 transcripts are left out: as that many inputs they would slow every look at the workflow.
    """
    root = Path(corpus.root)
    if not os.path.isdir(root):  # noqa: PTH112 (Path.is_dir raises below a closed folder)
        raise UserError(f"{root}: no such folder; set it to the unpacked MSP-IMPROV release")
    named, closed = list[Path](), list[OSError]()
    for folder, below, files in os.walk(root, onerror=closed.append):
        named += [Path(folder, name) for name in (*below, *files) if _EVALUATION.fullmatch(name)]
        below[:] = [name for name in below if Path(folder) == root and not _NOT_UTF8.search(name)]
    found = sorted(path for path in named if not missing(root, path) and os.access(path, os.R_OK))
    if found:
        return found
    if named:
        problem = missing(root, min(named)) or "not readable"
        raise UserError(f"{min(named)}: {problem}; put the evaluation file of the release there")
    unread = "".join(f" ({error.filename}: {error.strerror})" for error in closed[:1])
    raise UserError(f"{root}: no Evaluation.txt, nor one level down{unread}; set it to the unpacked MSP-IMPROV release")


def sessions(corpus: MspImprov) -> tuple[str, ...]:
    """The six sessions."""
    return ("1", "2", "3", "4", "5", "6")


def classes(corpus: MspImprov) -> tuple[str, ...]:
    """The four classes."""
    return tuple(CLASSES.values())


def read(corpus: MspImprov, sessions: Sequence[str]) -> Listing:
    """Every clip that is labelled, transcribed or recorded; the check covers all sessions."""
    root = Path(corpus.root)
    clips, rejected, remarks = _labels(corpus)
    files = _Files(root)
    remarks += [Remark("", "audio", remark) for remark in sorted(files.remarks)]
    labelled: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        labelled[clip.utterance].append(clip)
    names = sorted(labelled.keys() | files.names())
    check = compare(lists(clips), counts(clips), KNOWN)
    listing = Listing([], rejected, check, remarks, near=files.near, size=len(names) + len(rejected))
    listing.check["activation"] = "as the release stores it, 1 very active to 5 very calm; not flipped"
    for name in progress(names, "reading labels and transcripts", "clip"):
        if session_of(name) in sessions:
            _add(listing, name, labelled.get(name, []), files, corpus.subset)
        else:
            listing.rejected.append(unchosen(name, session_of(name)))
    return listing


def _labels(corpus: MspImprov) -> tuple[list[Clip], list[Rejected], list[Remark]]:
    first, *others = label_files(corpus)
    lines = _label_lines(corpus, first)
    for other in others:
        if _label_lines(corpus, other) != lines:
            raise UserError(f"{first} and {other} differ; remove the one that is not of the release")
    clips, damaged, strays = parse_evaluation(lines)
    if not clips:
        raise UserError(f"{first}: no consensus line (UTD-IMPROV-...); is this MSP-IMPROV, unpacked without errors?")
    remarks = []
    if "evalution" in first.name.lower():
        remarks.append(Remark("", "label", f"the evaluation file is spelt {first.name}"))
    if strays:
        number = f"{len(strays)}, the first is line {strays[0]}"
        remarks.append(Remark("", "label", f"{first.name}: lines that belong to no clip: {number}"))
    begins = "of the evaluation file begins like a consensus line but is none"
    return clips, [Rejected(f"line {n}", "label", f"line {n} {begins}") for n in damaged], remarks


def _label_lines(corpus: MspImprov, path: Path) -> list[Line]:
    lines = read_lines(Path(corpus.root), path, MOST_LABEL_BYTES)
    if isinstance(lines, str):
        raise UserError(f"{path}: {lines}; put the evaluation file of the release there")
    return lines


def _add(listing: Listing, name: str, same: Sequence[Clip], files: _Files, subset: str) -> None:
    """Sort one id into the rows or the rejected ones of `listing`, with what else is known of it."""
    listing.remarks.extend(Remark(name, "label", remark) for clip in same for remark in _remarks(clip))
    if len(same) == 1:
        ratings = {attribute: getattr(same[0], attribute) for attribute in ATTRIBUTES}
        listing.ratings.append(Rating(name, **ratings, activation_scale=ACTIVATION))
    try:
        clip = _labelled(same, subset)
        text, wordless, remarks = files.transcript(name)
        listing.rows.append(_row(clip, text, files.media("audio", "wav", name), files.media("video", "avi", name)))
    except UnusableError as problem:
        listing.rejected.append(Rejected(name, problem.stage, str(problem), session_of(name)))
        for clip in same[:1]:
            listing.passed_over.append(_row(clip, "", *(files.first(kind, name) for kind in ("wav", "avi"))))
        return
    if wordless:
        listing.wordless[name] = wordless
    listing.remarks.extend(Remark(name, "transcript", remark) for remark in remarks)


def _row(clip: Clip, text: str, audio: str, video: str) -> Utterance:
    return Utterance(
        utterance=clip.utterance,
        dialogue=clip.dialogue,
        session=session_of(clip.utterance),
        speaker=clip.speaker,
        label=clip.label,
        text=text,
        audio=audio,
        audio_start=None,
        audio_end=None,
        video=video,
        video_start=None,
        video_end=None,
        crop="full",
    )


def _labelled(same: Sequence[Clip], subset: str) -> Clip:
    """The one clip of an id, when its label and the subset allow its use."""
    if not same:
        raise UnusableError("label", "recorded or transcribed, but there is no consensus line")
    clip = same[0]
    if len(same) > 1:
        raise UnusableError("label", f"{len(same)} consensus lines: {', '.join(clip.letter for clip in same)}")
    if not clip.label:
        unused = f"label {clip.letter}{_UNUSED.get(clip.letter, '')}"
        raise UnusableError("label", f"{unused} is not one of the four classes")
    if subset == "mmin" and not in_subset(clip):
        if clip.utterance in EXCLUDED:
            raise UnusableError("subset", f"mmin: on the list of {len(EXCLUDED)} excluded clips")
        raise UnusableError("subset", f"mmin: scenario {clip.scenario} ({_SCENARIOS[clip.scenario]}) instead of S")
    return clip


def _remarks(clip: Clip) -> list[str]:
    """Oddities of a clip in the evaluation file."""
    remarks = [] if clip.utf8 else ["evaluation lines not UTF-8, read as Latin-1"]
    if clip.lacking:
        remarks.append(f"no value for {', '.join(clip.lacking)} in the consensus line")
    numbers = {
        "rater lines without a value": sum(bool(rater.lacking) for rater in clip.raters),
        "rater lines that cannot be read": clip.damaged,
        "rater lines that repeat another": len(clip.raters) - len(set(clip.raters)),
    }
    return remarks + [f"{what}: {number}" for what, number in numbers.items() if number]


class _Files:
    """Where the files named like a clip are, below `root`.

    No folder link is followed: what it leads to below `root` is met at its own place, and the rest is in `remarks`,
    as are folders that cannot be read, names that are not UTF-8, and media whose name is no id.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.remarks: list[str] = []
        self.places: dict[str, dict[str, list[str]]] = {kind: defaultdict(list) for kind in ("wav", "avi", "txt")}
        self.near: dict[str, str] = {}
        almost: list[str] = []
        base = root.resolve()
        for folder, below, files in os.walk(root, onerror=self._unreadable):
            place = PurePosixPath(os.path.relpath(folder, root))
            for name in filter(_NOT_UTF8.search, below):
                self.remarks.append(f"{str(place / name)!a}: not a UTF-8 name; not looked into")
            # The alignments may be text files named like the clips; what is in them is not known.
            below[:] = [name for name in below if not _NOT_UTF8.search(name) and "alignment" not in name.lower()]
            for name in below:
                if not Path(os.path.realpath(Path(folder, name))).is_relative_to(base):
                    self.remarks.append(f"{place / name}: a link that leaves the corpus folder; not followed")
            for name in files:
                if hit := _FILE.fullmatch(name):
                    self.places[hit[2].lower()][hit[1]].append(str(place / name))
                    continue
                if _ALMOST.fullmatch(name):
                    almost.append(str(place / name))
                if (hit := _NEAR.fullmatch(name)) and name.isprintable():
                    for kind in (kind for kind, suffixes in _SUFFIXES.items() if hit[2].lower() in suffixes):
                        self.near[f"MSP{hit[1].upper()}.{kind}"] = str(place / name)
        if almost:
            first = ascii(min(almost))
            self.remarks.append(f"media named almost like a clip, passed over: {len(almost)}, the first is {first}")

    def _unreadable(self, error: OSError) -> None:
        place = os.path.relpath(error.filename, self.root)
        self.remarks.append(f"{place}: folder cannot be read ({error.strerror})")

    def names(self) -> set[str]:
        """Ids of all clips that have some file."""
        return {name for places in self.places.values() for name in places}

    def first(self, kind: str, name: str) -> str:
        """The first place of a kind of file, empty when there is none."""
        return min(self.places[kind].get(name, [""]))

    def media(self, stage: Stage, kind: str, name: str) -> str:
        """The place of the one file of a kind, empty when there is none; copies may not differ."""
        first, *others = places = sorted(self.places[kind].get(name, [""]))
        if not all(self._same(first, other) for other in others):
            raise UnusableError(stage, f"{len(places)} {kind} files that differ: {_two(places)}")
        return first

    def _same(self, *places: str) -> bool:
        one, other = (self.root / place for place in places)
        try:
            if missing(self.root, one) or missing(self.root, other):
                return False
            return one.samefile(other) or filecmp.cmp(one, other, shallow=False)
        except OSError:
            return False

    def transcript(self, name: str) -> tuple[str, str, list[str]]:
        """Words of a clip on one line, why there are none, and remarks.

        Where files contradict, those in a folder with `human` in its name count.
        """
        found = {place: self._lines(place) for place in sorted(self.places["txt"].get(name, []))}
        if not found:
            return "", "no transcript file", []
        used, remarks = found, []
        if (different := _different(found)) > 1:
            used = {place: lines for place, lines in found.items() if "human" in place.lower()}
            if _different(used) != 1:
                raise UnusableError("transcript", f"{different} different transcripts: {_two(list(found))}")
            remarks.append(f"{different} transcripts differ; {next(iter(used))} is used")
        lines = next(iter(used.values()))
        if not all(line.utf8 for line in lines):
            remarks.append("not UTF-8, read as Latin-1")
        text = _text(lines)
        why = "" if text else "transcript is empty" if lines == [Line("", True)] else "transcript has only blanks"
        return text, why, remarks

    def _lines(self, place: str) -> list[Line]:
        lines = read_lines(self.root, self.root / place, MOST_BYTES)
        if isinstance(lines, str):
            raise UnusableError("transcript", f"{place}: {lines}")
        return lines


def _text(lines: Sequence[Line]) -> str:
    return words(" ".join(line.text for line in lines))


def _different(found: Mapping[str, Sequence[Line]]) -> int:
    """How many texts there are when blanks do not count."""
    return len({tuple(_text(lines).split()) for lines in found.values()})


def _two(places: Sequence[str]) -> str:
    return ", ".join(places[:2]) + ", ..." * (len(places) > 2)
