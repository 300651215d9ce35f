from __future__ import annotations

import math

import pytest
import torch

from cmarr.blocks.instance_contrast import DistributionContrast, PointContrast, Temperature, info_nce
from cmarr.settings import CmArr

Instances = tuple[torch.Tensor, torch.Tensor]


def instances(seed: int, batch: int = 5, width: int = 6) -> Instances:
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(batch, width, generator=generator)
    return mean, torch.rand(batch, width, generator=generator) + 0.1


def settings(width: int = 6, **others: object) -> CmArr:
    return CmArr.model_validate({"umc_width": width, "umc_heads": 2, **others})


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
    contrast = DistributionContrast(settings())
    one, other = instances(0), instances(1)
    assert contrast(one, other).item() == pytest.approx(slow(one, other, -0.07 / 6, 4.0, 0.07), rel=1e-4)


def test_scale_and_temperature_can_be_given() -> None:
    contrast = DistributionContrast(settings(distance_scale=-0.3, tau_start=0.4))
    one, other = instances(0), instances(1)
    assert contrast(one, other).item() == pytest.approx(slow(one, other, -0.3, 0.0, 0.4), rel=1e-4)


def test_variances_in_place_of_deviations() -> None:
    one, other = instances(0), instances(1)
    squared = [(mean, deviation**2) for mean, deviation in (one, other)]
    expected = slow(squared[0], squared[1], -0.07 / 6, 4.0, 0.07)
    assert DistributionContrast(settings(sigma="variance"))(one, other).item() == pytest.approx(expected, rel=1e-4)
    assert DistributionContrast(settings())(one, other).item() != pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("width", [32, 768])
def test_starts_near_the_loss_of_guessing_at_any_width(width: int) -> None:
    """Of 16 strangers with unit signals; with MAP's scale, which suits trained encoders, it is several times that."""
    generator = torch.Generator().manual_seed(0)
    strangers = [(torch.randn(16, width, generator=generator), torch.ones(16, width)) for _ in range(2)]
    guessing = 2 * math.log(16)
    assert DistributionContrast(settings(width))(*strangers).item() == pytest.approx(guessing, rel=0.15)
    maps = DistributionContrast(settings(width, distance_scale=-768 / width / 200))
    assert maps(*strangers).item() > 2 * guessing


def test_shift_has_no_influence() -> None:
    one, other = instances(0), instances(1)
    shifted = DistributionContrast(settings(distance_shift=9.0))
    assert shifted.shift == 9
    torch.testing.assert_close(DistributionContrast(settings())(one, other), shifted(one, other))


def test_pair_is_symmetric() -> None:
    contrast = DistributionContrast(settings())
    one, other = instances(0), instances(1)
    torch.testing.assert_close(contrast(one, other), contrast(other, one))


def test_aligned_instances_cost_less() -> None:
    contrast = DistributionContrast(settings())
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
    assert PointContrast(settings())((one,), (other,)).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", [DistributionContrast, PointContrast])
def test_stays_in_float32_under_autocast(kind: type[torch.nn.Module]) -> None:
    contrast, one, other = kind(settings()), instances(0), instances(1)
    expected = contrast(one, other)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(contrast(one, other), expected)


def test_one_instance_costs_nothing() -> None:
    assert info_nce(torch.tensor([[3.0]])).item() == 0


@pytest.mark.parametrize(("tau", "kept"), [(0.07, 0.07), (0.001, 0.01), (-3.0, 0.01), (2.0, 1.0)])
def test_temperature_is_brought_back_into_its_range(tau: float, kept: float) -> None:
    temperature = Temperature(settings())
    with torch.no_grad():
        temperature.tau.fill_(tau)
    temperature.clamp()
    value = temperature()
    value.backward()
    assert value.item() == temperature.tau.item() == pytest.approx(kept, rel=1e-4)
    assert temperature.tau.grad is not None
    assert temperature.tau.grad.item() == 1


def test_a_fixed_temperature_is_saved_but_not_learned() -> None:
    contrast = DistributionContrast(settings(tau_learned=False, tau_start=0.3))
    assert contrast.state_dict()["temperature.tau"].item() == pytest.approx(0.3)
    one, other = instances(0), instances(1)
    one[0].requires_grad_()
    contrast(one, other).backward()
    assert contrast.temperature.tau.grad is None
    assert one[0].grad is not None


@pytest.mark.parametrize(("tau", "kept"), [(0.001, 0.05), (0.9, 0.5)])
def test_range_of_the_temperature_can_be_given(tau: float, kept: float) -> None:
    temperature = Temperature(settings(tau_least=0.05, tau_most=0.5))
    with torch.no_grad():
        temperature.tau.fill_(tau)
    temperature.clamp()
    assert temperature().item() == pytest.approx(kept)
