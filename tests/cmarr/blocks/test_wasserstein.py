from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import sqrtm

from cmarr.blocks.wasserstein import squared_wasserstein


def gaussians(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 5, generator=generator), torch.rand(count, 5, generator=generator) + 0.1


def test_equals_the_closed_form_for_general_covariances() -> None:
    mean, deviation = gaussians(3, 0)
    other_mean, other_deviation = gaussians(4, 1)
    distance = squared_wasserstein(mean, deviation, other_mean, other_deviation)
    assert distance.shape == (3, 4)
    for i in range(3):
        for j in range(4):
            first, second = np.diag(deviation[i].numpy() ** 2), np.diag(other_deviation[j].numpy() ** 2)
            root = sqrtm(first)
            expected = np.sum((mean[i] - other_mean[j]).numpy() ** 2)
            expected += np.trace(first + second - 2 * sqrtm(root @ second @ root)).real
            np.testing.assert_allclose(distance[i, j].item(), expected, rtol=1e-5)


def test_equal_gaussians_are_at_exactly_zero() -> None:
    mean, deviation = gaussians(6, 2)
    assert torch.equal(squared_wasserstein(mean, deviation, mean, deviation).diagonal(), torch.zeros(6))


def test_symmetric() -> None:
    one, other = gaussians(3, 3), gaussians(4, 4)
    torch.testing.assert_close(squared_wasserstein(*one, *other), squared_wasserstein(*other, *one).T)


def test_half_precision_input_is_computed_in_float32() -> None:
    mean, deviation = gaussians(3, 5)
    out = squared_wasserstein(mean.bfloat16(), deviation.bfloat16(), mean.bfloat16(), deviation.bfloat16())
    assert out.dtype == torch.float32
