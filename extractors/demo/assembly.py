"""The whole demo: a corpus in each layout, two encoder checkpoints, and the truth behind the corpora."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from extractors.console import LOG, progress
from extractors.demo import iemocap, msp_improv, voice
from extractors.demo.plan import ORIGIN, TRUTH_COLUMNS, Row, Turn
from extractors.files import UserError, read_json, write_csv, write_json
from extractors.fingerprint import code_fingerprint


class Layout(Protocol):
    """A module that knows the names and files of one corpus; README is a file in it that says it is synthetic."""

    SESSIONS: int
    README: str

    def script(self, seed: int, sessions: int, utterances_per_speaker: int) -> list[Turn]:
        """All turns; those of one group follow one another."""
        ...

    def group(self, turn: Turn) -> str:
        """Name of what is written together with the turn."""
        ...

    def prepare(self, root: Path, turns: Sequence[Turn]) -> None:
        """Write the files that belong to no group."""
        ...

    def write(self, root: Path, turns: Sequence[Turn], sounds: Sequence[NDArray[np.float32]], seed: int) -> list[Row]:
        """Rows of the truth for one group, all of whose files are then written."""
        ...


LAYOUTS: dict[str, Layout] = {"iemocap": iemocap, "msp_improv": msp_improv}
SIGNS = {name: layout.README for name, layout in LAYOUTS.items()} | dict.fromkeys(("bert", "wav2vec2"), "config.json")
"""Folders of the demo, with a file in each that says it is synthetic."""
TRUTH = {name: f"{name}.truth.csv" for name in LAYOUTS}
PARTS = (*SIGNS, *TRUTH.values())
RECORD = "demo.json"
LIBRARIES = ("av", "espeakng-loader", "numpy", "pillow", "scikit-image", "scipy", "torch", "transformers")


def build(
    out: Path, seed: int = 0, sessions: int | None = None, utterances_per_speaker: int = 16, jobs: int = 2
) -> None:
    """Nothing; `out` then holds PARTS and, written last, demo.json.

    `sessions` (1 to 5) is the number of sessions in each corpus; without it every corpus has all its own. Every byte
    depends on the other arguments only, never on `jobs`, the number of processes. Returns at once when
    `out/demo.json` has the fingerprint of these settings and of the code. A build that was killed leaves only a
    hidden folder beside `out`, which the next one clears away. UserError when one of PARTS stands in `out` and does
    not say that it is synthetic.
    """
    if sessions not in (None, 1, 2, 3, 4, 5) or utterances_per_speaker < 1:
        raise ValueError(f"{sessions} sessions and {utterances_per_speaker} utterances: expected 1-5 and at least 1")
    record = _record(seed, sessions, utterances_per_speaker)
    if out.joinpath(RECORD).is_file() and read_json(out / RECORD) == record:
        LOG.info("%s is up to date", out)
        return
    _refuse_foreign(out)
    draft = out.absolute().parent / f".{out.name}.building"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    _build_parts(draft, scripts(seed, sessions, utterances_per_speaker), seed, jobs)
    out.mkdir(exist_ok=True)
    out.joinpath(RECORD).unlink(missing_ok=True)
    for name in PARTS:
        if out.joinpath(name).is_dir():
            shutil.rmtree(out / name)
        draft.joinpath(name).replace(out / name)
    draft.rmdir()
    write_json(out / RECORD, record)
    LOG.info("%s is complete", out)


def _record(seed: int, sessions: int | None, utterances_per_speaker: int) -> dict[str, object]:
    record: dict[str, object] = {
        "origin": ORIGIN,
        "settings": {"seed": seed, "sessions": sessions, "utterances_per_speaker": utterances_per_speaker},
        "versions": {name: version(name) for name in LIBRARIES},
        "code": code_fingerprint(__name__),
    }
    return {**record, "fingerprint": hashlib.sha256(json.dumps(record).encode()).hexdigest()[:16]}


def _refuse_foreign(out: Path) -> None:
    for name, sign in SIGNS.items():
        path = out / name / sign
        if out.joinpath(name).exists() and not (path.is_file() and ORIGIN in path.read_text(encoding="utf-8")):
            raise UserError(f"{out / name}: was not made by this command; give another --out, or move it away")


def scripts(seed: int, sessions: int | None, utterances_per_speaker: int) -> dict[str, list[Turn]]:
    """The turns of each corpus, of all its sessions or only of the first ones."""
    return {
        name: layout.script(seed, sessions or layout.SESSIONS, utterances_per_speaker)
        for name, layout in LAYOUTS.items()
    }


def _build_parts(draft: Path, turns: dict[str, list[Turn]], seed: int, jobs: int) -> None:
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        checkpoints = pool.submit(_checkpoints, draft, seed)
        work: list[tuple[str, Future[list[Row]]]] = []
        for name, layout in LAYOUTS.items():
            draft.joinpath(name).mkdir()
            layout.prepare(draft / name, turns[name])
            sounds = iter(voice.say_all(turns[name], seed))
            for _, together in groupby(turns[name], layout.group):
                share = list(together)
                said = [next(sounds) for _ in share]
                work.append((name, pool.submit(_write, name, draft, share, said, seed)))
        rows: dict[str, list[Row]] = {name: [] for name in LAYOUTS}
        for name, job in progress(work, "demo corpora", "part"):
            rows[name] += job.result()
        checkpoints.result()
    for name, found in rows.items():
        write_csv(draft / TRUTH[name], TRUTH_COLUMNS, sorted(found, key=lambda row: str(row["utterance"])))


def _checkpoints(draft: Path, seed: int) -> None:
    from extractors.demo.checkpoints import build_checkpoints

    build_checkpoints(draft, seed)


def _write(
    name: str, draft: Path, turns: Sequence[Turn], sounds: Sequence[NDArray[np.float32]], seed: int
) -> list[Row]:
    import torch

    torch.set_num_threads(1)
    return LAYOUTS[name].write(draft / name, turns, sounds, seed)
