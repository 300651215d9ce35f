from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open

from cmarr.__main__ import VERBS
from cmarr.batch import Batch
from cmarr.data import labels_of, load
from cmarr.represent import represented
from cmarr.settings import Features
from cmarr.vocabulary import MODALITIES
from extractors.console import run
from extractors.files import read_json, sha256


def represent(toy, model: Path, out: Path) -> int:
    return run("cmarr", VERBS, [
        "represent", "--model", str(model / "model.safetensors"), "--manifest", str(toy.manifest),
        "--folds", str(toy.folds), "--stores", str(toy.folder), "--out", str(out), "--device", "cpu",
    ])  # fmt: skip


def test_true_is_with_everything_and_recovered_with_everything_else(toy) -> None:
    """A stand-in for a system says per modality its first feature, or what it saw instead."""
    ids = [row["utterance"] for row in toy.rows]
    data = load(
        toy.stores(), ids, labels_of(toy.manifest, ids), toy.classes, Features(), sha256(toy.manifest),
        torch.device("cpu"),
    )  # fmt: skip

    def first(batch: Batch) -> dict[str, torch.Tensor]:
        seen = {name: values[:, 0, :2] for name, values in batch.features.items()}
        rest = torch.stack([*seen.values()]).sum(0) + 1000
        return {name: seen.get(name, rest) for name in MODALITIES}

    found = represented(SimpleNamespace(representations=first), data)
    begins = {name: data.packed[name].offsets[:-1].tolist() for name in MODALITIES}
    for row in range(len(ids)):
        true = {name: data.packed[name].values[begins[name][row], :2] for name in MODALITIES}
        for name in MODALITIES:
            others = torch.stack([true[other] for other in MODALITIES if other != name]).sum(0) + 1000
            assert (found[f"true.{name}"][row] == true[name]).all()
            torch.testing.assert_close(found[f"recovered.{name}"][row], others)
    assert {len(values) for values in found.values()} == {len(ids)} == {72}  # more than one batch


def test_a_trained_model_gives_a_file(toy, tmp_path: Path) -> None:
    assert run("cmarr", VERBS, toy.train_arguments(tmp_path, "cm_arr")) == 0
    for name in ("a", "b"):
        assert represent(toy, tmp_path, tmp_path / f"{name}.safetensors") == 0
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        about = json.loads(file.metadata()["about"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert set(tensors) == {f"{kind}.{modality}" for kind in ("true", "recovered") for modality in MODALITIES}
    assert {values.shape for values in tensors.values()} == {(24, 32)}
    assert all(values.isfinite().all() for values in tensors.values())
    assert about["utterances"] == read_json(toy.folds)["folds"]["1"]["test"]
    assert (about["origin"], about["system"], about["corpus"]) == ("synthetic", "cm_arr", "toy")
    assert (about["fold"], about["seed"], about["notes"]) == ("1", 1, "untrained toy")


def test_a_system_that_recovers_nothing_is_a_user_error(
    toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("cmarr", VERBS, toy.train_arguments(tmp_path, "baseline")) == 0
    assert represent(toy, tmp_path, tmp_path / "a.safetensors") == 1
    assert "model.safetensors: baseline recovers nothing" in capsys.readouterr().err
    assert not (tmp_path / "a.safetensors").exists()
