"""Known figures of the MSP-IMPROV release, and the same figures of whatever labels were found.

The figures and digests were gathered from public derived lists that agree with one another; the subset is the one of
MMIN and MEmoBert.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from extractors.corpora.msp_improv_labels import CLASSES, Clip, session
from extractors.corpora.reference import Counts, Known, tally

EXCLUDED = frozenset(
    line
    for line in Path(__file__).with_name("msp_improv_excluded.txt").read_text(encoding="utf-8").split("\n")
    if line and not line.startswith("#")
)
"""Ids of the 121 clips of scenario S that are no part of the subset."""

_LETTERS = ("A", "H", "N", "S", "O", "X")
_LETTERS_OF_SCENARIO = {
    "P": (38, 1372, 1164, 66, 11, 134),
    "R": (169, 88, 241, 80, 3, 39),
    "S": (470, 1048, 1789, 633, 70, 371),
    "T": (115, 136, 283, 106, 1, 11),
}

_SCENARIOS_OF_SPEAKER = {  # P, R, S, T
    "1F": (166, 0, 234, 40),
    "1M": (180, 100, 229, 40),
    "2F": (234, 90, 352, 62),
    "2M": (250, 80, 304, 60),
    "3F": (413, 90, 405, 45),
    "3M": (286, 85, 408, 45),
    "4F": (226, 0, 263, 60),
    "4M": (274, 0, 230, 60),
    "5F": (148, 95, 451, 60),
    "5M": (264, 0, 427, 60),
    "6F": (140, 80, 517, 60),
    "6M": (204, 0, 561, 60),
}

_SUBSET_OF_SPEAKER = {  # angry, happy, neutral, sad
    "1F": (28, 64, 76, 47),
    "1M": (26, 28, 128, 29),
    "2F": (31, 102, 134, 45),
    "2M": (23, 60, 150, 33),
    "3F": (62, 76, 149, 50),
    "3M": (11, 67, 260, 23),
    "4F": (27, 82, 81, 44),
    "4M": (25, 58, 88, 32),
    "5F": (67, 142, 144, 51),
    "5M": (52, 96, 165, 58),
    "6F": (53, 65, 187, 120),
    "6M": (55, 159, 171, 95),
}


def in_subset(clip: Clip) -> bool:
    """Whether a clip is one of the 3,819."""
    return clip.scenario == "S" and bool(clip.label) and clip.utterance not in EXCLUDED


def lists(clips: Sequence[Clip]) -> dict[str, list[str]]:
    """The six lists of lines whose digests are known."""
    four = [clip for clip in clips if clip.label]
    subset = [clip for clip in four if in_subset(clip)]
    return {
        "utterances": [clip.utterance for clip in clips],
        "consensus letters": _labelled(clips),
        "four-class labels": _labelled(four),
        "subset utterances": [clip.utterance for clip in subset],
        "subset labels": _labelled(subset),
        "excluded utterances": sorted(EXCLUDED.intersection(clip.utterance for clip in clips)),
    }


def _labelled(clips: Sequence[Clip]) -> list[str]:
    return [f"{clip.utterance}\t{clip.letter}" for clip in clips]


def counts(clips: Sequence[Clip]) -> dict[str, dict[str, int]]:
    """Clips per speaker, session, scenario and letter; four-class ones per class, also of the subset."""
    subset = [clip for clip in clips if in_subset(clip)]
    return {
        "class": tally(clip.label for clip in clips if clip.label),
        "speaker": tally(clip.speaker for clip in clips),
        "session": tally(session(clip.utterance) for clip in clips),
        "scenario and letter": tally(f"{clip.scenario} {clip.letter}" for clip in clips),
        "speaker and scenario": tally(f"{clip.speaker} {clip.scenario}" for clip in clips),
        "subset: class": tally(clip.label for clip in subset),
        "subset: speaker": tally(clip.speaker for clip in subset),
        "subset: speaker and class": tally(f"{clip.speaker} {clip.label}" for clip in subset),
    }


def _known_counts() -> Counts:
    letters, scenarios, subset = _LETTERS_OF_SCENARIO, _SCENARIOS_OF_SPEAKER, _SUBSET_OF_SPEAKER
    return {
        "class": {name: sum(row[i] for row in letters.values()) for i, name in enumerate(CLASSES.values())},
        "speaker": {who: sum(row) for who, row in scenarios.items()},
        "session": {number: sum(scenarios[f"{number}F"] + scenarios[f"{number}M"]) for number in "123456"},
        "scenario and letter": _cells(letters, _LETTERS),
        "speaker and scenario": _cells(scenarios, letters),
        "subset: class": {name: sum(row[i] for row in subset.values()) for i, name in enumerate(CLASSES.values())},
        "subset: speaker": {who: sum(row) for who, row in subset.items()},
        "subset: speaker and class": _cells(subset, CLASSES.values()),
    }


def _cells(table: Mapping[str, Sequence[int]], columns: Iterable[str]) -> dict[str, int]:
    names = tuple(columns)
    return {f"{row} {name}": n for row, line in table.items() for name, n in zip(names, line, strict=True) if n}


KNOWN = Known(
    lists={
        "utterances": (8438, "0f8ffa6c0b705eb763d9210189a371f1b60211935dbda7c590fbd3c02f1ab9ec"),
        "consensus letters": (8438, "b45bffcbaf803aade611dbd1a0c9888a1bf0c1546f1e7e2fb1cecadb92e743ba"),
        "four-class labels": (7798, "2793281d41cb09a359c018038eef3e7b36ba495a105d355c1b9d4e20de251020"),
        "subset utterances": (3819, "12a66106ec594f5a3609f7fd85c74868dd3dd1246f44b13c964bb14120980d0c"),
        "subset labels": (3819, "34db27187531df456dd67a3fe7680167b8ed1f0849f4594f4afc427431cca997"),
        "excluded utterances": (121, "e140c7c17ea0a3dfab6b559299069cd68a2bf10a8fa5e0bdfe39ff6ad7e0e2c8"),
    },
    counts=_known_counts(),
    utterances="utterances",
    ids={"excluded utterances": lambda: sorted(EXCLUDED)},
    labels={
        "consensus letters": {
            letter: sum(row[i] for row in _LETTERS_OF_SCENARIO.values()) for i, letter in enumerate(_LETTERS)
        }
    },
)
