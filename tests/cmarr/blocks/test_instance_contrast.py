from __future__ import annotations

import math

import pytest
import torch

from cmarr.blocks.instance_contrast import DistributionContrast, PointContrast, Temperature, info_nce

Instances = tuple[torch.Tensor, torch.Tensor]


def instances(seed: int, batch: int = 5, width: int = 6) -> Instances:
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(batch, width, generator=generator)
    return mean, torch.rand(batch, width, generator=generator) + 0.1


def slow(one: Instances, other: Instances, scale: float, shift: float, tau: float) -> float:
    """Eq. 1 to 5 as double loops."""
    batch = len(one[0])

    def share(i: int, j: int) -> float:
        distance = sum((a - b) ** 2 for a, b in zip(one[0][i].tolist(), other[0][j].tolist(), strict=True))
        distance += sum((a - b) ** 2 for a, b in zip(one[1][i].tolist(), other[1][j].tolist(), strict=True))
        return math.exp((scale * distance + shift) / tau)

    total = 0.0
    for i in range(batch):
        total -= math.log(share(i, i) / sum(share(i, n) for n in range(batch))) / batch
        total -= math.log(share(i, i) / sum(share(n, i) for n in range(batch))) / batch
    return total


def test_equals_the_double_loop() -> None:
    contrast = DistributionContrast(width=6)
    one, other = instances(0), instances(1)
    assert contrast(one, other).item() == pytest.approx(slow(one, other, -768 / 6 / 200, 4.0, 0.07), rel=1e-4)


def test_scale_is_maps_at_its_width() -> None:
    assert DistributionContrast(width=768).scale == pytest.approx(-1 / 200)


def test_shift_has_no_influence() -> None:
    one, other = instances(0), instances(1)
    torch.testing.assert_close(DistributionContrast(6)(one, other), DistributionContrast(6, shift=9.0)(one, other))


def test_pair_is_symmetric() -> None:
    contrast = DistributionContrast(6)
    one, other = instances(0), instances(1)
    torch.testing.assert_close(contrast(one, other), contrast(other, one))


def test_aligned_instances_cost_less() -> None:
    contrast = DistributionContrast(6)
    one = instances(0)
    assert contrast(one, one) < contrast(one, instances(1))


def test_points_equal_the_double_loop() -> None:
    one, other = instances(0)[0], instances(1)[0]

    def share(i: int, j: int) -> float:
        return math.exp(torch.cosine_similarity(one[i], other[j], dim=0).item() / 0.07)

    expected = 0.0
    for i in range(5):
        expected -= math.log(share(i, i) / sum(share(i, n) for n in range(5))) / 5
        expected -= math.log(share(i, i) / sum(share(n, i) for n in range(5))) / 5
    assert PointContrast()((one,), (other,)).item() == pytest.approx(expected, rel=1e-4)


def test_one_instance_costs_nothing() -> None:
    assert info_nce(torch.tensor([[3.0]])).item() == 0


@pytest.mark.parametrize(("tau", "used"), [(0.07, 0.07), (0.001, 0.01), (-3.0, 0.01), (2.0, 1.0)])
def test_temperature_is_kept_in_its_range_and_still_learns(tau: float, used: float) -> None:
    temperature = Temperature()
    with torch.no_grad():
        temperature.tau.fill_(tau)
    value = temperature()
    value.backward()
    assert value.item() == pytest.approx(used)
    assert temperature.tau.grad is not None
    assert temperature.tau.grad.item() == 1
