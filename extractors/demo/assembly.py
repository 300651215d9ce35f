"""The whole demo: a corpus in the layout of IEMOCAP, two encoder checkpoints, and the truth behind the corpus."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.console import LOG, progress
from extractors.demo import annotation, plan, sound, voice
from extractors.files import UserError, read_json, write_csv, write_json
from extractors.fingerprint import code_fingerprint

PARTS = ("iemocap", "bert", "wav2vec2", "iemocap.truth.csv")
RECORD = "demo.json"
ORIGIN = "synthetic"
LIBRARIES = ("av", "espeakng-loader", "numpy", "pillow", "scikit-image", "scipy", "torch", "transformers")
COLUMNS = (
    *("utterance", "session", "speaker", "emotion", "emotion4", "kept", "text", "start", "end", "half", "face_visible"),
    *("word_shows", "voice_shows", "face_shows", "origin"),
)
README = """This corpus is synthetic: the program made it up from templates (voices of eSpeak NG, drawn faces).

It has the layout and the file formats of IEMOCAP, so that the pipeline can be tried without a licensed corpus.
Nothing that is measured on it says anything about IEMOCAP.
The faces are variations of one portrait in the public domain (NASA, comes with scikit-image).
"""
Row = dict[str, object]


def build(out: Path, seed: int = 0, sessions: int = 5, utterances_per_speaker: int = 16, jobs: int = 2) -> None:
    """Nothing; `out` then holds PARTS and, written last, demo.json.

    Every byte depends on the other arguments only, never on `jobs`, the number of processes. Returns at once when
    `out/demo.json` has the fingerprint of these settings and of the code. A build that was killed leaves only a
    hidden folder beside `out`, which the next one clears away. UserError when one of PARTS stands in `out` and does
    not say that it is synthetic.
    """
    record = _record(seed, sessions, utterances_per_speaker)
    if out.joinpath(RECORD).is_file() and read_json(out / RECORD) == record:
        LOG.info("%s is up to date", out)
        return
    _refuse_foreign(out)
    draft = out.absolute().parent / f".{out.name}.building"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    _build_parts(draft, plan.script(seed, sessions, utterances_per_speaker), seed, jobs)
    out.mkdir(exist_ok=True)
    out.joinpath(RECORD).unlink(missing_ok=True)
    for name in PARTS:
        if out.joinpath(name).is_dir():
            shutil.rmtree(out / name)
        draft.joinpath(name).replace(out / name)
    draft.rmdir()
    write_json(out / RECORD, record)
    LOG.info("%s is complete", out)


def _record(seed: int, sessions: int, utterances_per_speaker: int) -> dict[str, object]:
    record: dict[str, object] = {
        "origin": ORIGIN,
        "settings": {"seed": seed, "sessions": sessions, "utterances_per_speaker": utterances_per_speaker},
        "versions": {name: version(name) for name in LIBRARIES},
        "code": code_fingerprint(__name__),
    }
    return {**record, "fingerprint": hashlib.sha256(json.dumps(record).encode()).hexdigest()[:16]}


def _refuse_foreign(out: Path) -> None:
    signs = {"iemocap": "README.txt", "bert": "config.json", "wav2vec2": "config.json"}
    for name, sign in signs.items():
        path = out / name / sign
        if out.joinpath(name).exists() and not (path.is_file() and ORIGIN in path.read_text(encoding="utf-8")):
            raise UserError(f"{out / name}: was not made by this command; give another --out, or move it away")


def _build_parts(draft: Path, turns: Sequence[plan.Turn], seed: int, jobs: int) -> None:
    root = draft / "iemocap"
    root.mkdir()
    root.joinpath("README.txt").write_text(README, encoding="ascii")
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        checkpoints = pool.submit(_checkpoints, draft, seed)
        sounds = iter(voice.say_all(turns, seed))
        talks = [list(group) for _, group in groupby(turns, lambda turn: turn.dialogue)]
        films = [pool.submit(_dialogue, root, talk, [next(sounds) for _ in talk], seed) for talk in talks]
        rows = [row for film in progress(films, "demo corpus", "dialogue") for row in film.result()]
        checkpoints.result()
    write_csv(draft / "iemocap.truth.csv", COLUMNS, sorted(rows, key=lambda row: str(row["utterance"])))


def _checkpoints(draft: Path, seed: int) -> None:
    from extractors.demo.checkpoints import build_checkpoints

    build_checkpoints(draft, seed)


def _dialogue(root: Path, turns: Sequence[plan.Turn], sounds: Sequence[NDArray[np.float32]], seed: int) -> list[Row]:
    """Rows of the truth for one dialogue, all of whose files are then written."""
    import torch

    from extractors.demo.film import write_film

    torch.set_num_threads(1)
    name, session = turns[0].dialogue, turns[0].session
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
    first, last = (plan.dialogues(session)[place] == name for place in (0, -1))
    annotation.write_transcript(paths[2], lines, extra_turns=last and session in (3, 5))
    annotation.write_evaluation(paths[3].parent, lines, random)
    for path, line in zip(paths[4:], lines, strict=True):
        sound.write_wav(path, both["FM".index(line.turn.sex), line.samples])
    for path in paths[:5] if first else ():
        annotation.write_junk(path)
    return [_truth(line) for line in lines]


def _truth(line: sound.Line) -> Row:
    turn = line.turn
    cues = {"word_shows": turn.word, "voice_shows": turn.voice, "face_shows": turn.face}
    return {
        **{"utterance": turn.utterance, "session": turn.session, "speaker": turn.speaker},
        **{"emotion": turn.code, "emotion4": turn.emotion4, "kept": int(bool(turn.emotion4)), "text": turn.text},
        **{"start": line.start, "end": line.end, "half": turn.half, "face_visible": int(turn.face_visible)},
        **{name: f"{cue.emotion} {cue.strength:.2f}" for name, cue in cues.items()},
        "origin": ORIGIN,
    }
