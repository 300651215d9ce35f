"""The demo corpus in the layout of IEMOCAP: dialogues on one time line, with a split-screen film of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.demo import annotation, plan, sound

SESSIONS = 5
README = "README.txt"
OTHER_CODES = ("fru", "xxx", "sur", "fea", "fru", "xxx", "dis", "oth")
"""Codes the four-class protocol leaves out."""
HIDDEN_FACES = (7, 61, 123)


def dialogues(session: int) -> list[str]:
    """Names of a session's dialogues: both marker letters, improvised and scripted; a and b in session 3."""
    improvised = {3: ("05a", "05b")}.get(session, ("05",))
    scripted = {5: ("01_1", "01_1b")}.get(session, ("01_1",))
    tails = [("F", "impro01"), ("F", "script02_1")]
    tails += [("M", f"impro{tail}") for tail in improvised] + [("M", f"script{tail}") for tail in scripted]
    return [f"Ses{session:02d}{letter}_{tail}" for letter, tail in tails]


def script(seed: int, sessions: int, utterances_per_speaker: int) -> list[plan.Turn]:
    """All turns, dialogue by dialogue in the order of speaking; classes are balanced within each speaker."""
    turns: list[plan.Turn] = []
    for session in range(1, sessions + 1):
        random = np.random.default_rng([seed, session])
        names = dialogues(session)
        codes = {sex: _codes(session, sex, utterances_per_speaker, random) for sex in "FM"}
        draws = plan.draw(sum(map(len, codes.values())), random)
        for place, name in enumerate(names):
            share = {sex: codes[sex][place :: len(names)] for sex in "FM"}
            turns += _talk(name, session, share, draws, random)
    return plan.hide(turns, HIDDEN_FACES)


def _codes(session: int, sex: str, count: int, random: np.random.Generator) -> list[str]:
    """A speaker's label codes, shuffled; half of the happy ones are called `exc`."""
    kept = [plan.CLASSES[place % 4] for place in range(count)]
    kept = ["exc" if code == "hap" and place % 8 > 3 else code for place, code in enumerate(kept)]
    first = plan.FILTERED_PER_SPEAKER * (2 * session + (sex == "M"))
    others = [OTHER_CODES[(first + place) % len(OTHER_CODES)] for place in range(plan.FILTERED_PER_SPEAKER)]
    return [str(code) for code in random.permutation(kept + others)]


def _talk(
    name: str, session: int, codes: dict[str, list[str]], draws: plan.Draws, random: np.random.Generator
) -> list[plan.Turn]:
    """The two speakers take turns until both have nothing left to say."""
    turns = []
    for number in range(max(len(codes["F"]), len(codes["M"]))):
        for sex in "FM":
            if number < len(codes[sex]):
                code = codes[sex][number]
                emotion4 = "hap" if code == "exc" else code if code in plan.CLASSES else ""
                utterance = f"{name}_{sex}{number:03d}"
                turns.append(plan.perform(utterance, session, sex, code, emotion4, bool(emotion4), draws, random))
    return turns


def group(turn: plan.Turn) -> str:
    """Name of the dialogue that a turn belongs to."""
    return turn.utterance.rsplit("_", 1)[0]


def half(turn: plan.Turn) -> str:
    """Half of the picture with the speaker: left for the actor with the markers."""
    return "left" if turn.utterance[5] == turn.sex else "right"


def prepare(root: Path, turns: Sequence[plan.Turn]) -> None:
    """The files that belong to no dialogue."""
    root.joinpath(README).write_text(plan.ABOUT.format("IEMOCAP"), encoding="ascii")


def write(root: Path, turns: Sequence[plan.Turn], sounds: Sequence[NDArray[np.float32]], seed: int) -> list[plan.Row]:
    """Rows of the truth for one dialogue, all of whose files are then written."""
    name, session = group(turns[0]), turns[0].session
    random = np.random.default_rng([turns[0].seed, seed, 3])
    lines = sound.lay_out(turns, sounds, random)
    both = sound.channels(lines, random)
    folder = root / f"Session{session}"
    dialog, sentences = folder / "dialog", folder / "sentences" / "wav" / name
    paths = [dialog / "avi" / "DivX" / f"{name}.avi", dialog / "wav" / f"{name}.wav"]
    paths += [dialog / "transcriptions" / f"{name}.txt", dialog / "EmoEvaluation" / f"{name}.txt"]
    paths += [sentences / f"{line.turn.utterance}.wav" for line in lines]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
    write_film(paths[0], lines, both, seed, random)
    sound.write_wav(paths[1], both)
    first, last = (dialogues(session)[place] == name for place in (0, -1))
    annotation.write_transcript(paths[2], lines, extra_turns=last and session in (3, 5))
    annotation.write_evaluation(paths[3], lines, random)
    for path, line in zip(paths[4:], lines, strict=True):
        sound.write_wav(path, both["FM".index(line.turn.sex), line.samples])
    for path in paths[:5] if first else ():
        annotation.write_junk(path)
    return [plan.truth(line.turn, line.start, line.end, half(line.turn)) for line in lines]


def write_film(
    path: Path, lines: Sequence[sound.Line], both: NDArray[np.int16], seed: int, random: np.random.Generator
) -> None:
    """Film of the dialogue `path` is named after: the actor with the markers on the left, the other on the right."""
    from extractors.demo.face import Actor
    from extractors.demo.film import FRAMES_PER_SECOND, Camera, Screen, write_film

    markers = path.stem[5]
    cameras = [
        Camera(Actor(f"{lines[0].turn.session}{sex}", seed), [line for line in lines if line.turn.sex == sex], random)
        for sex in (markers, "F" if markers == "M" else "M")
    ]
    mixed = (both.astype(np.int32).sum(0) // 2).astype(np.int16)
    screen = Screen(height=480, width=720, top=122, lefts=(6, 366))
    write_film(path, screen, cameras, mixed, FRAMES_PER_SECOND)
