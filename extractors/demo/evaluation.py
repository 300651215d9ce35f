"""The label file of MSP-IMPROV: a block of lines for each clip, the agreed label and then what the raters said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from extractors.demo.annotation import MIDDLES
from extractors.demo.plan import ORIGIN, Turn

NAMES = {"A": "Angry", "H": "Happy", "N": "Neutral", "S": "Sad", "O": "Other"}
SECONDARY = ("", "", "Neutral,Happy", "Frustrated", "Surprised,Excited", "tired; or only bored")
"""More emotions, from a list or in the rater's own words, which may contain the separator."""
RATERS = 30
NATURALNESS = 4


def write_evaluation(path: Path, turns: Sequence[Turn]) -> None:
    """Blocks in the order of the ids; the first has one rater twice, the second has one that left out a value."""
    blocks = []
    for place, turn in enumerate(sorted(turns, key=lambda turn: turn.utterance)):
        lines = _block(turn, incomplete=place == 1)
        blocks.append("\n".join([*lines, lines[-1]] if place == 0 else lines))
    path.write_text("".join(f"{block}\n\n" for block in blocks), encoding="ascii")


def _block(turn: Turn, incomplete: bool) -> list[str]:
    """Lines of one clip, without line ends."""
    random = np.random.default_rng([turn.seed, 4])
    valence, activation, dominance = MIDDLES[turn.emotion4 or "xxx"]
    middle = (6 - activation, valence, dominance, NATURALNESS)  # here 1 is very active, and 5 is calm
    votes = _votes(turn.code, random)
    ratings = np.clip(middle + random.integers(-1, 2, (len(votes), 4)), 1, 5).astype(float)
    if incomplete:
        ratings[0, 2] = np.nan
    name = turn.utterance.replace("MSP-", "UTD-", 1)
    lines = [f"{name}.avi; {turn.code}; {_attributes(ratings.mean(0), ' ')}"]
    raters = random.choice(RATERS, len(votes), replace=False)
    for rater, vote, rating in zip(raters, votes, ratings, strict=True):
        lines.append(f"{ORIGIN}-{rater:02d}; {vote}; {random.choice(SECONDARY)}; {_attributes(rating, '')}")
    return lines


def _votes(letter: str, random: np.random.Generator) -> list[str]:
    """What five raters say: three or more of them the label, or each something else when there is none (X)."""
    votes = [*NAMES.values()] if letter == "X" else [NAMES[letter]] * 3 + [*random.choice([*NAMES.values()], 2)]
    return [str(vote) for vote in random.permutation(votes)]


def _attributes(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], before_last: str) -> str:
    """Activation, valence, dominance and naturalness; `before_last` is what the release has after dominance."""
    a, v, d, n = (f"{value:.6f}".replace("nan", "NaN") for value in values)
    return f"A:{a}; V:{v}; D:{d}{before_last}; N:{n};"
