"""The demo corpus in the layout of MSP-IMPROV: a wav, an avi and a transcript a turn, and one file of labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.demo import plan, sound
from extractors.demo.evaluation import write_evaluation
from extractors.demo.voice import RATE_HZ

SESSIONS = 6
README = "Readme.txt"
SCENES = ("S01S", "S03A", "S05N", "S09A", "S12N", "S14S", "S15H")
"""Target sentence and target emotion; MMIN's list of 121 clips to leave out has none of these."""
LETTERS = {"ang": "A", "hap": "H", "neu": "N", "sad": "S"}
FILTERED = (("S", "X"), ("P", ""), ("S", "O"), ("T", ""), ("R", ""))
"""Scenario and letter of clips outside the usual protocol; without a letter it is one of the four classes."""
READERS = ("F02", "F03", "F05", "F06", "M01", "M02", "M03")
"""The only actors in scenario R."""
HIDDEN_FACES = (7,)
RATES_HZ = (44_100, 48_000)
DOUBLE_RATE_SHARE = 0.25
"""Of the films; the release seems to have films of 29.97 and of 59.94 pictures a second."""


def script(seed: int, sessions: int, utterances_per_speaker: int) -> list[plan.Turn]:
    """All turns, speaker by speaker; three quarters of `utterances_per_speaker` are kept, rounded down to full
    quartets of the four classes, but one quartet at least.
    """
    quartets = max(1, utterances_per_speaker * 3 // 16)
    turns: list[plan.Turn] = []
    for session in range(1, sessions + 1):
        random = np.random.default_rng([seed, session, 1])
        clips = {sex: _clips(session, sex, quartets, random) for sex in "FM"}
        draws = plan.draw(sum(map(len, clips.values())), random)
        for sex, own in clips.items():
            turns += _turns(session, sex, own, draws, random)
    return plan.hide(turns, HIDDEN_FACES)


def _clips(session: int, sex: str, quartets: int, random: np.random.Generator) -> list[tuple[str, str]]:
    """Scenario and letter of a speaker's clips: first the kept ones, shuffled, then the filtered ones."""
    clips = [("S", str(letter)) for letter in random.permutation([*LETTERS.values()] * quartets)]
    first = plan.FILTERED_PER_SPEAKER * (2 * session + (sex == "M"))
    for place in range(first, first + plan.FILTERED_PER_SPEAKER):
        scenario, letter = FILTERED[place % len(FILTERED)]
        if scenario == "R" and f"{sex}{session:02d}" not in READERS:
            scenario = "P"
        clips.append((scenario, letter or str(random.choice([*LETTERS.values()]))))
    return clips


def _turns(
    session: int, sex: str, clips: Sequence[tuple[str, str]], draws: plan.Draws, random: np.random.Generator
) -> list[plan.Turn]:
    """A speaker's turns in all scenes, in both roles of the pair; the two speakers begin with different scenes."""
    classes = {letter: emotion for emotion, letter in LETTERS.items()}
    numbers: Counter[str] = Counter()
    turns = []
    for place, (scenario, letter) in enumerate(clips, 3 * (sex == "M")):
        lead, partner = (sex, "FM".replace(sex, "")) if scenario == "T" else ("FM", "MF")[place % 2]
        pair = sex + sex if scenario == "R" else lead + partner
        stream = f"MSP-IMPROV-{SCENES[place % len(SCENES)]}-{sex}{session:02d}-{scenario}-{pair}"
        numbers[stream] += 2 if letter == "X" else 1  # streams of the release have gaps, too
        emotion4 = classes.get(letter, "")
        kept = scenario == "S" and bool(emotion4)
        utterance = f"{stream}{numbers[stream]:02d}"
        turns.append(plan.perform(utterance, session, sex, letter, emotion4, kept, draws, random))
    return turns


def group(turn: plan.Turn) -> str:
    """The speaker."""
    return turn.speaker


def prepare(root: Path, turns: Sequence[plan.Turn]) -> None:
    """Labels and transcripts; a transcript holds the words alone, so that only there nothing says synthetic."""
    root.joinpath(README).write_text(plan.ABOUT.format("MSP-IMPROV"), encoding="ascii")
    write_evaluation(root / "Evaluation.txt", turns)
    transcripts = root / "Human_transcriptions" / "All_human_transcriptions"
    transcripts.mkdir(parents=True)
    for turn in turns:
        transcripts.joinpath(f"{turn.utterance}.txt").write_text(f"{turn.text}\n", encoding="ascii")


def write(root: Path, turns: Sequence[plan.Turn], sounds: Sequence[NDArray[np.float32]], seed: int) -> list[plan.Row]:
    """Rows of the truth for one speaker, whose wavs and films are then written."""
    from extractors.demo.face import Actor
    from extractors.demo.film import FRAMES_PER_SECOND, Camera, Screen, write_film

    actor = Actor(turns[0].speaker, seed)
    screen = Screen(height=288, width=352, top=4, lefts=(2,))
    rows = []
    for turn, said in zip(turns, sounds, strict=True):
        _, _, scene, _, scenario, _ = turn.utterance.split("-")
        random = np.random.default_rng([turn.seed, 3])
        line = sound.Line(turn, 0.0, round(len(said) / RATE_HZ, 4), said)
        heard = sound.recorded(said.astype(float), random)
        wav, avi = (
            root / kind / f"session{turn.session}" / scene / scenario / f"{turn.utterance}.{ending}"
            for kind, ending in (("Audio", "wav"), ("Video", "avi"))
        )
        for path in (wav, avi):
            path.parent.mkdir(parents=True, exist_ok=True)
        rate_hz = int(random.choice(RATES_HZ))
        sound.write_wav(wav, sound.resampled(heard, rate_hz), rate_hz)
        times = 2 if random.random() < DOUBLE_RATE_SHARE else 1
        write_film(avi, screen, [Camera(actor, [line], random)], heard, times * FRAMES_PER_SECOND)
        rows.append(plan.truth(turn, line.start, line.end, "full"))
    return rows
