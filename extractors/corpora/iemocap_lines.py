"""Lines of IEMOCAP's label and transcript files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from extractors.corpora import Rejected, Remark
from extractors.corpora.iemocap_release import Turn
from extractors.corpora.lines import Line, words

DIALOGUE = r"Ses0[1-5][FM]_(?:impro0[1-8][ab]?|script0[1-3]_[1-3]b?)"
UTTERANCE = rf"{DIALOGUE}_[FM][0-9]{{3}}"
_SECONDS = r"[0-9]{1,6}(?:\.[0-9]{1,9})?"
_RATING = r"(-?[0-9]{1,3}(?:\.[0-9]{1,9})?)"
# Every repetition has a bound, so that no line, however long, takes more than a moment.
_LABEL = re.compile(
    rf"\[ {{0,4}}({_SECONDS}) {{0,4}}- {{0,4}}({_SECONDS}) {{0,4}}\]\t({UTTERANCE})\t([A-Za-z]{{3}})\b"
    rf"(?:\t\[ {{0,4}}{_RATING}, {{0,4}}{_RATING}, {{0,4}}{_RATING} {{0,4}}\])?"
)
_ATTRIBUTES = re.compile(r"A-([EFM][0-9]{1,2}):\tval {1,4}(.?); act {1,4}(.?); dom {1,4}(.?);")
_TRANSCRIPT = re.compile(rf"({DIALOGUE}_[FM](?:[0-9]{{3}}|XX[0-9]))[ \t]{{1,4}}\[[^\]]{{1,40}}\]:(.*)")


def parse_labels(lines: Sequence[Line], file: str) -> Iterator[Turn | Rejected | Remark]:
    """Turns of an EmoEvaluation file, in its order (all F turns first), and what is odd in it.

    `file` names the file's dialogue where no turn can be named.
    """
    name = file
    for number, (line, utf8) in enumerate(lines, 1):
        text = line.lstrip()
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
            yield hit[1], words(hit[2])
        elif text.startswith("Ses"):
            yield Remark(file, "transcript", f"line {number} begins like a turn but is none, passed over")
        if not utf8:
            yield Remark(hit[1] if hit else file, "transcript", f"line {number} is not UTF-8, read as Latin-1")
