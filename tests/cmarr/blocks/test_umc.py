from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cmarr.blocks.resample import real_frames
from cmarr.blocks.umc import Umc
from cmarr.settings import CmArr
from tests.closeness import changed


def component(width: int = 8, heads: int = 4, **others: object) -> Umc:
    return Umc(CmArr.model_validate({"umc_width": width, "umc_heads": heads, **others}))


def randomised(**others: object) -> Umc:
    """A component in evaluation mode whose weights are far from their start."""
    umc = component(**others).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in umc.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
    return umc


@pytest.mark.parametrize(("width", "heads", "count"), [(768, 12, 12_400_896), (256, 8, 1_381_120), (128, 8, 346_496)])
def test_parameter_count_of_map(width: int, heads: int, count: int) -> None:
    assert (
        sum(parameter.numel() for parameter in component(width, heads).parameters())
        == count
        == 21 * width**2 + 19 * width
    )


def slow(umc: Umc, x: Tensor) -> tuple[Tensor, Tensor]:
    """The formulas of one sample (time, width) without padding, head by head."""
    h = umc.norm(functional.gelu(umc.feature(x)))
    *asked, value = umc.qkv(h).split(x.shape[1], dim=1)
    size = x.shape[1] // umc.heads
    heads = []
    for head in range(umc.heads):
        part = slice(head * size, (head + 1) * size)
        weight = (asked[0][:, part] @ asked[1][:, part].T / math.sqrt(size)).softmax(1) if asked else torch.eye(len(x))
        heads.append(weight @ value[:, part])
    for_mean = torch.cat(heads[: umc.heads // 2], 1)
    for_sigma = torch.cat(heads[umc.heads // 2 :], 1)

    def mlp(net: torch.nn.Sequential, y: Tensor) -> Tensor:
        norm, up, _, _, down, _ = net
        out: Tensor = down(functional.gelu(up(norm(y))))
        return out

    m = x + umc.mean_head(for_mean)
    q = umc.deviation_head(for_sigma)
    limit = umc.limit or torch.inf
    return m + mlp(umc.mean_mlp, m), (q + mlp(umc.deviation_mlp, q)).clamp(-limit, limit).exp()


@pytest.mark.parametrize("ablation", ["none", "no_umc_attention"])
@pytest.mark.parametrize("limit", [5.0, 0.5, None])
def test_equals_the_formulas_sample_by_sample(ablation: str, limit: float | None) -> None:
    umc = randomised(ablation=ablation, log_sigma_limit=limit)
    lengths = torch.tensor([3, 6, 1])
    x = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(0))
    mean, deviation = umc.gaussian(x, real_frames(lengths, 6))
    assert umc.qkv.out_features == (8 if ablation == "no_umc_attention" else 24)
    for sample, length in enumerate(lengths.tolist()):
        slow_mean, slow_deviation = slow(umc, x[sample, :length])
        torch.testing.assert_close(mean[sample, :length], slow_mean, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(deviation[sample, :length], slow_deviation, rtol=1e-4, atol=1e-4)


def test_mean_alone_is_the_same_mean() -> None:
    umc = randomised()
    x, real = torch.randn(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)
    assert torch.equal(umc(x, real), umc.gaussian(x, real)[0])


def test_padding_has_no_influence() -> None:
    umc = randomised()
    lengths = torch.tensor([3, 4])
    x = torch.randn(2, 4, 8)
    wider = torch.cat([x, torch.randn(2, 9, 8)], dim=1)
    short = umc(x, real_frames(lengths, 4))
    long = umc(wider, real_frames(lengths, 13))
    for sample, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(short[sample, :length], long[sample, :length])


def test_deviation_stays_within_its_limits() -> None:
    umc = randomised()
    with torch.no_grad():
        umc.deviation_head.bias.fill_(1000.0)
    deviation = umc.gaussian(torch.randn(2, 5, 8), torch.ones(2, 5, dtype=torch.bool))[1]
    assert deviation.max().item() == pytest.approx(math.exp(5))


def test_without_deviation_there_are_no_parameters_for_it() -> None:
    names = {name for name, _ in component(ablation="point").named_parameters()}
    assert names
    assert not any("deviation" in name for name in names)


@pytest.mark.parametrize(("width", "heads", "deviation"), [(768, 12, 0.02), (192, 8, 0.04), (32, 4, 0.098)])
def test_starts_as_map_does_at_its_width(width: int, heads: int, deviation: float) -> None:
    torch.manual_seed(0)
    umc = component(width, heads)
    assert umc.qkv.weight.std().item() == pytest.approx(deviation, rel=0.04)
    assert not umc.mean_head.bias.any()


def test_signals_start_equally_large_at_any_width() -> None:
    """What the attended frames add to unit inputs; with MAP's deviation at any width, 3 % of it would be left at 32."""
    added = []
    for width, heads in ((768, 12), (256, 8), (32, 4)):
        torch.manual_seed(0)
        umc = component(width, heads, umc_dropout=0.0)
        x = torch.randn(8, 5, width)
        added.append((umc(x, torch.ones(8, 5, dtype=torch.bool)) - x).square().mean().sqrt().item())
    assert max(added) < 1.5 * min(added)


def test_frames_without_attention_do_not_see_each_other() -> None:
    x, real = torch.randn(1, 5, 8), torch.ones(1, 5, dtype=torch.bool)
    moved = torch.cat([x[:, :-1], x[:, -1:] + 1], dim=1)
    alone, together = randomised(ablation="no_umc_attention"), randomised()
    for one, other in zip(alone.gaussian(x, real), alone.gaussian(moved, real), strict=True):
        torch.testing.assert_close(one[:, :-1], other[:, :-1])
    assert all(map(changed, together(x, real)[0], together(moved, real)[0]))


def test_dropout_is_that_of_the_settings() -> None:
    x, real = torch.randn(1, 50, 8), torch.ones(1, 50, dtype=torch.bool)
    none = component(umc_dropout=0.0).train()
    assert torch.equal(none(x, real), none.eval()(x, real))
    some = component(umc_dropout=0.4).train()
    rates = {module.p for module in some.modules() if isinstance(module, torch.nn.Dropout)} | {some.dropout}
    assert rates == {0.4}
    assert changed(some(x, real), some(x, real))
