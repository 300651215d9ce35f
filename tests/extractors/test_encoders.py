from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from extractors import encoders, hub
from extractors.files import UserError
from extractors.settings import SpeechEncoder, TextEncoder

CPU = torch.device("cpu")


def load(modality: Any, model: Path | str, folder: Path = Path("nothing"), **values: Any) -> encoders.Encoder:
    kind = {"text": TextEncoder, "speech": SpeechEncoder}[modality]
    return encoders.load(modality, kind(model=str(model), **values), folder, CPU)


def test_loads_a_folder_frozen_in_evaluation_mode(bert_folder: Path) -> None:
    encoder = load("text", bert_folder)
    assert (encoder.name, encoder.dim) == (str(bert_folder), 16)
    assert not encoder.model.training
    assert not any(parameter.requires_grad for parameter in encoder.model.parameters())
    assert {parameter.dtype for parameter in encoder.model.parameters()} == {torch.float32}
    assert encoder.weights_sha256 == load("text", bert_folder).weights_sha256


def test_a_name_of_the_hub_is_what_was_fetched(monkeypatch: pytest.MonkeyPatch, bert_folder: Path) -> None:
    asked: list[tuple[Any, ...]] = []

    def find(*known: Any) -> hub.Found:
        asked.append(known)
        return hub.Found(bert_folder, "some/bert@0123")

    monkeypatch.setattr(encoders, "find", find)
    monkeypatch.setattr("socket.socket.connect", None)  # no network
    encoder = load("text", "some/bert", Path("fetched"), revision="main", sha256="0" * 64)
    assert asked == [(Path("fetched"), "some/bert", "main", "encoders.text", "0" * 64)]
    assert encoder.name == "some/bert@0123"


@pytest.mark.parametrize(("layer", "fine"), [(4, True), (-5, True), (5, False), (-6, False)])
def test_a_layer_out_of_range_names_the_range(bert_folder: Path, layer: int, fine: bool) -> None:
    if fine:
        load("text", bert_folder, layer=layer)
    else:
        with pytest.raises(UserError, match=rf"^encoders\.text\.layer: .* has hidden states -5 to 4, not {layer}; set"):
            load("text", bert_folder, layer=layer)


def test_a_mean_of_four_layers_needs_four(text_folder: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match=r"^encoders\.text\.layer: .* -3 to 2, not mean_of_last_4; "):
        load("text", text_folder("bert", num_hidden_layers=2), layer="mean_of_last_4")


def test_batches_come_in_order_each_begun_before_the_last_is_fetched(bert_folder: Path) -> None:
    encoder = load("text", bert_folder)
    events: list[str] = []
    encoder.model.register_forward_hook(lambda *_: events.append("forward"))
    given = [([index], {"input_ids": torch.tensor([[2, 5 + index, 3]])}) for index in range(3)]
    for indices, hidden in encoder.encode(given):
        events.append(f"result {indices[0]}")
        with torch.no_grad():
            expected = encoder.model(**given[indices[0]][1]).last_hidden_state
        events.pop()
        assert (hidden == expected.numpy()).all()
    assert events == ["forward", "forward", "result 0", "forward", "result 1", "result 2"]
    assert list(encoder.encode([])) == []


def test_a_weight_norm_is_computed_once(wav2vec2_folder: Path) -> None:
    from transformers import AutoModel

    def convolution(model: Any) -> Any:
        return model.encoder.pos_conv_embed.conv

    ours, plain = convolution(load("speech", wav2vec2_folder).model), AutoModel.from_pretrained(wav2vec2_folder)
    assert not hasattr(ours, "parametrizations")
    assert torch.equal(ours.weight, convolution(plain).weight)


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
def test_missing_encoder_is_one_line_with_key_and_name(modality: Any, name: str) -> None:
    with pytest.raises(UserError, match=rf"^encoders\.{modality}\.model: '?{name}'? [^\n]*; "):
        load(modality, name)


def test_pickled_weights_are_not_opened(bert_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(bert_folder, folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"pickled has no model\.safetensors .* `python -m extractors convert "):
        load("text", folder)


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
        hashes = {load(modality, name).weights_sha256 for _ in range(2)}
        assert len(hashes) == 1


def test_a_checkpoint_without_a_layer_is_refused(bert_folder: Path, tmp_path: Path) -> None:
    name = changed(bert_folder, tmp_path / "gap", lambda weights: weights.pop("encoder.layer.1.output.dense.weight"))
    with pytest.raises(UserError, match=r"lacks 1 weights \(encoder\.layer\.1\.output\.dense\.weight"):
        load("text", name)


def configured(folder: Path, to: Path, **values: Any) -> str:
    shutil.copytree(folder, to)
    content = json.loads((to / "config.json").read_text())
    (to / "config.json").write_text(json.dumps(content | values))
    return str(to)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"hidden_size": 8}, "is 16, by config.json 8; get both from one and the same checkpoint"),
        ({"vocab_size": 64}, "embeddings.word_embeddings.weight is 58 x 16, by config.json 64 x 16; get both"),
        ({"num_hidden_layers": 3}, "has weights (encoder.layer.3.attention.output.LayerNorm.bias, ...) of layers that"),
        ({"num_hidden_layers": 5}, "lacks 16 weights (encoder.layer.4."),
        ({"num_attention_heads": 3}, "cannot be loaded (The hidden size (16) is not a multiple of the number of "),
        ({"hidden_act": "sorcery"}, "cannot be loaded ('sorcery'); "),
        ({"vocab_size": "58"}, "cannot be loaded (Validation error for field 'vocab_size': "),
        (
            {"model_type": "sorcery"},
            "cannot be loaded (The checkpoint you are trying to load has model type `sorcery` ",
        ),
    ],
)
def test_a_config_of_another_model_is_refused(
    bert_folder: Path, tmp_path: Path, values: dict[str, Any], expected: str
) -> None:
    name = configured(bert_folder, tmp_path / "other", **values)
    with pytest.raises(UserError) as caught:
        load("text", name)
    assert expected in str(caught.value)
    assert str(caught.value).startswith(f"encoders.text.model: {name}")
    assert "\n" not in str(caught.value)


def test_weights_of_another_layer_count_are_seen_behind_a_prefix(bert_folder: Path, tmp_path: Path) -> None:
    def prefixed(weights: dict[str, torch.Tensor]) -> None:
        for key in list(weights):
            weights[f"bert.{key}"] = weights.pop(key)
        weights["cls.predictions.bias"] = torch.zeros(58)

    name = changed(bert_folder, tmp_path / "prefixed", prefixed)
    load("text", name)
    with pytest.raises(UserError, match=r"has weights \(bert\.encoder\.layer\.2\..* of layers that its config"):
        load("text", configured(Path(name), tmp_path / "fewer", num_hidden_layers=2))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(float("nan"), "is not finite"), (float("inf"), "is not finite"), (0.0, "is zero everywhere")],
)
def test_weights_without_numbers_are_refused(bert_folder: Path, tmp_path: Path, value: float, expected: str) -> None:
    key = "encoder.layer.1.output.dense.weight"
    name = changed(bert_folder, tmp_path / "broken", lambda weights: weights[key].fill_(value))
    with pytest.raises(UserError, match=rf"broken: {key} {expected}; get its weights again"):
        load("text", name)


def test_a_damaged_checkpoint_is_refused(bert_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(bert_folder, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"encoders\.text\.model: .*half: model\.safetensors is cut off or damaged "):
        load("text", str(folder))


def test_code_of_a_checkpoint_is_never_run(bert_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "code"
    shutil.copytree(bert_folder, folder)
    proof = tmp_path / "was_run"
    (folder / "mine.py").write_text(f"open({str(proof)!r}, 'w')\n")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModel": "mine.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"encoders\.text\.model"):
        load("text", str(folder))
    assert not proof.exists()
