from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from transformers import AutoModel, Wav2Vec2FeatureExtractor

from extractors import encoders, speech
from extractors.batches import averaged
from extractors.files import UserError
from extractors.settings import SpeechEncoder
from extractors.store import FeatureStore

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
LENGTHS = [1, 399, 400, 480, 719, 720, 16_000, 16_000, 23_456, 48_000]
STABLE: dict[str, Any] = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}


def noise(samples: int, seed: int = 0) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(seed).normal(size=samples) + 0.02).astype(np.float32)


def load(folder: Path, **values: Any) -> speech.Waveforms:
    settings = SpeechEncoder(model=str(folder), **values)
    return speech.Waveforms(encoders.load("speech", settings, folder / "nothing", CPU), settings)


def encode(encoder: speech.Waveforms, waves: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    found = dict(encoder.encode([encoder.prepare(wave) for wave in waves]))
    return [found[index] for index in range(len(waves))]


def plain(folder: Path, wave: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The bare model on a waveform that is normalised by hand: all hidden states, then the last one again."""
    model = AutoModel.from_pretrained(folder).eval()
    standard = (wave.astype(np.float64) - wave.mean(dtype=np.float64)) / np.sqrt(wave.var(dtype=np.float64) + 1e-7)
    padded = np.pad(standard, (0, max(0, 400 - len(wave))))
    with torch.no_grad():
        output = model(torch.tensor(padded, dtype=torch.float32)[None], output_hidden_states=True)
    return [state[0].numpy() for state in (*output.hidden_states, output.last_hidden_state)]


def close(found: NDArray[np.float32], expected: NDArray[np.float32], most: float = 1e-5) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < most * np.abs(expected).max()


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches as large, and as padded, as the settings allow."""
    monkeypatch.setattr(speech, "CPU_SECONDS", 1e9)
    monkeypatch.setattr(speech, "CPU_WASTE", 1.0)


@pytest.mark.parametrize("seconds", [64.0, 4.0, 0.01])
def test_equals_the_plain_model_in_batches_of_any_size(
    wav2vec2_folder: Path, as_on_a_gpu: None, seconds: float
) -> None:
    encoder = load(wav2vec2_folder, batch_seconds=seconds)
    waves = [noise(samples, samples) for samples in LENGTHS]
    for wave, values in zip(waves, encode(encoder, waves), strict=True):
        assert values.shape == ((max(len(wave), 400) - 400) // 320 + 1, 16)
        assert values.dtype == np.float32
        assert values.base is None  # a view would keep the whole batch in memory
        close(values, plain(wav2vec2_folder, wave)[-1])


@pytest.mark.parametrize("layer", ["last", "mean_of_last_4", 0, 2, -1])
@pytest.mark.parametrize("sizes", [{"feat_extract_norm": "group"}, STABLE], ids=["group", "stable"])
def test_layers_are_those_of_the_plain_model(
    speech_folder: Callable[..., Path], as_on_a_gpu: None, sizes: dict[str, Any], layer: Any
) -> None:
    folder = speech_folder("wav2vec2", **sizes)
    encoder = load(folder, layer=layer)
    asked: list[dict[str, Any]] = []
    encoder._encoder.model.register_forward_pre_hook(lambda module, args, named: asked.append(named), with_kwargs=True)
    waves = [noise(16_000), noise(2_000, 1)]
    for wave, values in zip(waves, encode(encoder, waves), strict=True):
        *states, last = plain(folder, wave)
        expected = {"last": last, "mean_of_last_4": np.mean(states[-4:], axis=0)}
        close(values, expected[layer] if layer in expected else states[layer])
    assert asked[0]["attention_mask"].sum(-1).tolist() == [16_000, 2_000]
    assert ("output_hidden_states" in asked[0]) == (layer != "last")


@pytest.mark.parametrize("kind", ["wav2vec2-conformer", "wav2vec2"])
def test_models_not_known_to_be_exact_get_waveforms_of_one_length(
    speech_folder: Callable[..., Path], as_on_a_gpu: None, kind: str
) -> None:
    folder = speech_folder(kind, **({"add_adapter": True, "output_hidden_size": 8} if kind == "wav2vec2" else {}))
    encoder = load(folder)
    shapes: list[tuple[int, ...]] = []
    encoder._encoder.model.register_forward_pre_hook(
        lambda module, args, named: shapes.append(tuple(named["input_values"].shape)), with_kwargs=True
    )
    waves = [noise(16_000), noise(9_000, 1), noise(16_000, 2)]
    for wave, values in zip(waves, encode(encoder, waves), strict=True):
        close(values, plain(folder, wave)[-1])
        assert values.shape[1] == encoder.dim
    assert shapes == [(2, 16_000), (1, 9_000)]


def test_a_minute_of_sound(wav2vec2_folder: Path) -> None:
    wave = noise(960_000)
    [values] = encode(load(wav2vec2_folder), [wave])
    close(values, plain(wav2vec2_folder, wave)[-1])


def test_bf16_is_less_exact_and_comes_back_as_float32(wav2vec2_folder: Path, as_on_a_gpu: None) -> None:
    waves = [noise(16_000), noise(8_000)]
    for wave, values in zip(waves, encode(load(wav2vec2_folder, precision="bf16"), waves), strict=True):
        expected = plain(wav2vec2_folder, wave)[-1]
        assert values.dtype == np.float32
        assert 1e-4 < np.linalg.norm(values - expected) / np.linalg.norm(expected) < 0.1


def test_too_large_a_batch_names_the_key(wav2vec2_folder: Path) -> None:
    encoder = load(wav2vec2_folder)

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    encoder._encoder.model.register_forward_pre_hook(full)
    with pytest.raises(UserError, match=r"^encoders\.speech\.batch_seconds: .* memory of cpu; lower it$"):
        encode(encoder, [noise(1000)])


def test_an_encoder_that_does_not_tell_sounds_apart_is_refused(wav2vec2_folder: Path) -> None:
    encoder = load(wav2vec2_folder)
    waves = [noise(4000 + 400 * seed, seed) for seed in range(4)]
    encode(encoder, waves)
    silent = [np.zeros(length, np.float32) for length in range(4000, 8000, 500)]
    encode(load(wav2vec2_folder), silent)  # to have nothing to tell is no fault of an encoder
    with torch.no_grad():
        for name, values in encoder._encoder.model.named_parameters():
            if "encoder.layers.3.final_layer_norm" in name:
                values.fill_(0.0)
    with pytest.raises(
        UserError, match=r"has the same features for \d+ of \d+ inputs that differ; its weights are dam"
    ):
        encode(encoder, waves)


def test_models_that_read_something_else_are_refused(tmp_path: Path, speech_folder: Callable[..., Path]) -> None:
    from transformers import ASTConfig, ASTModel, WhisperConfig, WhisperModel

    def save(name: str, model: Any, rate: int = 16_000) -> Path:
        model.save_pretrained(tmp_path / name)
        extractor: Any = Wav2Vec2FeatureExtractor
        extractor(sampling_rate=rate).save_pretrained(tmp_path / name)
        return tmp_path / name

    small = {"d_model": 8, "encoder_layers": 1, "decoder_layers": 1, "vocab_size": 9, "pad_token_id": 0}
    heads = {"encoder_attention_heads": 1, "decoder_attention_heads": 1, "eos_token_id": 1, "bos_token_id": 1}
    whisper = save("whisper", WhisperModel(WhisperConfig(**small, **heads, decoder_start_token_id=1)))
    ast = save("ast", ASTModel(ASTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1)))
    for folder in (whisper, ast):
        with pytest.raises(UserError, match=rf"^encoders\.speech\.model: {folder} .* reads no waveforms; "):
            load(folder)
    slow = save("slow", AutoModel.from_pretrained(speech_folder("hubert")), 8_000)
    with pytest.raises(UserError, match=r"^encoders\.speech\.model: .* reads 8000 Hz, not 16000; "):
        load(slow)


def test_verb_writes_features_and_reasons_and_repeats_its_bytes(
    small: Any, wav2vec2_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile.write(small.root / "a.wav", noise(20000), 16000)
    soundfile.write(small.root / "short.wav", noise(250), 16000)
    (small.root / "bad.wav").write_bytes(b"no sound at all")
    small.add("a", audio="a.wav", audio_start=0.5, audio_end=1.0)
    small.add("b", audio="bad.wav")
    small.add("c", audio="short.wav")
    small.add("d", audio="absent.wav")
    small.add("e", audio="../outside.wav")
    small.add("f")
    settings = {"model": str(wav2vec2_folder)}
    with caplog.at_level("INFO"):
        path = small.run(speech, "speech.h5", "--settings", json.dumps(settings))
    assert "c: 250 samples, filled with zeros to 400" in caplog.text
    with FeatureStore(path) as store:
        assert [store.length(name) for name in store.ids] == [24, 0, 1, 0, 0, 0]
        assert list(store.problems) == ["b", "d", "e", "f"]
        assert "cannot be read" in store.problems["b"]
        assert store.problems["d"] == "absent.wav is missing"
        assert "leaves" in store.problems["e"]
        assert store.problems["f"] == "the manifest names no file"
        wave = soundfile.read(small.root / "a.wav", dtype="float32")[0][8000:16000]
        values = store["a"].values
        close(values, plain(wav2vec2_folder, wave)[-1])
    assert small.run(speech, "again.h5", "--settings", json.dumps(settings)).read_bytes() == path.read_bytes()
    coarse = small.run(speech, "coarse.h5", "--settings", json.dumps({**settings, "average": 5}))
    with FeatureStore(coarse) as store:
        assert [store.length(name) for name in store.ids] == [5, 0, 1, 0, 0, 0]
        np.testing.assert_array_equal(store["a"].values, averaged(values, 5))


def test_verb_without_weights(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "load", None)
    soundfile.write(small.root / "a.wav", noise(20000), 16000)
    small.add("a", audio="a.wav")
    with FeatureStore(small.run(speech, "speech.h5", "--settings", '{"model": "logmel"}')) as store:
        assert (store.attributes["encoder"], store.dim, store.length("a")) == ("logmel 64", 64, 62)
        assert "transformers" not in json.loads(str(store.attributes["versions"]))
    for key, value in (("layer", -1), ("revision", "main"), ("sha256", "0" * 64), ("precision", "bf16")):
        with pytest.raises(UserError, match=rf"^encoders\.speech\.{key}: logmel has no weights .*remove {key}$"):
            small.run(speech, "no.h5", "--settings", json.dumps({"model": "logmel", key: value}))
