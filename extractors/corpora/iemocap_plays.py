"""IEMOCAP's scripted plays, which the actors of every session perform with the same words."""

from __future__ import annotations

import re

_PLAY = re.compile(r"Ses0[1-5][FM]_(script0[1-3]_[1-3])b?")


def play(dialogue: str) -> str | None:
    """Scene of a play that a dialogue performs, such as `script01_1`; None for all other dialogues."""
    hit = _PLAY.fullmatch(dialogue)
    return hit[1] if hit else None
