"""The evaluation file of MSP-IMPROV: a block for each clip, with a consensus line and a line for every rater."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan

from extractors.corpora.lines import Line

CLASSES = {"A": "angry", "H": "happy", "N": "neutral", "S": "sad"}
"""Consensus letters of the four classes; the others are O (other) and X (no agreement)."""

ATTRIBUTES = ("activation", "valence", "dominance", "naturalness")

UTTERANCE = r"MSP-IMPROV-S(?:0[1-9]|1[0-9]|20)[AHNS]-[FM]0[1-6]-[PRST]-(?:FM|MF|FF|MM)[0-9]{2}"

# Every repetition has a bound, so that no line, however long, takes more than a moment.
_BLANKS = r"[ \t]{0,8}"
_CONSENSUS = re.compile(rf"{_BLANKS}(?:UTD|MSP)-IMPROV-")
_HEAD = re.compile(
    rf"{_BLANKS}(?:UTD|MSP)({UTTERANCE[3:]})(?:\.[A-Za-z0-9]{{1,4}})?{_BLANKS};{_BLANKS}([A-Za-z]{{1,20}}){_BLANKS};"
)
_RATER = re.compile(r"([^;]{1,60});([^;]{1,60});(.{0,10000})")
_NUMBER = rf"{_BLANKS}(-?[0-9]{{1,6}}(?:\.[0-9]{{1,12}})?|(?i:nan)|){_BLANKS}"
_VALUES = re.compile(rf"{_NUMBER};{_BLANKS}V:{_NUMBER};{_BLANKS}D:{_NUMBER};{_BLANKS}N:{_NUMBER}(?:;{_BLANKS})?")


@dataclass(frozen=True)
class Values:
    """Attributes on a scale of 1 to 5 as stored, activation 1 being very active; None for NaN or no value."""

    activation: float | None
    valence: float | None
    dominance: float | None
    naturalness: float | None

    @property
    def lacking(self) -> list[str]:
        """Names of the attributes without a value."""
        return [name for name in ATTRIBUTES if getattr(self, name) is None]


@dataclass(frozen=True)
class Rater(Values):
    """One rater line; `secondary` is free text."""

    rater: str
    primary: str
    secondary: str


@dataclass(frozen=True)
class Clip(Values):
    """One block of the evaluation file: the consensus line, its rater lines and how many of them are unreadable."""

    utterance: str
    letter: str
    raters: tuple[Rater, ...]
    damaged: int
    utf8: bool

    @property
    def speaker(self) -> str:
        """`1F`, by the actor field; the pair field names both actors of a scene."""
        actor = self.utterance.split("-")[3]
        return actor[2] + actor[0]

    @property
    def scenario(self) -> str:
        """`P`, `R`, `S` or `T`."""
        return self.utterance.split("-")[4]

    @property
    def dialogue(self) -> str:
        """`S01A-1`: sentence, target emotion and session."""
        return f"{self.utterance.split('-')[2]}-{session(self.utterance)}"

    @property
    def label(self) -> str:
        """One of the four classes, or an empty string."""
        return CLASSES.get(self.letter, "")


def session(utterance: str) -> str:
    """`1` to `6`, by the actor field of an id."""
    return utterance.split("-")[3][2]


def parse_evaluation(lines: Iterable[Line]) -> tuple[list[Clip], list[int], list[int]]:
    """Clips in their order, with `MSP-` in the id; then line numbers: unreadable consensus lines, lines of no clip.

    A clip begins with a line that starts with `UTD-IMPROV-` and ends before the next one or an empty line.
    """
    blocks: list[dict[int, Line]] = [{}]
    for number, line in enumerate(lines, 1):
        blank = not line.text or line.text.isspace()
        if blank or _CONSENSUS.match(line.text):
            blocks.append({})
        if not blank:
            blocks[-1][number] = line
    clips, damaged, strays = [], list[int](), list[int]()
    for block in filter(None, blocks):
        first, *others = block
        if head := _HEAD.match(block[first].text):
            clips.append(_clip(head, list(block.values())))
        else:
            (damaged if _CONSENSUS.match(block[first].text) else strays).append(first)
            strays += others
    return clips, damaged, strays


def parse_rater(text: str) -> Rater | None:
    """A rater line, cut from the left (rater, primary emotion) and the right (values); None when it is damaged."""
    left, values = _values(text)
    hit = _RATER.fullmatch(left)
    if not hit or not values:
        return None
    rater, primary, secondary = (part.strip() for part in hit.groups())
    return Rater(**values, rater=rater, primary=primary, secondary=secondary.removesuffix(";").rstrip())


def _clip(head: re.Match[str], block: Sequence[Line]) -> Clip:
    raters = [parse_rater(line.text) for line in block[1:]]
    return Clip(
        **(_values(block[0].text)[1] or dict.fromkeys(ATTRIBUTES)),
        utterance=f"MSP{head[1]}",
        letter=head[2],
        raters=tuple(rater for rater in raters if rater),
        damaged=raters.count(None),
        utf8=all(line.utf8 for line in block),
    )


def _values(text: str) -> tuple[str, dict[str, float | None]]:
    """What stands left of the four values, and these by name; none of them when they are damaged."""
    left, _, right = text.rpartition("A:")
    hit = _VALUES.fullmatch(right)
    numbers = [float(number or "nan") for number in hit.groups()] if hit else []
    return left, {name: None if isnan(number) else number for name, number in zip(ATTRIBUTES, numbers, strict=False)}
