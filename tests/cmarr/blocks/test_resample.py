from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from cmarr.blocks.resample import mean_over_time, real_frames, resample

LENGTHS = torch.tensor([1, 2, 7, 11, 50])


def padded(seed: int = 0) -> torch.Tensor:
    """Random frames with junk behind each sample's length."""
    return torch.randn(len(LENGTHS), 50, 3, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("steps", [2, 8, 50, 77])
def test_equals_interpolation_of_each_sample_alone(steps: int) -> None:
    x = padded().double()
    out = resample(x, LENGTHS, steps)
    for sample, length in enumerate(LENGTHS.tolist()):
        alone = x[sample : sample + 1, :length].transpose(1, 2)
        expected = functional.interpolate(alone, size=steps, mode="linear", align_corners=True)[0].T
        torch.testing.assert_close(out[sample], expected)


def test_ends_are_kept_exactly() -> None:
    x = padded()
    out = resample(x, LENGTHS, 8)
    assert torch.equal(out[:, 0], x[:, 0])
    assert torch.equal(out[:, -1], x[torch.arange(len(LENGTHS)), LENGTHS - 1])


def test_as_many_steps_as_frames_is_the_identity() -> None:
    x = padded()
    assert torch.equal(resample(x, torch.full((len(x),), 50), 50), x)


def test_one_step_is_the_mean_over_real_frames() -> None:
    x = padded()
    out = resample(x, LENGTHS, 1)
    for sample, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(out[sample, 0], x[sample, :length].mean(0))


@pytest.mark.parametrize("steps", [1, 8])
def test_padding_has_no_influence_even_when_not_a_number(steps: int) -> None:
    x = padded()
    spoilt = torch.where(real_frames(LENGTHS, 50)[:, :, None], x, torch.nan)
    assert torch.equal(resample(x, LENGTHS, steps), resample(spoilt, LENGTHS, steps))
    assert torch.equal(mean_over_time(x, LENGTHS), mean_over_time(spoilt, LENGTHS))


def test_gradient() -> None:
    x = padded()[:3, :7].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda value: resample(value, LENGTHS[:3], 4), x)


def test_mask() -> None:
    assert real_frames(torch.tensor([1, 3]), 3).tolist() == [[True, False, False], [True, True, True]]
