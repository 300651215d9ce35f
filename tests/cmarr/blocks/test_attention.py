from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch import Tensor

from cmarr.blocks.attention import AttentionBlock, sinusoids
from cmarr.settings import Residual
from tests.closeness import changed


def test_parameter_counts() -> None:
    def count(width: int) -> int:
        return sum(parameter.numel() for parameter in AttentionBlock(width, 8, 50).parameters())

    assert count(64) == 50_112
    assert count(128) == 198_528


def slow(block: AttentionBlock, query: Tensor, source: Tensor, heads: int) -> Tensor:
    """One sample (time, width), head by head."""
    width, residual = query.shape[1], block.residual
    positions = sinusoids(len(query), width)
    if residual == "scaled":
        x, y = query * math.sqrt(width) + positions, source * math.sqrt(width) + positions
        inputs = (block.norm(x), block.norm(y), block.norm(y))
    else:
        x = {"normed": block.norm(query), "plain": query, "none": 0 * query}[residual]
        inputs = (block.norm(query) + positions, block.norm(source) + positions, block.norm(source))
    weights, biases = block.attention.in_proj_weight.chunk(3), block.attention.in_proj_bias.chunk(3)
    q, k, v = (one @ w.T + b for one, w, b in zip(inputs, weights, biases, strict=True))
    size = width // heads
    mixed = []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        mixed.append((q[:, part] @ k[:, part].T / math.sqrt(size)).softmax(1) @ v[:, part])
    attended = block.attention.out_proj(torch.cat(mixed, 1))
    if residual == "normed":
        centred = attended - attended.mean(1, keepdim=True)
        attended = centred / (centred.square().mean(1, keepdim=True) + 1e-2).sqrt()
    x = x + attended
    first, _, _, second = block.feed_forward
    out: Tensor = block.last_norm(x + second(torch.relu(first(block.feed_forward_norm(x)))))
    return out


@pytest.mark.parametrize("residual", get_args(Residual))
def test_equals_the_formulas_in_both_modes(residual: Residual) -> None:
    torch.manual_seed(0)
    block = AttentionBlock(8, 2, 5, 0.0, residual)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    query, source = torch.randn(3, 5, 8), torch.randn(3, 5, 8)
    expected = torch.stack([slow(block, q, s, 2) for q, s in zip(query, source, strict=True)])
    torch.testing.assert_close(block(query, source), expected, atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        torch.testing.assert_close(block.eval()(query, source), expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(
            block(query, query), torch.stack([slow(block, q, q, 2) for q in query]), atol=1e-5, rtol=1e-4
        )


@pytest.mark.parametrize("width", [32, 64, 192])
def test_normed_residual_and_attended_frames_have_one_size(width: int) -> None:
    """However quiet an input is and however many frames are averaged; the form of MulT has no such balance."""
    torch.manual_seed(0)

    def shares(residual: Residual, size: float) -> tuple[float, float]:
        block = AttentionBlock(width, 4, 50, 0.0, residual)
        query, source = size * torch.randn(8, 50, width), size * torch.randn(8, 50, width)
        normed = block.norm(query)
        beside, attended = block._beside(query, normed), block._attended(query, normed, source)
        return beside.square().mean().sqrt().item(), attended.square().mean().sqrt().item()

    for size in (0.05, 1.0):
        beside, attended = shares("normed", size)
        assert beside == pytest.approx(1, abs=0.05)
        assert 0.7 < attended < 1.05
    beside, attended = shares("scaled", 1.0)
    assert beside > 5 * attended


def test_a_source_of_zeros_leaves_the_gradient_in_its_range() -> None:
    """What stands for a missing modality in the baseline must not outweigh all others once gradients are clipped."""

    def norm(source: Tensor) -> float:
        torch.manual_seed(0)
        block = AttentionBlock(32, 4, 8, 0.0)
        (block(query, source) * torch.linspace(-1, 1, 32)).sum().backward()
        return torch.stack([p.grad.norm() for p in block.parameters() if p.grad is not None]).norm().item()

    query = torch.randn(16, 8, 32)
    assert norm(torch.zeros(16, 8, 32)) < 15 * norm(torch.randn(16, 8, 32))


def test_every_step_sees_the_whole_source() -> None:
    """The other last frame is no shift of all channels, which the norm takes off again."""
    torch.manual_seed(0)
    block = AttentionBlock(8, 2, 5).eval()
    query, source = torch.randn(1, 5, 8), torch.randn(1, 5, 8)
    other = torch.cat([source[:, :-1], torch.randn(1, 1, 8)], dim=1)
    assert all(map(changed, block(query, source)[0], block(query, other)[0]))


def test_positions() -> None:
    expected = [math.sin(2), math.sin(2e-4), math.cos(2), math.cos(2e-4)]
    torch.testing.assert_close(sinusoids(3, 4)[2], torch.tensor(expected))
    assert "positions" not in AttentionBlock(8, 2, 5).state_dict()
