"""A writer of trees in the layout of MSP-IMPROV: small ones clip by clip, and labels with the counts of the release."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path

import numpy as np
import soundfile

from extractors.corpora import Listing, msp_improv
from extractors.corpora.msp_improv_release import EXCLUDED
from extractors.settings import MspImprov
from tests.extractors.corpora.conftest import APPLE_DOUBLE, picture_file

FIRST, SECOND, THIRD = (f"MSP-IMPROV-S01A-{clip}" for clip in ("F01-S-FM01", "M01-S-FM02", "F02-S-MF01"))

NO_FILE = "no file but a folder, a device or a broken link"

VALUES = "A:3.400000; V:3.000000; D:2.600000 ; N:3.600000;"
RATER = "W_77ab; Happy; ; A:4.000000; V:4.000000; D:3.000000; N:3.000000;"
LACKING = RATER.replace("D:3.000000", "D:NaN")
RATERS = (
    "rater01-p; Neutral; Neutral,Happy; A:3.000000; V:3.000000; D:3.000000; N:4.000000;",
    "W_c4_5; Other; bored; a bit [tense]; A:?; A:3.000000; V:2.000000; D:1.000000; N:5.000000;",
    "W_0197da; Sad; Depressed,Frustrated; A:5.000000; V:1.000000; D:2.000000; N:4.000000;",
    "W_1b9da3; Angry; Disgusted; A:1.000000; V:1.000000; D:5.000000; N:2.000000;",
    RATER,
)

LETTERS = {  # clips of the release per scenario: A H N S O X
    "T": (115, 136, 283, 106, 1, 11),
    "R": (169, 88, 241, 80, 3, 39),
    "S": (470, 1048, 1789, 633, 70, 371),
    "P": (38, 1372, 1164, 66, 11, 134),
}
SCENARIOS = {  # per actor: P R S T, all
    "F01": (166, 0, 234, 40, 440),
    "F02": (234, 90, 352, 62, 738),
    "F03": (413, 90, 405, 45, 953),
    "F04": (226, 0, 263, 60, 549),
    "F05": (148, 95, 451, 60, 754),
    "F06": (140, 80, 517, 60, 797),
    "M01": (180, 100, 229, 40, 549),
    "M02": (250, 80, 304, 60, 694),
    "M03": (286, 85, 408, 45, 824),
    "M04": (274, 0, 230, 60, 564),
    "M05": (264, 0, 427, 60, 751),
    "M06": (204, 0, 561, 60, 825),
}
SUBSET = {  # of the 3,819 per actor: A H N S, all
    "F01": (28, 64, 76, 47, 215),
    "F02": (31, 102, 134, 45, 312),
    "F03": (62, 76, 149, 50, 337),
    "F04": (27, 82, 81, 44, 234),
    "F05": (67, 142, 144, 51, 404),
    "F06": (53, 65, 187, 120, 425),
    "M01": (26, 28, 128, 29, 211),
    "M02": (23, 60, 150, 33, 266),
    "M03": (11, 67, 260, 23, 361),
    "M04": (25, 58, 88, 32, 203),
    "M05": (52, 96, 165, 58, 371),
    "M06": (55, 159, 171, 95, 480),
}
EXCLUDED_LETTERS = (10, 49, 56, 6)


def block(name: str, letter: str, raters: Sequence[str] = RATERS, values: str = VALUES) -> str:
    """One clip of an evaluation file and the empty line after it."""
    return "\n".join([f"UTD-{name.removeprefix('MSP-')}.avi; {letter}; {values}", *raters, "", ""])


class MspTree:
    """A corpus folder that grows clip by clip, with the junk that real copies have; `split` has Audio/ and Video/."""

    def __init__(self, root: Path, split: bool = True, labels: str = "Evaluation.txt") -> None:
        self.root, self.split = root, split
        self.labels = root / labels
        self.labels.parent.mkdir(parents=True)
        self.labels.touch()
        (root / "._Evaluation.txt").write_bytes(APPLE_DOUBLE)

    def media(self, name: str, suffix: str) -> Path:
        _, _, scene, actor, scenario, _ = name.split("-")
        top = {"wav": "Audio", "avi": "Video"}[suffix] if self.split else "."
        return self.labels.parent / top / f"session{actor[2]}" / scene / scenario / f"{name}.{suffix}"

    def words(self, name: str) -> Path:
        return self.labels.parent / "Human_transcriptions" / "All_human_transcriptions" / f"{name}.txt"

    def clip(self, name: str, letter: str = "N", text: str | None = "Hello  there.", media: int = 0) -> None:
        """Labels and transcript (none if None); with `media`, a sampling rate, also 0.1 s of sound and two pictures."""
        self.label(block(name, letter))
        if text is not None:
            self.words(name).parent.mkdir(parents=True, exist_ok=True)
            self.words(name).write_text(f"{text}\n")
        if media:
            for suffix in ("wav", "avi"):
                path = self.media(name, suffix)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.with_name(f"._{path.name}").write_bytes(APPLE_DOUBLE)
            soundfile.write(self.media(name, "wav"), np.zeros(media // 10), media, "PCM_16")
            picture_file(self.media(name, "avi"))

    def label(self, text: str) -> None:
        with self.labels.open("a") as stream:
            stream.write(text)


def listing(root: Path, sessions: str = "123456", subset: str = "mmin") -> Listing:
    """What is read from a corpus folder."""
    corpus = MspImprov.model_validate({"type": "msp_improv", "root": str(root), "subset": subset})
    return msp_improv.read(corpus, tuple(sessions))


def reasons(found: Listing) -> dict[str, tuple[str, str]]:
    """Stage and reason of every rejected id, of which there must be no two."""
    rows: dict[str, tuple[str, str]] = {row.utterance: (row.stage, row.reason) for row in found.rejected}
    assert len(rows) == len(found.rejected)
    return rows


def remarks(found: Listing) -> set[tuple[str, str, str]]:
    """Id, stage and text of the remarks."""
    return {(row.utterance, row.stage, row.remark) for row in found.remarks}


def _names(actor: str, scenario: str) -> Iterator[str]:
    """Made-up ids in the pattern of the release, none of an excluded clip."""
    pairs = {"R": [actor[0] * 2], "T": ["FM" if actor[0] == "F" else "MF"]}.get(scenario, ["FM", "MF"])
    for turn in count(1):
        for sentence in range(1, 21 if scenario == "R" else 16):
            for scene in (f"S{sentence:02d}{emotion}" for emotion in "AHNS"):
                names = (f"MSP-IMPROV-{scene}-{actor}-{scenario}-{pair}{turn:02d}" for pair in pairs)
                yield from (name for name in names if name not in EXCLUDED)


def release_letters() -> dict[str, str]:
    """Letters of 8,438 clips with the counts of the release; which clip has which is made up."""
    rng, letters = random.Random(0), dict[str, str]()
    left = {scenario: Counter(dict(zip("AHNSOX", row, strict=True))) for scenario, row in LETTERS.items()}
    listed = sorted(EXCLUDED)
    rng.shuffle(listed)
    letters.update(zip(listed, "".join(s * n for s, n in zip("AHNS", EXCLUDED_LETTERS, strict=True)), strict=True))
    later: dict[str, list[str]] = {scenario: [] for scenario in "PRST"}
    for actor, row in SCENARIOS.items():
        for scenario, size in zip("PRST", row[:4], strict=True):
            excluded = sum(scenario == "S" and f"-{actor}-" in name for name in listed)
            names = list(islice(_names(actor, scenario), size - excluded))
            if scenario == "S":
                known = "".join(letter * n for letter, n in zip("AHNS", SUBSET[actor][:4], strict=True))
                letters.update(zip(names, known, strict=False))
                names = names[len(known) :]
            later[scenario] += names
    left["S"] -= Counter(letters.values())
    for scenario, names in later.items():
        rng.shuffle(names)
        letters.update(zip(names, left[scenario].elements(), strict=True))
    return dict(sorted(letters.items()))


def release_tree(root: Path) -> tuple[MspTree, dict[str, set[str]]]:
    """Labels and transcripts of a whole release, and the clips that are odd by the kind of oddity."""
    rng, tree, letters = random.Random(1), MspTree(root), release_letters()
    wordless = rng.sample(sorted(letters), 272)
    odd = {kind: set(wordless[i::3]) for i, kind in enumerate(("missing", "empty", "blank"))}
    odd["latin-1"] = set(rng.sample(sorted(letters.keys() - set(wordless)), 20))
    odd |= {kind: set(rng.sample(sorted(letters), 200)) for kind in ("no mean", "no value", "repeated", "damaged")}
    blocks = []
    tree.words("x").parent.mkdir(parents=True)
    for name, letter in letters.items():
        raters = rng.sample(RATERS, 5)
        raters += [LACKING] * (name in odd["no value"]) + raters[:1] * (name in odd["repeated"])
        raters += ["W_9; Sad; cut off; A:3.0000"] * (name in odd["damaged"])
        values = VALUES.replace("N:3.600000", "N:NaN") if name in odd["no mean"] else VALUES
        blocks.append(block(name, letter, raters, values))
        if name not in odd["missing"]:
            words = {"empty": b"", "blank": b" \t\r\n \n", "latin-1": b"The caf\xe9?\n"}
            kind = next((kind for kind in words if name in odd[kind]), "")
            tree.words(name).write_bytes(words.get(kind, b"Hello  there.\n"))
    tree.label("".join(blocks))
    return tree, odd
