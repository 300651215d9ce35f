"""Transcripts and label files of a dialogue, in the formats of the IEMOCAP release."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from extractors.demo.sound import Line

MARK = "(synthetic)"
NAMES = {
    **{"ang": "Anger", "hap": "Happiness", "exc": "Excited", "neu": "Neutral", "sad": "Sadness", "fru": "Frustration"},
    **{"sur": "Surprise", "fea": "Fear", "dis": "Disgust", "oth": "Other"},
}
MIDDLES = {
    **{"ang": (2, 4, 4), "hap": (4, 3, 3), "exc": (4, 4, 3), "neu": (3, 2, 3), "sad": (2, 2, 2), "fru": (2, 3, 3)},
    **{"sur": (3, 4, 3), "fea": (2, 4, 2), "dis": (2, 3, 3), "oth": (3, 3, 3), "xxx": (3, 3, 3)},
}
"""Valence, activation and dominance."""
UNCERTAIN = ("Frustration", "Neutral", "Surprise")
"""What three annotators say about a turn without a majority."""


def write_transcript(path: Path, lines: Sequence[Line], extra_turns: bool) -> None:
    """The words in the order of time, with one line that has no turn.

    `extra_turns` adds three turns at the end without sound and labels, as sessions 3 and 5 of the release have them:
    one of him, one of her that comes twice, the second time without words.
    """
    rows = [
        (line.start, line.end, line.turn.utterance, line.turn.text)
        for line in sorted(lines, key=lambda line: line.start)
    ]
    if extra_turns:
        dialogue, last = path.stem, max(line.end for line in lines)
        rows += [(last, last + 0.2, f"{dialogue}_MXX0", "Mm."), (last, last + 0.3, f"{dialogue}_FXX0", "Uh huh.")]
        rows += [(last + 0.1, last + 0.3, f"{dialogue}_FXX0", "")]
    text = [f"{name} [{start:08.4f}-{end:08.4f}]: {words}\n" for start, end, name, words in rows]
    text.insert(1, f"M: {MARK}\n")
    path.write_text("".join(text), encoding="ascii")


def write_evaluation(path: Path, lines: Sequence[Line], random: np.random.Generator) -> None:
    """The merged labels at `path`, all of hers before all of his, and beside it the files of single annotators."""
    dialogue, session = path.stem, lines[0].turn.session
    merged = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D] " + MARK + "\n\n"]
    single: dict[str, list[str]] = {}
    for line in sorted(lines, key=lambda line: (line.turn.sex, line.start)):
        name, code, own = line.turn.utterance, line.turn.code, f"{line.turn.sex}{session}"
        votes = dict(zip(("E2", "E3", "E4", own), _votes(code, random), strict=True))
        ratings = {rater: np.clip(MIDDLES[code] + random.integers(-1, 2, 3), 1, 5) for rater in ("E3", "E4", own)}
        values = ", ".join(f"{value:.4f}" for value in (ratings["E3"] + ratings["E4"]) / 2)
        merged.append(f"[{line.start:.4f} - {line.end:.4f}]\t{name}\t{code}\t[{values}]\n")
        for rater, vote in votes.items():
            merged.append(f"C-{rater}:\t{vote}\t{MARK if rater == 'E2' else '()'}\n")
            kind = "Categorical" if rater[0] == "E" else "Self-evaluation"
            spelt = vote.replace("Neutral;", "Neutral state;")
            single.setdefault(f"{kind}/{dialogue}_{rater.lower()}_cat.txt", []).append(f"{name} :{spelt} {MARK}\n")
        for rater, (valence, activation, dominance) in ratings.items():
            said = "" if rater == own and random.random() < 0.1 else str(dominance)
            merged.append(f"A-{rater}:\tval {valence}; act {activation}; dom  {said};\t()\n")
            kind = "Attribute" if rater[0] == "E" else "Self-evaluation"
            row = f"{name} :act {activation}; :val {valence}; :dom  {said}; {MARK}\n"
            single.setdefault(f"{kind}/{dialogue}_{rater.lower()}_atr.txt", []).append(row)
        merged.append("\n")
    path.write_text("".join(merged), encoding="ascii")
    for relative, rows in single.items():
        other = path.parent / relative
        other.parent.mkdir(exist_ok=True)
        other.write_text("".join(rows), encoding="ascii")


def _votes(code: str, random: np.random.Generator) -> list[str]:
    """Categories of three annotators and of the actor; at least two of the three agree unless `code` is xxx."""
    if code == "xxx":
        return [*(f"{name};" for name in UNCERTAIN), "Other;"]
    other = str(random.choice([name for name in NAMES.values() if name != NAMES[code]]))
    third = (f"{NAMES[code]};", f"{NAMES[code]}; {other};", f"{other};")[random.integers(3)]
    return [f"{NAMES[code]};", third, f"{NAMES[code]};", f"{NAMES[code]};"]


def write_junk(beside: Path) -> None:
    """The AppleDouble companion `._<name>` that copying through a Mac leaves behind."""
    blob = bytes.fromhex("0005160700020000") + b"synthetic".ljust(16) + bytes(32)
    beside.with_name(f"._{beside.name}").write_bytes(blob)
