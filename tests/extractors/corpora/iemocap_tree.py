"""Labels and transcripts of all 10,039 utterances with the true ids and counts; who feels and says what is made up."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

from extractors.corpora.iemocap_release import Turn, utterances
from tests.extractors.corpora.conftest import APPLE_DOUBLE, HEADER, Line, label_block

SPEAKERS = {  # angry, happy, neutral, sad of the four-class protocol
    "1F": (147, 132, 171, 78), "1M": (82, 146, 213, 116), "2F": (67, 166, 135, 113), "2M": (70, 161, 227, 84),
    "3F": (92, 128, 130, 172), "3M": (148, 158, 190, 133), "4F": (205, 185, 76, 62), "4M": (122, 118, 182, 81),
    "5F": (78, 159, 221, 132), "5M": (92, 283, 163, 113),
}  # fmt: skip
ORDER = ("ang", "hap", "exc", "sad", "neu", "fru", "sur", "fea", "dis", "oth", "xxx")
CODES = {
    "1": (229, 135, 143, 194, 384, 280, 25, 12, 1, 1, 415),
    "2": (137, 117, 210, 197, 362, 325, 17, 9, 0, 1, 436),
    "3": (240, 135, 151, 305, 320, 382, 28, 2, 1, 0, 572),
    "4": (327, 65, 238, 143, 258, 481, 19, 7, 0, 1, 564),
    "5": (170, 143, 299, 245, 384, 381, 18, 10, 0, 0, 520),
}
EXTRA_TURNS = 48
"""lines with `XX` ids, of which two come twice"""


def imitation() -> list[Turn]:
    """10,039 turns with the ids and the counts of the release; the labels are made up."""
    rng, turns = random.Random(0), []
    for session in "12345":
        left = dict(zip(ORDER, CODES[session], strict=True))
        used: list[tuple[str, str]] = []
        rest: list[str] = []
        for who in "FM":
            ids = [name for name in utterances() if name[4] == session and name[-4] == who]
            rng.shuffle(ids)
            choices = (("ang",), ("hap", "exc"), ("neu",), ("sad",))
            for size, choice in zip(SPEAKERS[session + who], choices, strict=True):
                for _ in range(size):
                    code = next(code for code in choice if left[code])
                    left[code] -= 1
                    used.append((ids.pop(), code))
            rest += ids
        used += zip(rest, [code for code, n in left.items() for _ in range(n)], strict=True)
        turns += [Turn(name, 0.0, 1.0, code) for name, code in sorted(used)]
    return turns


def write_release(root: Path) -> list[Turn]:
    """Writes the tree, with the irregular lines and junk files of the release, and returns its turns."""
    rng, turns = random.Random(1), imitation()
    talks: dict[str, list[Line]] = defaultdict(list)
    for turn in turns:
        start = rng.uniform(0, 600)
        words = rng.choice(["Well.  I know.", "[LAUGHTER] Sure.", "No! [BREATHING]", "What ]: do you   mean?"])
        talks[turn.dialogue].append(
            Line(turn.utterance.rsplit("_", 1)[1], start, start + rng.uniform(0.585, 34), turn.code, words)
        )
    extra = [f"{name}_MXX{i}" for name in sorted(talks) if name[4] in "35" for i in range(2)][: EXTRA_TURNS - 2]
    extra += extra[:2]
    for name, lines in talks.items():
        dialog = root / f"Session{name[4]}" / "dialog"
        (dialog / "EmoEvaluation" / "Categorical").mkdir(parents=True, exist_ok=True)
        (dialog / "transcriptions").mkdir(exist_ok=True)
        (dialog / "EmoEvaluation" / f"._{name}.txt").write_bytes(APPLE_DOUBLE)
        (dialog / "EmoEvaluation" / "Categorical" / f"{name}_e2_cat.txt").write_text(f"{name}_F000 :Anger; ()\n")
        by_speaker = sorted(lines, key=lambda line: line.number)
        text = HEADER + "".join(label_block(name, line) for line in by_speaker)
        (dialog / "EmoEvaluation" / f"{name}.txt").write_text(text)
        said = [
            f"{name}_{line.number} [{line.start:08.4f}-{line.end:08.4f}]: {line.text}\n"
            for line in sorted(lines, key=lambda line: line.start)
        ]
        said += [f"{turn} [001.0000-001.5000]: Mm.\n" for turn in extra if turn.startswith(f"{name}_")]
        said.insert(1, "M: Okay.\n")
        (dialog / "transcriptions" / f"{name}.txt").write_text("".join(said))
    return turns
