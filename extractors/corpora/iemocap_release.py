"""Known figures of the IEMOCAP release, and the same figures of whatever labels were found.

The figures and digests were gathered from public derived lists that agree with one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from extractors.corpora.reference import Counts, Known, tally

CLASSES = {"ang": "angry", "hap": "happy", "exc": "happy", "neu": "neutral", "sad": "sad"}
"""Label codes of the four-class protocol; excitement counts as happiness, other codes are not used."""

_SHORT = {"angry": "ang", "happy": "hap", "neutral": "neu", "sad": "sad"}

_SCRIPTS = ("script01_1", "script01_2", "script01_3", "script02_1", "script02_2", "script03_1", "script03_2")

# Utterances of the improvised dialogues, then of the seven scripts.
_UTTERANCES = {
    "Ses01F": "30 38 52 71 67 47 37 | 89 33 75 71 98 71 82",
    "Ses01M": "65 48 53 52 70 60 69 | 87 33 75 72 103 85 86",
    "Ses02F": "49 27 58 39 45 35 74 48 | 90 38 67 68 93 66 92",
    "Ses02M": "48 34 61 41 60 43 63 63 | 88 37 67 68 94 64 91",
    "Ses03F": "24 76 47 48 33 53 72 57 | 108 41 83 67 99 61 89",
    "Ses03M": "56 76 84 75 60 66 54 51 64 48 | 95 38 82 68 97 71 93",
    "Ses04F": "49 52 104 69 45 26 167 58 | 91 41 79 66 99 68 91",
    "Ses04M": "47 68 58 43 89 41 84 60 | 89 41 66 56 81 65 110",
    "Ses05F": "49 81 130 91 100 56 77 67 | 83 36 68 55 81 68 86",
    "Ses05M": "47 58 66 81 45 32 95 58 | 80 35 71 55 80 67 91",
}
# Those of them that the woman speaks, counted over a public list of all ids (MrCrowbar/Speech_Emotion_Recognition,
# data/pre-processed/df_iemocap.csv); numbers run from 000 without gaps, so that these give every id.
_SPOKEN_BY_HER = {
    "Ses01F": "16 21 27 34 31 29 17 | 45 15 36 26 48 32 41",
    "Ses01M": "31 22 27 26 38 29 35 | 44 15 31 25 48 42 42",
    "Ses02F": "24 14 31 18 23 15 38 28 | 45 19 30 23 46 31 44",
    "Ses02M": "25 15 29 18 31 19 30 31 | 42 18 29 23 47 30 43",
    "Ses03F": "12 44 25 27 18 36 36 30 | 54 22 36 22 53 29 44",
    "Ses03M": "26 38 43 33 29 32 21 24 36 25 | 47 20 35 23 50 32 46",
    "Ses04F": "23 25 53 34 20 11 80 26 | 45 22 31 23 48 31 45",
    "Ses04M": "22 32 26 19 43 20 40 31 | 44 21 28 22 38 31 53",
    "Ses05F": "24 39 61 47 46 30 40 34 | 42 18 27 20 39 34 42",
    "Ses05M": "24 25 32 39 22 11 47 29 | 39 18 28 21 39 32 45",
}
_SPLIT_IMPROVISATIONS = {"Ses03M": ("1", "2", "3", "4", "5a", "5b", "6", "7", "8a", "8b")}
_EXTRA = "Ses05M_script01_1b"
_EXTRA_SIZE, _EXTRA_BY_HER = 81, 39

_CODES = ("ang", "hap", "exc", "sad", "neu", "fru", "sur", "fea", "dis", "oth", "xxx")
_CODES_OF_SESSION = {
    "1": (229, 135, 143, 194, 384, 280, 25, 12, 1, 1, 415),
    "2": (137, 117, 210, 197, 362, 325, 17, 9, 0, 1, 436),
    "3": (240, 135, 151, 305, 320, 382, 28, 2, 1, 0, 572),
    "4": (327, 65, 238, 143, 258, 481, 19, 7, 0, 1, 564),
    "5": (170, 143, 299, 245, 384, 381, 18, 10, 0, 0, 520),
}

_CLASSES_OF_SPEAKER = {  # angry, happy, neutral, sad
    "1F": (147, 132, 171, 78),
    "1M": (82, 146, 213, 116),
    "2F": (67, 166, 135, 113),
    "2M": (70, 161, 227, 84),
    "3F": (92, 128, 130, 172),
    "3M": (148, 158, 190, 133),
    "4F": (205, 185, 76, 62),
    "4M": (122, 118, 182, 81),
    "5F": (78, 159, 221, 132),
    "5M": (92, 283, 163, 113),
}


@dataclass(frozen=True)
class Turn:
    """One label line: times in seconds, the code as written and the mean ratings as stored (None where unreadable)."""

    utterance: str
    start: float
    end: float
    code: str
    valence: float | None = None
    activation: float | None = None
    dominance: float | None = None

    @property
    def dialogue(self) -> str:
        """The id without its last token, which is of one length while dialogues are not."""
        return self.utterance.rsplit("_", 1)[0]

    @property
    def session(self) -> str:
        """`1` to `5`."""
        return self.utterance[4]

    @property
    def speaker(self) -> str:
        """`1F`: the person speaking, not the one with the markers."""
        return self.session + self.utterance.rsplit("_", 1)[1][0]

    @property
    def label(self) -> str:
        """Class of the four-class protocol, or an empty string."""
        return CLASSES.get(self.code, "")


def dialogues() -> dict[str, int]:
    """The 151 dialogues and their numbers of utterances."""
    return dict(sorted((_sizes(_UTTERANCES) | {_EXTRA: _EXTRA_SIZE}).items()))


def utterances() -> list[str]:
    """The 10,039 ids."""
    by_her = _sizes(_SPOKEN_BY_HER) | {_EXTRA: _EXTRA_BY_HER}
    counts = ((name, {"F": by_her[name], "M": size - by_her[name]}) for name, size in dialogues().items())
    return [f"{name}_{who}{i:03d}" for name, spoken in counts for who, size in spoken.items() for i in range(size)]


def _sizes(table: dict[str, str]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for start, line in table.items():
        improvised, scripted = (part.split() for part in line.split("|"))
        numbers = _SPLIT_IMPROVISATIONS.get(start) or [str(number + 1) for number in range(len(improvised))]
        sizes |= {f"{start}_impro0{number}": int(n) for number, n in zip(numbers, improvised, strict=True)}
        sizes |= {f"{start}_{script}": int(n) for script, n in zip(_SCRIPTS, scripted, strict=True)}
    return sizes


def lists(turns: Sequence[Turn]) -> dict[str, list[str]]:
    """The five lists of lines whose digests are known."""
    four = [turn for turn in turns if turn.label]
    return {
        "dialogues": sorted({turn.dialogue for turn in turns}),
        "utterances": [turn.utterance for turn in turns],
        "codes": [f"{turn.utterance}\t{turn.code}" for turn in turns],
        "four-class utterances": [turn.utterance for turn in four],
        "four-class labels": [f"{turn.utterance}\t{_SHORT[turn.label]}" for turn in four],
    }


def counts(turns: Sequence[Turn]) -> dict[str, dict[str, int]]:
    """Labelled utterances per session, code and dialogue; four-class ones per class and speaker."""
    four = [turn for turn in turns if turn.label]
    return {
        "class": tally(turn.label for turn in four),
        "speaker": tally(turn.speaker for turn in four),
        "session": tally(turn.session for turn in turns),
        "speaker and class": tally(f"{turn.speaker} {turn.label}" for turn in four),
        "session and code": tally(f"{turn.session} {turn.code}" for turn in turns),
        "dialogue": tally(turn.dialogue for turn in turns),
    }


def _known_counts() -> Counts:
    sizes = dialogues()
    words = tuple(_SHORT)
    classes = {
        f"{who} {word}": n for who, row in _CLASSES_OF_SPEAKER.items() for word, n in zip(words, row, strict=True)
    }
    codes = {f"{s} {code}": n for s, row in _CODES_OF_SESSION.items() for code, n in zip(_CODES, row, strict=True) if n}
    return {
        "class": {word: sum(row[i] for row in _CLASSES_OF_SPEAKER.values()) for i, word in enumerate(words)},
        "speaker": {who: sum(row) for who, row in _CLASSES_OF_SPEAKER.items()},
        "session": {session: sum(row) for session, row in _CODES_OF_SESSION.items()},
        "speaker and class": classes,
        "session and code": codes,
        "dialogue": sizes,
    }


KNOWN = Known(
    lists={
        "dialogues": (151, "3da946931dc2fd62230bb40077a30f825576de58f595b65ab50ca47c934104e6"),
        "utterances": (10039, "80f461d4705a3e57fd2793dc3715956c43bba948acb58f990fbf77f0f604381b"),
        "codes": (10039, "bdf4b52fb86863082bc2f57b861d2e56dd565216af2fd20a8823fb283c263145"),
        "four-class utterances": (5531, "1e6f2774e81323e857fc42554759b78734f8cd2b1e0e360e3e87fd65e4bcc835"),
        "four-class labels": (5531, "0dd97b1e217cca349939ab32d5ecc7d9f028c78650db747690e1496349e01319"),
    },
    counts=_known_counts(),
    utterances="utterances",
    ids={"utterances": utterances},
    labels={"codes": {code: sum(row[i] for row in _CODES_OF_SESSION.values()) for i, code in enumerate(_CODES)}},
)
