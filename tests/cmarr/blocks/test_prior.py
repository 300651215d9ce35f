from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

from cmarr.blocks.prior import ClassPrior, StandardPrior, bits_per_dimension

LABELS = torch.tensor([2, 0, 2])


def latents() -> torch.Tensor:
    return torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))


def test_standard_prior_is_a_standard_normal() -> None:
    z = latents()
    joint = MultivariateNormal(torch.zeros(20), torch.eye(20))
    torch.testing.assert_close(StandardPrior()(z, LABELS), joint.log_prob(z.flatten(1)))
    assert not list(StandardPrior().parameters())


def test_class_prior_starts_as_the_standard_one() -> None:
    torch.testing.assert_close(ClassPrior(4, 4)(latents(), LABELS), StandardPrior()(latents(), LABELS))


def test_class_prior_takes_each_sample_by_its_class() -> None:
    prior, z = ClassPrior(3, 4), latents()
    with torch.no_grad():
        prior.mean.copy_(torch.randn(3, 4))
        prior.log_sigma.copy_(torch.randn(3, 4))
    expected = [
        sum(
            Normal(prior.mean[label, channel], prior.log_sigma[label, channel].exp()).log_prob(z[row, channel, time])
            for channel in range(4)
            for time in range(5)
        )
        for row, label in enumerate(LABELS.tolist())
    ]
    torch.testing.assert_close(prior(z, LABELS), torch.stack(expected))


def test_parameters_are_those_of_dicmor_that_act() -> None:
    """Its 8,448 at d = 64 are a convolution's d x 2d weights, which meet zeros, its 2d biases and 2d scales of them."""
    acting = sum(parameter.numel() for parameter in ClassPrior(1, 64).parameters())
    assert acting == 8_448 - 64 * 128 - 128


def test_bits_of_coin_flips() -> None:
    """Eight coins, each of probability 1/2: one bit a coin."""
    assert bits_per_dimension(torch.full((3,), 8 * math.log(0.5)), 8).item() == pytest.approx(1)


def test_bits_are_not_less_than_zero() -> None:
    log_likelihood = torch.tensor([5.0, 3.0], requires_grad=True)
    bits = bits_per_dimension(log_likelihood, 2)
    bits.backward()
    assert bits.item() == 0
    assert log_likelihood.grad is not None
    assert not log_likelihood.grad.any()


def test_bits_are_of_the_mean_over_the_batch() -> None:
    """The floor is applied after the mean, so one likely sample makes up for an unlikely one."""
    assert bits_per_dimension(torch.tensor([-3.0, 1.0]), 4).item() == pytest.approx(1 / (4 * math.log(2)))
