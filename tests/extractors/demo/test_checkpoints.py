"""The small encoders, loaded the way any other checkpoint is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoFeatureExtractor, AutoModel, AutoTokenizer

from extractors.demo.checkpoints import build_checkpoints


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("checkpoints")
    build_checkpoints(out, 0)
    return out


def test_same_seed_gives_same_bytes_and_leaves_the_random_state_alone(folder: Path, tmp_path: Path) -> None:
    before = torch.get_rng_state()
    build_checkpoints(tmp_path, 0)
    assert torch.equal(torch.get_rng_state(), before)
    for name in ("bert/model.safetensors", "bert/config.json", "wav2vec2/model.safetensors", "wav2vec2/config.json"):
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()
    build_checkpoints(tmp_path / "other", 1)
    name = "bert/model.safetensors"
    assert (folder / name).read_bytes() != (tmp_path / "other" / name).read_bytes()


def test_every_part_says_synthetic(folder: Path) -> None:
    for path in folder.glob("*/*.json"):
        assert json.loads(path.read_text())["origin"] == "synthetic"
    for path in folder.glob("*/*.safetensors"):
        with safe_open(path, "pt") as weights:
            assert weights.metadata()["origin"] == "synthetic"
    assert "synthetic" in (folder / "bert" / "vocab.txt").read_text().split()


def test_bert_knows_the_sentences_word_by_word(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder / "bert")
    text = "[LAUGHTER] Oh no.  The street was lonely."
    pieces = tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])
    words = ["[", "laughter", "]", "oh", "no", ".", "the", "street", "was", "lonely", "."]
    assert pieces == ["[CLS]", *words, "[SEP]"]
    assert tokenizer.convert_ids_to_tokens(tokenizer("Quiz")["input_ids"]) == [
        "[CLS]",
        "q",
        "##u",
        "##i",
        "##z",
        "[SEP]",
    ]


def test_bert_has_words_of_like_meaning_near_each_other(folder: Path) -> None:
    tokenizer, model = AutoTokenizer.from_pretrained(folder / "bert"), AutoModel.from_pretrained(folder / "bert")
    with torch.inference_mode():
        party, gift, illness, road = (
            model(**tokenizer(f"the {word}", return_tensors="pt")).last_hidden_state[0, 2]
            for word in ("party", "gift", "illness", "road")
        )
    assert party.shape == (64,)
    alike, *others = (torch.cosine_similarity(party, other, dim=0) for other in (gift, illness, road))
    assert max(others) < 0.6
    assert alike > max(others) + 0.2


def test_wav2vec2_has_frames_of_20_ms(folder: Path) -> None:
    extractor = AutoFeatureExtractor.from_pretrained(folder / "wav2vec2")
    model, report = AutoModel.from_pretrained(folder / "wav2vec2", output_loading_info=True)
    assert not report["missing_keys"]
    sound = torch.randn(16000, generator=torch.Generator().manual_seed(0)).numpy()
    values = extractor(sound, sampling_rate=16000, return_tensors="pt").input_values
    with torch.inference_mode():
        hidden = model.eval()(values).last_hidden_state
    assert hidden.shape == (1, 49, 64)
    assert hidden.std(1).mean() > 0.05
