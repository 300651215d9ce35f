"""Small BERT and wav2vec2 checkpoints with seeded random weights, in the format of Hugging Face."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

from extractors.demo.words import ADJECTIVES, NOUNS, vocabulary

ORIGIN = {"origin": "synthetic"}
"""Stands in every JSON file and in the header of the weights."""
HIDDEN = 64
WORD_DEVIATION = 1.0
"""Of the word embeddings: with the usual 0.02 the positions, which have the same, would blur the words."""
MEANING_DEVIATION = 2.0
"""Of what the telling words of an emotion share: in trained encoders words of like meaning are neighbours, too."""


def build_checkpoints(out: Path, seed: int) -> None:
    """Folders `out/bert` and `out/wav2vec2`, to be loaded with AutoModel, AutoTokenizer and AutoFeatureExtractor."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        _bert(out / "bert")
        _wav2vec2(out / "wav2vec2")


def _bert(folder: Path) -> None:
    from transformers import BertConfig, BertModel

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ORIGIN["origin"]]
    characters = sorted(set(string.ascii_lowercase + string.digits + ".,?!'-:;()[]"))
    words += characters + [f"##{character}" for character in characters]
    words += [word for word in vocabulary() if word not in words]
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=2 * HIDDEN,
        max_position_embeddings=128,
    )
    model = BertModel(config)
    embeddings = model.embeddings.word_embeddings.weight.data.normal_(0, WORD_DEVIATION)
    for emotion in ADJECTIVES:
        alike = [words.index(word) for word in (*ADJECTIVES[emotion], *NOUNS[emotion])]
        embeddings[alike] += embeddings.new_empty(HIDDEN).normal_(0, MEANING_DEVIATION)
    _save(folder, model)
    folder.joinpath("vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 128}
    _write_json(folder / "tokenizer_config.json", settings)


def _wav2vec2(folder: Path) -> None:
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    config = Wav2Vec2Config(
        hidden_size=HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=2 * HIDDEN,
        conv_dim=(48,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        apply_spec_augment=False,
    )
    model = Wav2Vec2Model(config)
    _save(folder, model)
    settings = {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "do_normalize": True,
        "feature_size": 1,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
        "sampling_rate": 16000,
    }
    _write_json(folder / "preprocessor_config.json", settings)


def _save(folder: Path, model: Any) -> None:
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    path = folder / "model.safetensors"
    save_file(weights, path, ORIGIN)
    path.chmod(0o644)
    _write_json(folder / "config.json", {**model.config.to_dict(), "architectures": [type(model).__name__]})


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps({**content, **ORIGIN}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
