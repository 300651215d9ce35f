from __future__ import annotations

import math

import torch
from torch import Tensor

from cmarr.blocks.attention import AttentionBlock, sinusoids
from tests.closeness import changed


def test_parameter_counts() -> None:
    def count(width: int) -> int:
        return sum(parameter.numel() for parameter in AttentionBlock(width, 8, 50).parameters())

    assert count(64) == 50_112
    assert count(128) == 198_528


def slow(block: AttentionBlock, query: Tensor, source: Tensor, heads: int) -> Tensor:
    """One sample (time, width), head by head."""
    width = query.shape[1]
    positions = sinusoids(len(query), width)
    x, y = query * math.sqrt(width) + positions, source * math.sqrt(width) + positions
    weights, biases = block.attention.in_proj_weight.chunk(3), block.attention.in_proj_bias.chunk(3)
    inputs = (block.norm(x), block.norm(y), block.norm(y))
    q, k, v = (one @ w.T + b for one, w, b in zip(inputs, weights, biases, strict=True))
    size = width // heads
    mixed = []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        mixed.append((q[:, part] @ k[:, part].T / math.sqrt(size)).softmax(1) @ v[:, part])
    x = x + block.attention.out_proj(torch.cat(mixed, 1))
    first, _, _, second = block.feed_forward
    out: Tensor = block.last_norm(x + second(torch.relu(first(block.feed_forward_norm(x)))))
    return out


def test_equals_the_formulas_in_both_modes() -> None:
    torch.manual_seed(0)
    block = AttentionBlock(8, 2, 5, dropout=0.0)
    query, source = torch.randn(3, 5, 8), torch.randn(3, 5, 8)
    expected = torch.stack([slow(block, q, s, 2) for q, s in zip(query, source, strict=True)])
    torch.testing.assert_close(block(query, source), expected)
    with torch.no_grad():
        torch.testing.assert_close(block.eval()(query, source), expected)
        torch.testing.assert_close(
            block(query, query), torch.stack([slow(block, q, q, 2) for q in query]), atol=1e-5, rtol=1e-4
        )


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
