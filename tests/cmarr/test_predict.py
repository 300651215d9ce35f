"""Verb `predict` against one utterance at a time, read from the stores by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from cmarr import predict
from cmarr.__main__ import VERBS
from cmarr.batch import Batch
from cmarr.model_file import restore
from cmarr.vocabulary import MODALITIES, availability, present
from extractors.console import run
from extractors.files import read_csv, read_json
from extractors.store import FeatureStore

POOL = 2
SETTINGS = {
    "speech_pool": POOL, "embedding": 4, "cascade_layers": [4], "teacher": {"epochs": 2}, "training": {"epochs": 2},
}  # fmt: skip


def sequences(toy, model: Path, modality: str, names: list[str]) -> dict[str, Tensor]:
    """Real frames (1, time, dim), standardised and averaged; one of zeros where there is none."""
    found = {}
    with safe_open(model / "model.safetensors", "pt") as file, FeatureStore(toy.folder / f"{modality}.h5") as store:
        mean, deviation = (file.get_tensor(f"input.{modality}.{name}") for name in ("mean", "deviation"))
        for name in names:
            kept = (torch.from_numpy(store[name].values[store[name].valid]) - mean) / deviation
            parts = [part.mean(0) for part in kept.split(POOL if modality == "speech" else 1)]
            found[name] = torch.stack(parts if len(kept) else [torch.zeros_like(mean)])[None]
    return found


def test_predictions_are_those_of_the_utterances_one_by_one(
    toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = toy.train_arguments(tmp_path, "mmin")
    arguments[arguments.index("--settings") + 1] = json.dumps(SETTINGS)
    assert run("cmarr", VERBS, arguments) == 0
    monkeypatch.setattr(predict, "UTTERANCES_AT_ONCE", 7)
    conditions = ("svt", "vt", "s")
    assert run("cmarr", VERBS, toy.predict_arguments(tmp_path, tmp_path / "out", *conditions)) == 0
    record = read_json(tmp_path / "record.json")
    system = restore(tmp_path / "model.safetensors", record, torch.device("cpu"))[0].eval()
    names = read_json(toy.folds)["folds"]["1"]["test"]
    all_features = {modality: sequences(toy, tmp_path, modality, names) for modality in MODALITIES}
    for condition in conditions:
        rows = read_csv(tmp_path / f"out/{condition}.csv")
        assert [row["utterance"] for row in rows] == names
        for row in rows:
            features = {modality: all_features[modality][row["utterance"]] for modality in present(condition)}
            lengths = {modality: torch.tensor([values.shape[1]]) for modality, values in features.items()}
            with torch.no_grad():
                logits = system(Batch(features, lengths, torch.tensor([availability(condition)])))
            found = torch.tensor([[float(row[f"p_{name}"]) for name in toy.classes]])
            torch.testing.assert_close(found, logits.softmax(1), atol=1e-5, rtol=0)
