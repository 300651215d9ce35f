from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from cmarr.blocks.pair_contrast import pair_contrast


def vectors(seed: int, batch: int = 5, width: int = 6) -> Tensor:
    return torch.randn(batch, width, generator=torch.Generator().manual_seed(seed))


def slow(one: Tensor, other: Tensor) -> float:
    """Both directions as double loops, with the published epsilon in the denominator."""

    def affinity(x: Tensor, y: Tensor) -> float:
        return math.exp(math.exp(1) * torch.cosine_similarity(x.double(), y.double(), dim=0).item())

    losses = []
    for u, w in ((one, other), (other, one)):
        for i in range(len(u)):
            below = sum(affinity(u[i], w[j]) for j in range(len(w)) if j != i) + 1e-10
            losses.append(-math.log(affinity(u[i], w[i]) / below))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("batch", [2, 5, 9])
def test_equals_the_double_loop(seed: int, batch: int) -> None:
    one, other = vectors(seed, batch), vectors(seed + 10, batch)
    assert pair_contrast(one, other).item() == pytest.approx(slow(one, other), rel=1e-5)


def test_symmetric_under_swapping_modalities_and_blind_to_length_and_order() -> None:
    one, other = vectors(0), vectors(1)
    expected = pair_contrast(one, other)
    torch.testing.assert_close(pair_contrast(other, one), expected)
    torch.testing.assert_close(pair_contrast(7 * one, 0.1 * other), expected)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(pair_contrast(one[order], other[order]), expected)


def test_the_positive_is_not_in_the_denominator() -> None:
    """Two utterances, opposite in both modalities: each direction costs -kappa - kappa."""
    x = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert pair_contrast(x, x).item() == pytest.approx(-2 * math.e)


def test_a_batch_of_one_costs_nothing() -> None:
    one = vectors(0, batch=1).requires_grad_()
    assert pair_contrast(one, vectors(1, batch=1)).item() == 0


def test_gradient_is_finite_and_pulls_modalities_together() -> None:
    one, other = vectors(0).requires_grad_(), vectors(1)
    before = pair_contrast(one, other)
    with torch.autograd.set_detect_anomaly(True):
        (gradient,) = torch.autograd.grad(before, one)
    assert gradient.isfinite().all()
    assert pair_contrast(one - 0.1 * gradient, other) < before


def test_stays_in_float32_under_autocast() -> None:
    expected = pair_contrast(vectors(0), vectors(1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(pair_contrast(vectors(0), vectors(1)), expected)
        assert pair_contrast(vectors(0, 1).bfloat16(), vectors(1, 1)).dtype == torch.float32
