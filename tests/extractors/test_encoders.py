from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from extractors import encoders
from extractors.files import UserError

CPU = torch.device("cpu")


def test_loads_a_folder_frozen_in_evaluation_mode(bert_folder: Path) -> None:
    encoder = encoders.load("text", str(bert_folder), None, CPU)
    assert encoder.name == str(bert_folder)
    assert not encoder.model.training
    assert not any(parameter.requires_grad for parameter in encoder.model.parameters())
    assert {parameter.dtype for parameter in encoder.model.parameters()} == {torch.float32}
    assert encoder.weights_sha256 == encoders.load("text", str(bert_folder), None, CPU).weights_sha256


def test_hash_is_over_names_shapes_and_bytes() -> None:
    module = nn.Linear(2, 1)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[1.0, 2.0]]))
        module.bias.zero_()
    expected = b"bias float32 (1,)\n" + bytes(4) + b"weight float32 (1, 2)\n" + b"\0\0\x80\x3f" + b"\0\0\0\x40"
    assert encoders.weights_sha256(module) == hashlib.sha256(expected).hexdigest()
    with torch.no_grad():
        module.bias.add_(1e-6)
    assert encoders.weights_sha256(module) != hashlib.sha256(expected).hexdigest()


@pytest.mark.parametrize(("modality", "name"), [("text", "nobody/nothing"), ("speech", "/nowhere/at/all")])
def test_missing_encoder_is_one_line_with_key_name_and_fix(
    monkeypatch: pytest.MonkeyPatch, modality: Any, name: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError) as caught:
        encoders.load(modality, name, None, CPU)
    message = str(caught.value)
    assert message.startswith(f"encoders.{modality}.model: {name} ")
    assert "give the folder of a checkpoint, or run once online" in message
    assert "\n" not in message


def changed(folder: Path, to: Path, edit: Any) -> str:
    shutil.copytree(folder, to)
    weights = load_file(to / "model.safetensors")
    edit(weights)
    save_file(weights, to / "model.safetensors", {"format": "pt"})
    return str(to)


def test_weights_that_are_not_used_may_be_absent(bert_folder: Path, wav2vec2_folder: Path, tmp_path: Path) -> None:
    def without(start: str) -> Any:
        return lambda weights: [weights.pop(key) for key in list(weights) if key.startswith(start)]

    for modality, folder, start in (("text", bert_folder, "pooler"), ("speech", wav2vec2_folder, "masked_spec_embed")):
        name = changed(folder, tmp_path / start, without(start))
        hashes = {encoders.load(modality, name, None, CPU).weights_sha256 for _ in range(2)}  # type: ignore[arg-type]
        assert len(hashes) == 1


def test_a_checkpoint_without_a_layer_is_refused(bert_folder: Path, tmp_path: Path) -> None:
    name = changed(bert_folder, tmp_path / "gap", lambda weights: weights.pop("encoder.layer.1.output.dense.weight"))
    with pytest.raises(UserError, match=r"lacks 1 weights \(encoder\.layer\.1\.output\.dense\.weight"):
        encoders.load("text", name, None, CPU)


def test_a_damaged_checkpoint_is_refused(bert_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(bert_folder, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"encoders\.text\.model: .*half cannot be loaded"):
        encoders.load("text", str(folder), None, CPU)


def test_code_of_a_checkpoint_is_never_run(bert_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "code"
    shutil.copytree(bert_folder, folder)
    proof = tmp_path / "was_run"
    (folder / "mine.py").write_text(f"open({str(proof)!r}, 'w')\n")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModel": "mine.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"encoders\.text\.model"):
        encoders.load("text", str(folder), None, CPU)
    assert not proof.exists()
