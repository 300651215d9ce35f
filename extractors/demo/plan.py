"""Who says what, with which emotion in word, voice and face: what the demo corpora have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from extractors.demo.words import sentence

CLASSES = ("ang", "hap", "neu", "sad")
FILTERED_PER_SPEAKER = 3
"""Turns that the usual protocol of the corpus leaves out."""
ORIGIN = "synthetic"
TRUTH_COLUMNS = (
    *("utterance", "session", "speaker", "emotion", "emotion4", "kept", "text", "start", "end", "half", "face_visible"),
    *("word_shows", "voice_shows", "face_shows", "origin"),
)
ABOUT = """This corpus is synthetic: the program made it up from templates (voices of eSpeak NG, drawn faces).

It has the layout and the file formats of {0}, so that the pipeline can be tried without a licensed corpus.
Nothing that is measured on it says anything about {0}.
The faces are variations of one portrait in the public domain (NASA, comes with scikit-image).
"""
Row = dict[str, object]
Draws = Iterator[NDArray[np.float64]]


@dataclass(frozen=True)
class Cue:
    """What one modality shows: an emotion of CLASSES and how strongly (about 0 to 1.2)."""

    emotion: str
    strength: float


@dataclass(frozen=True)
class Turn:
    """One utterance of the script; `seed` is the source of every random detail of its voice and face.

    `code` is the label as the corpus spells it, `emotion4` the one of CLASSES it stands for or empty, `kept` whether
    the usual protocol keeps it.
    """

    utterance: str
    session: int
    sex: str
    code: str
    emotion4: str
    kept: bool
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


@dataclass(frozen=True)
class Odds:
    """How often a modality shows the emotion clearly or hardly; otherwise it shows another one."""

    clear: float
    faint: float


WORD = Odds(clear=0.92, faint=0.05)
VOICE = Odds(clear=0.92, faint=0.05)
FACE = Odds(clear=0.9, faint=0.06)


def draw(count: int, random: np.random.Generator) -> Draws:
    """For each of `count` turns three numbers from 0 to 1, for word, voice and face.

    Each of the three is spread evenly over a session's turns, so that no session is much easier than another.
    """
    places = np.stack([random.permutation(count) for _ in range(3)], 1)
    return iter((places + random.random((count, 3))) / count)


def perform(
    utterance: str,
    session: int,
    sex: str,
    code: str,
    emotion4: str,
    kept: bool,
    draws: Draws,
    random: np.random.Generator,
) -> Turn:
    """A turn whose speaker feels `emotion4`, anger when frustrated, or for other codes any emotion."""
    felt = emotion4 or ("ang" if code == "fru" else str(random.choice(CLASSES)))
    cues = zip((WORD, VOICE, FACE), next(draws), strict=True)
    word, voice, face = (_cue(felt, odds, chance, random) for odds, chance in cues)
    text = sentence(word.emotion, word.strength, random)
    seed = int(random.integers(2**31))
    return Turn(utterance, session, sex, code, emotion4, kept, text, word, voice, face, True, seed)


def _cue(emotion: str, odds: Odds, chance: float, random: np.random.Generator) -> Cue:
    """What a modality shows for a felt emotion; independent of the others, so that one can put another right."""
    if chance < odds.clear:
        return Cue(emotion, random.uniform(0.75, 1.15))
    if chance < odds.clear + odds.faint:
        return Cue(emotion, random.uniform(0.0, 0.5))
    others = [name for name in CLASSES if name != emotion]
    return Cue(str(random.choice(others)), random.uniform(0.6, 1.0))


def hide(turns: Sequence[Turn], places: Sequence[int]) -> list[Turn]:
    """`turns`, some of them without a visible face: those at `places`, counted over the kept ones."""
    kept = [turn.utterance for turn in turns if turn.kept]
    hidden = {kept[place] for place in places if place < len(kept)}
    return [replace(turn, face_visible=turn.utterance not in hidden) for turn in turns]


def truth(turn: Turn, start: float, end: float, half: str) -> Row:
    """What lies behind a turn, with TRUTH_COLUMNS; `start` and `end` are seconds of the film that shows it."""
    cues = {"word_shows": turn.word, "voice_shows": turn.voice, "face_shows": turn.face}
    return {
        **{"utterance": turn.utterance, "session": turn.session, "speaker": turn.speaker, "emotion": turn.code},
        **{"emotion4": turn.emotion4, "kept": int(turn.kept), "text": turn.text},
        **{"start": start, "end": end, "half": half, "face_visible": int(turn.face_visible)},
        **{name: f"{cue.emotion} {cue.strength:.2f}" for name, cue in cues.items()},
        "origin": ORIGIN,
    }
