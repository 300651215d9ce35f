"""Words and orders that the whole project shares."""

from __future__ import annotations

MODALITIES = ("text", "speech", "video")
"""Always in this order; short `t`, `s`, `v`."""

MISSING_CONDITIONS = ("t", "s", "v", "vt", "sv", "st")
"""What is available in the six missing conditions, as the paper prints them (Table 2)."""

FULL = "svt"
CONDITIONS = (*MISSING_CONDITIONS, FULL)

CLASSES = ("angry", "happy", "neutral", "sad")
"""Of the paper, in the order of Table 1; what a system tells apart is a property of its corpus."""


def present(condition: str) -> tuple[str, ...]:
    """Modalities available under a condition, in the order of MODALITIES: `vt` gives text and video."""
    return tuple(modality for modality in MODALITIES if modality[0] in condition)


def availability(condition: str) -> tuple[bool, bool, bool]:
    """One flag per modality: `vt` gives (True, False, True)."""
    text, speech, video = (modality[0] in condition for modality in MODALITIES)
    return text, speech, video
