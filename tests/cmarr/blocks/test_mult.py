from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cmarr.blocks.attention import sinusoids
from cmarr.blocks.mult import PAIRS, Dropouts, Layer, Linears, MultFusion, Norms, Transformers
from cmarr.settings import Dicmor
from cmarr.vocabulary import MODALITIES
from tests.closeness import changed

SETS = [(0, 1), (1, 0), (1, 2)]
"""who asks whom in the transformers under test"""


def transformers(pairs: list[tuple[int, int]], legacy: bool = False, **dropouts: float) -> Transformers:
    """Three transformers of two layers, width 8, two heads, five steps; noise on all weights."""
    torch.manual_seed(0)
    made = Transformers(8, 2, 2, 5, Dropouts((0.0, 0.0, 0.0), **dropouts), pairs, legacy)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return made.eval()


def frames() -> Tensor:
    return torch.randn(3, 4, 5, 8, generator=torch.Generator().manual_seed(1))


def norm(x: Tensor, norms: Norms, number: int) -> Tensor:
    return functional.layer_norm(x, (8,), norms.scale[number, 0], norms.shift[number, 0])


def linear(x: Tensor, linears: Linears, number: int) -> Tensor:
    return x @ linears.weight[number] + linears.bias[number, 0]


def slow(made: Transformers, number: int, query: Tensor, source: Tensor | None) -> Tensor:
    """One sample (time, width) through one transformer, head by head and step by step."""
    positions = sinusoids(6, 8)[1:]
    x = math.sqrt(8) * query + positions
    keys = None if source is None else math.sqrt(8) * source + positions
    for layer in made.layers:
        assert isinstance(layer, Layer)
        q = linear(norm(x, layer.norm, number), layer.query_key_value, number)[:, :8]
        kv = linear(norm(x if keys is None else keys, layer.norm, number), layer.query_key_value, number)
        k, v = kv[:, 8:16], kv[:, 16:]
        mixed = torch.zeros(5, 8)
        for step in range(5):
            for head in (slice(0, 4), slice(4, 8)):
                weights = (k[: step + 1, head] @ q[step, head] / math.sqrt(4)).softmax(0)
                mixed[step, head] = weights @ v[: step + 1, head]
        x = x + linear(mixed, layer.out, number)
        inner = linear(norm(x, layer.feed_forward_norm, number), layer.widen, number).relu()
        x = x + linear(inner, layer.narrow, number)
    return norm(x, made.norm, number)


@pytest.mark.parametrize("pairs", [[], SETS])
def test_equals_the_formulas(pairs: list[tuple[int, int]]) -> None:
    made, x = transformers(pairs), frames()
    out = made(x)
    for number in range(3):
        asking, asked = pairs[number] if pairs else (number, None)
        for sample in range(4):
            source = None if asked is None else x[asked, sample]
            expected = slow(made, number, x[asking, sample], source)
            torch.testing.assert_close(out[number, sample], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("pairs", [[], SETS])
def test_last_step_alone_is_the_last_of_all(pairs: list[tuple[int, int]]) -> None:
    made, x = transformers(pairs), frames()
    last = made(x, last=True)
    assert last.shape == (3, 4, 1, 8)
    torch.testing.assert_close(last, made(x)[:, :, -1:])


def test_later_steps_are_not_seen() -> None:
    made, x = transformers(SETS), frames()
    other = torch.cat([x[:, :, :3], x[:, :, 3:4].flip(3), x[:, :, 4:]], dim=2)
    before, after = made(x), made(other)
    torch.testing.assert_close(after[:, :, :3], before[:, :, :3])
    assert all(changed(before[:, :, step], after[:, :, step]) for step in (3, 4))


def test_legacy_positions_skip_frames_that_start_with_zero() -> None:
    x = frames()
    x[1, 2, 3, 0] = 0
    legacy, plain = transformers([], legacy=True), transformers([])
    one, other = legacy(x), plain(x)
    moved = [place for place in product(range(3), range(4), range(5)) if changed(one[place], other[place])]
    assert moved == [(1, 2, 3), (1, 2, 4)]
    shifted = x.clone()
    shifted[1, 2, 3] -= sinusoids(6, 8)[4] / math.sqrt(8)
    torch.testing.assert_close(legacy(x)[1], plain(shifted)[1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["embedding", "relu", "residual"])
def test_dropouts_act_in_training_alone(kind: str) -> None:
    made, x = transformers([], **{kind: 0.5}), frames()
    assert torch.equal(made(x), made(x))
    assert torch.equal(made(x), transformers([])(x))
    made.train()
    assert changed(made(x), made(x))


def test_attention_dropout_is_of_the_modality_that_is_asked_and_texts_in_the_memory() -> None:
    settings = Dicmor(size="tiny", text_attention_dropout=0.5, text_dropout=0, output_dropout=0)
    torch.manual_seed(0)
    fusion = MultFusion(settings, 4)
    x = torch.randn(3, 2, 8, 32)
    calm = [torch.equal(one, other) for one, other in zip(fusion.cross(x), fusion.cross(x), strict=True)]
    assert calm == [MODALITIES[asked] != "text" for _, asked in PAIRS]
    own = torch.randn(3, 2, 8, 64)
    memory = [torch.equal(one, other) for one, other in zip(fusion.memory(own), fusion.memory(own), strict=True)]
    assert memory == [False, False, False]


def test_every_modality_asks_both_others() -> None:
    assert sorted(PAIRS) == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]


@pytest.mark.parametrize(("width", "layers", "count"), [(32, 4, 905_472), (64, 6, 5_369_856), (64, 4, 3_580_416)])
def test_parameter_counts_of_dicmor(width: int, layers: int, count: int) -> None:
    """Six cross-modal and three memory transformers: MOSI's sizes, MOSEI's, and those of `size: paper`."""
    fusion = MultFusion(Dicmor(width=width, cross_layers=layers, memory_layers=layers), 4)
    parts = [*fusion.cross.parameters(), *fusion.memory.parameters()]
    assert sum(parameter.numel() for parameter in parts) == count
    assert "positions" not in "".join(fusion.state_dict())


def test_weights_start_xavier_uniform_for_each_transformer() -> None:
    torch.manual_seed(0)
    weight = Linears(2, 64, 192).weight.detach()
    bound = math.sqrt(6 / (64 + 192))
    for one in weight:
        assert 0.98 * bound < one.abs().max() <= bound
        assert abs(float(one.std()) - bound / math.sqrt(3)) < 0.002
    assert not torch.equal(*weight)
