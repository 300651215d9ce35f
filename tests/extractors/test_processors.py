from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from extractors import encoders
from extractors.files import UserError
from extractors.settings import SpeechEncoder, TextEncoder

pytestmark = pytest.mark.usefixtures("one_thread")
GOOD = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": True, "sampling_rate": 16000}


def load(folder: Path, modality: Any = "speech") -> encoders.Encoder:
    kind = {"text": TextEncoder, "speech": SpeechEncoder}[modality]
    return encoders.load(modality, kind(model=str(folder)), Path("nothing"), torch.device("cpu"))


def refused(folder: Path, modality: Any = "speech") -> str:
    with pytest.raises(UserError) as caught:
        load(folder, modality)
    message, start = str(caught.value), f"encoders.{modality}.model: {folder}"
    assert message.startswith(start)
    assert "\n" not in message
    return message.removeprefix(start)


@pytest.fixture
def folder(wav2vec2_folder: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "wav2vec2"
    shutil.copytree(wav2vec2_folder, copy)
    return copy


def test_a_missing_feature_extractor_is_named(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()
    assert refused(folder) == " has no preprocessor_config.json; get that file, too"
    (folder / "processor_config.json").write_text(json.dumps({"feature_extractor": GOOD}))  # where it lies of late
    assert load(folder).processor.do_normalize is True


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (GOOD, ""),
        ("{", ": preprocessor_config.json is damaged "),
        ({}, ": its preprocessor_config.json does not say do_normalize (bool); "),
        ({**GOOD, "do_normalize": "false"}, ": its preprocessor_config.json does not say do_normalize (bool); "),
        ({**GOOD, "sampling_rate": "16000"}, ": its preprocessor_config.json does not say sampling_rate (int); "),
        ({**GOOD, "feature_size": 80}, ": its preprocessor_config.json is of a model that reads no waveforms; "),
        (
            {"feature_extractor_type": "WhisperFeatureExtractor"},
            ": its preprocessor_config.json is of a model that reads no waveforms; ",
        ),
        ({"feature_extractor_type": "NoSuchExtractor"}, " cannot be loaded (Unrecognized feature extractor "),
    ],
)
def test_one_of_another_model_or_that_says_too_little_is_refused(folder: Path, content: Any, expected: str) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "preprocessor_config.json").write_text(text)
    if expected:
        assert refused(folder).startswith(expected)
    else:
        assert load(folder).processor.sampling_rate == 16000


def test_an_encoder_of_the_other_modality_is_said_to_be_one(folder: Path, bert_folder: Path) -> None:
    assert refused(folder, "text").startswith(" (wav2vec2) encodes no text by itself; ")
    assert refused(bert_folder).startswith(" (bert) reads no waveforms; ")


def test_a_tokenizer_that_the_library_does_not_know_is_one_line(bert_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bert"
    shutil.copytree(bert_folder, copy)
    (copy / "tokenizer.json").write_text('{"model": {"type": "Sorcery"}}')
    assert refused(copy, "text").startswith(" cannot be loaded (")
