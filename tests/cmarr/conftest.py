"""A toy corpus as stage 2 meets it: manifest, folds and feature stores with the label in every modality."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cmarr.folds import clean_folds
from cmarr.vocabulary import CLASSES, MODALITIES
from extractors.files import read_csv, sha256, write_csv, write_json
from extractors.store import Frames, write_store

DIMS = {"text": 6, "speech": 8, "video": 5}
TRAINING = {"size": "tiny", "training": {"epochs": 3, "learning_rate": 0.003}}


@dataclass(frozen=True)
class Toy:
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

    def train_arguments(self, out: Path, system: str = "baseline") -> list[str]:
        return [
            "train", "--corpus", "toy", "--system", system, "--settings", json.dumps(TRAINING), "--features", "{}",
            "--manifest", str(self.manifest), "--folds", str(self.folds), "--fold", "1", "--seed", "1",
            "--stores", str(self.folder), "--out-dir", str(out), "--device", "cpu",
        ]  # fmt: skip

    def predict_arguments(self, model: Path, condition: str, out: Path) -> list[str]:
        return [
            "predict", "--model", str(model / "model.safetensors"), "--manifest", str(self.manifest),
            "--folds", str(self.folds), "--stores", str(self.folder), "--condition", condition, "--out", str(out),
            "--device", "cpu",
        ]  # fmt: skip


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """Three sessions of 24 utterances; video has frames that are not valid, one utterance has no face at all."""
    made = Toy(tmp_path_factory.mktemp("toy"))
    rows = [
        {
            "utterance": f"S{session}_d{dialogue}_{label}", "dialogue": f"S{session}_d{dialogue}",
            "session": str(session), "speaker": f"{session}F", "label": label, "origin": "synthetic",
        }
        for session in (1, 2, 3) for dialogue in range(6) for label in CLASSES
    ]  # fmt: skip
    write_csv(made.manifest, list(rows[0]), rows)
    folds = {"corpus": "toy", "protocol": "clean", "origin": "synthetic", "folds": clean_folds("toy", rows)}
    write_json(made.folds, folds)
    rng = np.random.default_rng(0)
    for modality, dim in DIMS.items():
        items = []
        for number, row in enumerate(rows):
            values = rng.normal(3.0, 1.0, (int(rng.integers(2, 7)), dim)).astype(np.float32)
            values[:, CLASSES.index(row["label"])] += 2
            valid = np.ones(len(values), bool)
            if modality == "video":
                valid[0] = False
                valid[:] &= number != 5
                values[~valid] = 0
            items.append((row["utterance"], Frames(values, valid)))
        attributes = {
            "manifest_sha256": sha256(made.manifest), "encoder": f"toy {modality}", "weights_sha256": "0",
            "settings": "{}", "origin": "synthetic", "note": "untrained toy" if modality == "video" else "",
        }  # fmt: skip
        write_store(made.folder / f"{modality}.h5", dim, items, [len(item.values) for _, item in items], {}, attributes)
    return made
