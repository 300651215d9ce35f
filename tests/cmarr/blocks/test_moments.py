from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from cmarr.blocks.moments import moment_discrepancy, moments


def vectors(seed: int, batch: int = 6, width: int = 4) -> Tensor:
    return torch.randn(batch, width, generator=torch.Generator().manual_seed(seed))


def slow(one: Tensor, other: Tensor) -> float:
    """The distance of each moment, dimension by dimension and number by number."""

    def moment(x: Tensor, column: int, order: int) -> float:
        values = [float(row[column]) for row in x]
        mean = sum(values) / len(values)
        return mean if order == 1 else sum((value - mean) ** order for value in values) / len(values)

    total = 0.0
    for order in (1, 2, 3, 4, 5):
        squares = [(moment(one, c, order) - moment(other, c, order)) ** 2 for c in range(one.shape[1])]
        total += math.sqrt(sum(squares))
    return total


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_slow_sum(seed: int) -> None:
    one, other = 2 * vectors(seed) + 0.5, vectors(seed + 10, batch=9)
    assert moment_discrepancy(one, other).item() == pytest.approx(slow(one, other), rel=1e-5)


def test_moments_of_a_known_set() -> None:
    """0, 0, 0, 4: mean 1, and central moments (3 (-1)^k + 3^k) / 4."""
    found = moments(torch.tensor([[0.0], [0.0], [0.0], [4.0]]))
    assert found.squeeze(1).tolist() == pytest.approx([1, 3, 6, 21, 60])


def test_a_shift_costs_its_length_alone() -> None:
    shift = torch.tensor([3.0, 0.0, 0.0, 4.0])
    assert moment_discrepancy(vectors(0) + shift, vectors(0)).item() == pytest.approx(5, abs=1e-3)


def test_symmetric_and_blind_to_order() -> None:
    one, other = vectors(0), vectors(1)
    torch.testing.assert_close(moment_discrepancy(one, other), moment_discrepancy(other, one))
    torch.testing.assert_close(moment_discrepancy(one.flip(0), other), moment_discrepancy(one, other))


@pytest.mark.parametrize("make", [vectors, lambda seed: vectors(seed, batch=1), lambda seed: 0 * vectors(seed)])
def test_a_set_against_itself_costs_nothing_and_has_a_finite_gradient(make: Callable[[int], Tensor]) -> None:
    x = make(0).requires_grad_()
    loss = moment_discrepancy(x, x)
    with torch.autograd.set_detect_anomaly(True):
        loss.backward()
    assert loss.item() == 0
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_gradient_is_finite_where_only_the_first_set_learns() -> None:
    x = vectors(0).requires_grad_()
    moment_discrepancy(x, vectors(0)).backward()
    assert x.grad is not None
    assert not x.grad.any()


def test_gradient_is_that_of_the_formula() -> None:
    one, other = vectors(0).double().requires_grad_(), vectors(1)
    centred, fixed = one - one.mean(0), (other - other.mean(0)).double()
    formula = (one.mean(0) - other.mean(0).double()).norm()
    for order in (2, 3, 4, 5):
        formula = formula + ((centred**order).mean(0) - (fixed**order).mean(0)).norm()
    (expected,) = torch.autograd.grad(formula, one)
    (found,) = torch.autograd.grad(moment_discrepancy(one, other), one)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_stays_in_float32_under_autocast() -> None:
    expected = moment_discrepancy(vectors(0), vectors(1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(moment_discrepancy(vectors(0), vectors(1)), expected)
    assert moment_discrepancy(vectors(0).bfloat16(), vectors(1)).dtype == torch.float32
