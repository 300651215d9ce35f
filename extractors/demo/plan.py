"""Who says what, with which emotion in word, voice and face: the script of the demo corpus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from extractors.demo.words import sentence

CLASSES = ("ang", "hap", "neu", "sad")
OTHER_CODES = ("fru", "xxx", "sur", "fea", "fru", "xxx", "dis", "oth")
"""Codes the four-class protocol leaves out."""
OTHERS_PER_SPEAKER = 3
HIDDEN_FACES = (7, 61, 123)
"""Turns, counted over the kept ones, during which the speaker has left the picture."""


@dataclass(frozen=True)
class Cue:
    """What one modality shows: an emotion of CLASSES and how strongly (about 0 to 1.2)."""

    emotion: str
    strength: float


@dataclass(frozen=True)
class Turn:
    """One utterance of the script; `seed` is the source of every random detail of its voice and face."""

    utterance: str
    session: int
    sex: str
    code: str
    emotion4: str
    text: str
    word: Cue
    voice: Cue
    face: Cue
    face_visible: bool
    seed: int

    @property
    def speaker(self) -> str:
        """Session digit and sex, as in `3F`."""
        return f"{self.session}{self.sex}"

    @property
    def dialogue(self) -> str:
        """Name of the dialogue this turn belongs to."""
        return self.utterance.rsplit("_", 1)[0]

    @property
    def half(self) -> str:
        """Half of the picture with the speaker: left for the actor with the markers."""
        return "left" if self.utterance[5] == self.sex else "right"


@dataclass(frozen=True)
class Odds:
    """How often a modality shows the emotion clearly or hardly; otherwise it shows another one."""

    clear: float
    faint: float


WORD = Odds(clear=0.78, faint=0.12)
VOICE = Odds(clear=0.86, faint=0.08)
FACE = Odds(clear=0.84, faint=0.08)


def dialogues(session: int) -> list[str]:
    """Names of a session's dialogues: both marker letters, improvised and scripted; a and b in session 3."""
    improvised = {3: ("05a", "05b")}.get(session, ("05",))
    scripted = {5: ("01_1", "01_1b")}.get(session, ("01_1",))
    tails = [("F", "impro01"), ("F", "script02_1")]
    tails += [("M", f"impro{tail}") for tail in improvised] + [("M", f"script{tail}") for tail in scripted]
    return [f"Ses{session:02d}{letter}_{tail}" for letter, tail in tails]


def script(seed: int, sessions: int, utterances_per_speaker: int) -> list[Turn]:
    """All turns, dialogue by dialogue in the order of speaking; classes are balanced within each speaker.

    ValueError unless there are 1 to 5 sessions and at least one utterance per speaker.
    """
    if not 1 <= sessions <= 5 or utterances_per_speaker < 1:
        raise ValueError(f"{sessions} sessions and {utterances_per_speaker} utterances: expected 1-5 and at least 1")
    turns: list[Turn] = []
    for session in range(1, sessions + 1):
        random = np.random.default_rng([seed, session])
        names = dialogues(session)
        codes = {sex: _codes(session, sex, utterances_per_speaker, random) for sex in "FM"}
        draws = _draws(sum(map(len, codes.values())), random)
        for place, name in enumerate(names):
            share = {sex: codes[sex][place :: len(names)] for sex in "FM"}
            turns += _talk(name, session, share, draws, random)
    kept = [turn for turn in turns if turn.emotion4]
    hidden = {kept[place].utterance for place in HIDDEN_FACES if place < len(kept)}
    return [replace(turn, face_visible=turn.utterance not in hidden) for turn in turns]


def _codes(session: int, sex: str, count: int, random: np.random.Generator) -> list[str]:
    """A speaker's label codes, shuffled; half of the happy ones are called `exc`."""
    kept = [CLASSES[place % 4] for place in range(count)]
    kept = ["exc" if code == "hap" and place % 8 > 3 else code for place, code in enumerate(kept)]
    first = OTHERS_PER_SPEAKER * (2 * session + (sex == "M"))
    others = [OTHER_CODES[(first + place) % len(OTHER_CODES)] for place in range(OTHERS_PER_SPEAKER)]
    return [str(code) for code in random.permutation(kept + others)]


def _draws(count: int, random: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """For each of `count` turns three numbers from 0 to 1, for word, voice and face.

    Each of the three is spread evenly over a session's turns, so that no session is much easier than another.
    """
    places = np.stack([random.permutation(count) for _ in range(3)], 1)
    return iter((places + random.random((count, 3))) / count)


def _talk(
    name: str,
    session: int,
    codes: dict[str, list[str]],
    draws: Iterator[NDArray[np.float64]],
    random: np.random.Generator,
) -> list[Turn]:
    """The two speakers take turns until both have nothing left to say."""
    turns = []
    for number in range(max(len(codes["F"]), len(codes["M"]))):
        for sex in "FM":
            if number < len(codes[sex]):
                turns.append(_turn(f"{name}_{sex}{number:03d}", session, sex, codes[sex][number], next(draws), random))
    return turns


def _turn(
    utterance: str, session: int, sex: str, code: str, draws: NDArray[np.float64], random: np.random.Generator
) -> Turn:
    emotion4 = "hap" if code == "exc" else code if code in CLASSES else ""
    felt = emotion4 or ("ang" if code == "fru" else str(random.choice(CLASSES)))
    cues = zip((WORD, VOICE, FACE), draws, strict=True)
    word, voice, face = (_cue(felt, odds, draw, random) for odds, draw in cues)
    text = sentence(word.emotion, word.strength, random)
    return Turn(utterance, session, sex, code, emotion4, text, word, voice, face, True, int(random.integers(2**31)))


def _cue(emotion: str, odds: Odds, draw: float, random: np.random.Generator) -> Cue:
    """What a modality shows for a felt emotion; independent of the others, so that one can put another right."""
    if draw < odds.clear:
        return Cue(emotion, random.uniform(0.75, 1.15))
    if draw < odds.clear + odds.faint:
        return Cue(emotion, random.uniform(0.0, 0.5))
    others = [name for name in CLASSES if name != emotion]
    return Cue(str(random.choice(others)), random.uniform(0.6, 1.0))
