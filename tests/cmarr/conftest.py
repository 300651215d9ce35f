"""Toy corpora as stage 2 meets them: manifest, folds and feature stores with the label in every modality."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cmarr.__main__ import VERBS
from cmarr.vocabulary import CLASSES, MODALITIES
from cmarr.workflow import Plan
from extractors.console import run
from extractors.files import read_csv, sha256, write_csv
from extractors.store import Frames, write_store
from tests.cmarr.plans import ROOT

DIMS = {"text": 6, "speech": 8, "video": 5}
TRAINING = {"size": "tiny", "training": {"epochs": 3, "learning_rate": 0.003}}


@dataclass(frozen=True)
class Toy:
    name: str
    classes: tuple[str, ...]
    folder: Path

    @property
    def manifest(self) -> Path:
        return self.folder / "manifest.csv"

    @property
    def folds(self) -> Path:
        return self.folder / "folds.json"

    @property
    def rows(self) -> list[dict[str, str]]:
        return read_csv(self.manifest)

    def stores(self, modalities: tuple[str, ...] = MODALITIES) -> dict[str, Path]:
        return {modality: self.folder / f"{modality}.h5" for modality in modalities}

    def fold_arguments(self, out: Path) -> list[str]:
        return [
            "folds", "--corpus", self.name, "--manifest", str(self.manifest), "--classes", *self.classes,
            "--protocol", "clean", "--out", str(out),
        ]  # fmt: skip

    def train_arguments(self, out: Path, system: str = "baseline", fold: str = "1") -> list[str]:
        return [
            "train", "--corpus", self.name, "--system", system, "--settings", json.dumps(TRAINING), "--features", "{}",
            "--manifest", str(self.manifest), "--folds", str(self.folds), "--fold", fold, "--seed", "1",
            "--stores", str(self.folder), "--out-dir", str(out), "--device", "cpu",
        ]  # fmt: skip

    def predict_arguments(self, model: Path, out: Path, *conditions: str) -> list[str]:
        return [
            "predict", "--model", str(model / "model.safetensors"), "--manifest", str(self.manifest),
            "--folds", str(self.folds), "--stores", str(self.folder), "--out-dir", str(out), "--device", "cpu",
            *(["--conditions", *conditions] if conditions else []),
        ]  # fmt: skip


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """Three sessions of 24 utterances; video has frames that are not valid, one utterance has no face at all."""
    rows = [
        {
            "utterance": f"S{session}_d{dialogue}_{label}", "dialogue": f"S{session}_d{dialogue}",
            "session": str(session), "speaker": f"{session}F", "label": label, "origin": "synthetic",
        }
        for session in (1, 2, 3) for dialogue in range(6) for label in CLASSES
    ]  # fmt: skip
    return _made(Toy("toy", CLASSES, tmp_path_factory.mktemp("toy")), rows)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """Three other classes, as a table describes them: each utterance is its own dialogue, sessions have any name."""
    rows = [
        {
            "utterance": f"{session}-{number}{label}", "dialogue": f"{session}-{number}{label}", "session": session,
            "speaker": session, "label": label, "origin": "composite",
        }
        for session in ("Actor_10", "b", "B_2") for number in range(6) for label in ("joy", "very angry", "sad")
    ]  # fmt: skip
    return _made(Toy("clips", ("sad", "joy", "very angry"), tmp_path_factory.mktemp("clips")), rows)


def _made(toy: Toy, rows: list[dict[str, str]]) -> Toy:
    write_csv(toy.manifest, list(rows[0]), rows)
    assert run("cmarr", VERBS, toy.fold_arguments(toy.folds)) == 0
    rng = np.random.default_rng(0)
    for modality, dim in DIMS.items():
        items, problems = [], {}
        for number, row in enumerate(rows):
            values = rng.normal(3.0, 1.0, (int(rng.integers(2, 7)), dim)).astype(np.float32)
            values[:, toy.classes.index(row["label"])] += 2
            valid = np.ones(len(values), bool)
            if modality == "video":
                valid[0] = False
                values[~valid] = 0
                if number == 5:
                    values, valid = values[:0], valid[:0]
                    problems[row["utterance"]] = "no face in any of its 3 frames"
            items.append((row["utterance"], Frames(values, valid)))
        attributes = {
            "manifest_sha256": sha256(toy.manifest), "encoder": f"toy {modality}", "weights_sha256": "0",
            "settings": "{}", "origin": rows[0]["origin"], "note": "untrained toy" if modality == "video" else "",
        }  # fmt: skip
        lengths = [len(item.values) for _, item in items]
        write_store(toy.folder / f"{modality}.h5", dim, items, lengths, problems, attributes)
    return toy


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Two sessions of a corpus that has label files only."""
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setenv("PYTHONPATH", "")
    for session in (1, 2):
        for part in ("EmoEvaluation", "transcriptions"):
            folder = tmp_path / f"corpus/Session{session}/dialog/{part}"
            folder.mkdir(parents=True)
            (folder / f"Ses0{session}F_impro01.txt").touch()
    corpus = {"type": "iemocap", "root": str(tmp_path / "corpus"), "sessions": ["1", "2"]}
    content = {"corpora": {"toy": corpus}, "seeds": [1, 2], "systems": {"baseline": {"size": "tiny"}}}
    return Plan(content, ROOT, "mine.yaml")
