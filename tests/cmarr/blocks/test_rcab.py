from __future__ import annotations

import pytest
import torch
from torch import nn

from cmarr.blocks.rcab import ChannelAttention, Rcab, ResidualGroup, reconstruction


@pytest.mark.parametrize(("width", "count"), [(32, 522_224), (64, 2_080_736), (128, 8_306_624)])
def test_parameter_count_of_dicmor(width: int, count: int) -> None:
    assert sum(parameter.numel() for parameter in reconstruction(width, 20).parameters()) == count


def test_shape_is_kept() -> None:
    assert reconstruction(8, 2)(torch.randn(3, 8, 7)).shape == (3, 8, 7)


def test_channel_attention_scales_each_channel_by_one_gate() -> None:
    x = torch.randn(2, 32, 5)
    ratio = ChannelAttention(32, 16)(x) / x
    torch.testing.assert_close(ratio, ratio[:, :, :1].expand(-1, -1, 5))
    assert ((ratio > 0) & (ratio < 1)).all()


@pytest.mark.parametrize(("reduction", "hidden_units"), [(16, 2), (4, 8), (64, 1)])
def test_channel_attention_is_the_formula(reduction: int, hidden_units: int) -> None:
    attention = ChannelAttention(32, reduction)
    squeeze, _, widen, _ = attention.gate
    assert isinstance(squeeze, nn.Conv1d)
    assert isinstance(widen, nn.Conv1d)
    assert squeeze.bias is not None
    assert widen.bias is not None
    x = torch.randn(1, 32, 5)
    assert squeeze.out_channels == hidden_units
    hidden = torch.relu(squeeze.weight[:, :, 0] @ x[0].mean(1) + squeeze.bias)
    gate = torch.sigmoid(widen.weight[:, :, 0] @ hidden + widen.bias)
    torch.testing.assert_close(attention(x)[0], x[0] * gate[:, None])


def test_blocks_and_group_are_residual() -> None:
    x = torch.randn(2, 16, 5)
    for module in (Rcab(16, 4), ResidualGroup(16, 2, 4)):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.zero_()
        assert torch.equal(module(x), x)


def test_is_the_formula() -> None:
    """Widen, blocks of two convolutions and a gate around a skip, last convolution around the long skip, narrow."""
    module = reconstruction(8, 2, reduction=4, widening=3).double()
    widen, group, narrow = module
    assert widen.out_channels == narrow.in_channels == 24
    x = torch.randn(3, 8, 7).double()
    y = start = widen(x)
    for block in group.body[:2]:
        first, _, second, attention = block.body
        y = y + attention(second(first(y).clamp(min=0)))
    torch.testing.assert_close(module(x), narrow(start + group.body[2](y)))
    assert group.body[0].body[3].gate[0].out_channels == 6


def test_a_single_step_has_kernels_of_one() -> None:
    def kernels(time_steps: int | None) -> set[int]:
        made = reconstruction(8, 2, time_steps=time_steps)
        return {part.kernel_size[0] for part in made[1].modules() if isinstance(part, nn.Conv1d)}

    assert kernels(1) == {1}
    assert kernels(2) == kernels(None) == {1, 3}
    assert reconstruction(8, 2, time_steps=1)(torch.randn(3, 8, 1)).shape == (3, 8, 1)
