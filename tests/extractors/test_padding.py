from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn
from transformers import AutoModel, Wav2Vec2Config

from extractors import padding

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask:UserWarning"),  # WavLM's
]
STABLE: dict[str, Any] = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "wav2vec2, group norm": ("wav2vec2", {"feat_extract_norm": "group"}),
    "wav2vec2, layer norm": ("wav2vec2", STABLE),
    "hubert, group norm": ("hubert", {}),
    "hubert, layer norm": ("hubert", STABLE),
    "hubert, batch norm of positions": ("hubert", {"conv_pos_batch_norm": True}),
    "wavlm, group norm": ("wavlm", {}),
    "wavlm, layer norm": ("wavlm", STABLE),
    "data2vec": ("data2vec-audio", {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5}),
    "unispeech": ("unispeech", {}),
    "unispeech-sat": ("unispeech-sat", {}),
}
LEAKY = ["wav2vec2, group norm", "hubert, batch norm of positions", "data2vec"]


@cache
def pair(speech_folder: Callable[..., Path], family: str) -> tuple[Any, Any]:
    """The plain model, and the one that is exact in batches."""
    kind, sizes = FAMILIES[family]
    plain, exact = (AutoModel.from_pretrained(speech_folder(kind, **sizes)).eval() for _ in range(2))
    padding.make_exact(exact)
    return plain, exact


def noise(samples: int) -> NDArray[np.float32]:
    return np.random.default_rng(samples).normal(size=samples).astype(np.float32)


def batch(model: Any, waves: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Features of zero-padded waveforms with the attention mask, cut to their frames."""
    values = nn.utils.rnn.pad_sequence([torch.from_numpy(wave) for wave in waves], True)
    mask = torch.arange(values.shape[1]) < torch.tensor([[len(wave)] for wave in waves])
    with torch.inference_mode():
        hidden = model(input_values=values, attention_mask=mask.long()).last_hidden_state.numpy()
    return [row[: (len(wave) - 400) // 320 + 1] for row, wave in zip(hidden, waves, strict=True)]


def alone(model: Any, wave: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        hidden: NDArray[np.float32] = model(torch.from_numpy(wave)[None]).last_hidden_state[0].numpy()
    return hidden


def error(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    assert found.shape == expected.shape
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(400, 32_000), min_size=1, max_size=3))
def test_a_waveform_has_the_same_features_in_any_batch(
    speech_folder: Callable[..., Path], family: str, lengths: list[int]
) -> None:
    plain, exact = pair(speech_folder, family)
    waves = [noise(length) for length in [*lengths, 480, 48_000]]
    for wave, found in zip(waves, batch(exact, waves), strict=True):
        assert error(found, alone(plain, wave)) < 1e-5
    np.testing.assert_array_equal(alone(exact, waves[0]), alone(plain, waves[0]))


@pytest.mark.parametrize("family", LEAKY)
def test_the_attention_mask_alone_is_not_enough(speech_folder: Callable[..., Path], family: str) -> None:
    model, _ = pair(speech_folder, family)
    short, long = noise(16_000), noise(48_000)
    found, _ = batch(model, [short, long])
    assert error(found, alone(model, short)) > 1e-3


def test_every_known_type_is_tested() -> None:
    assert {kind for kind, _ in FAMILIES.values()} == set(padding.EXACT)


@pytest.mark.parametrize("offset", [0.0, 5.0])
def test_statistics_are_of_the_real_frames(offset: float) -> None:
    norm = nn.GroupNorm(3, 3)
    nn.init.uniform_(norm.weight)
    nn.init.uniform_(norm.bias)
    where = padding.Padding()
    masked = padding.MaskedGroupNorm(norm, where, (10, 5))
    x = torch.randn(2, 3, 199) + offset
    where.samples = torch.tensor([1000, 500])
    with torch.inference_mode():
        found = masked(x.clone())
        for row, frames in ((0, 199), (1, 99)):
            torch.testing.assert_close(found[row, :, :frames], norm(x[row : row + 1, :, :frames])[0])
        where.samples = None
        torch.testing.assert_close(masked(x.clone()), norm(x), rtol=0, atol=0)
    with pytest.raises(ValueError, match="2 groups for 4 channels"):
        padding.MaskedGroupNorm(nn.GroupNorm(2, 4), where, (10, 5))


def test_geometry_of_wav2vec2() -> None:
    assert padding.geometry(Wav2Vec2Config()) == (400, 320)
    assert padding.geometry(Wav2Vec2Config(), 1) == (10, 5)
