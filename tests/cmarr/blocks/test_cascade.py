from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cmarr.blocks.cascade import Cascade


def made(**switches: bool) -> Cascade:
    torch.manual_seed(0)
    return Cascade(6, (5, 4, 3), 5, **switches).double()


def through(layers: Any, x: Tensor, activation: Any) -> Tensor:
    """Three linear layers by hand, with an activation behind the first two."""
    first, second, third = (layer for layer in layers if isinstance(layer, nn.Linear))
    x = activation(x @ first.weight.T + first.bias)
    x = activation(x @ second.weight.T + second.bias)
    return x @ third.weight.T + third.bias


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.01 * x)


def autoencoder(cascade: Cascade, k: int, u: Tensor) -> tuple[Tensor, Tensor]:
    c = through(cascade.encoders[k], u, leaky)
    return c, through(cascade.decoders[k], c, functional.relu)


def transition(cascade: Cascade, x: Tensor) -> Tensor:
    first, second = (layer for layer in cascade.transition.children() if isinstance(layer, nn.Linear))
    return functional.relu(x @ first.weight.T + first.bias) @ second.weight.T + second.bias


def test_mmin_adds_each_output_to_what_came_before() -> None:
    cascade, h = made(), torch.randn(4, 6, dtype=torch.float64)
    c1, o1 = autoencoder(cascade, 0, h)
    u2 = h + o1
    c2, o2 = autoencoder(cascade, 1, u2)
    u3 = u2 + o2
    c3, o3 = autoencoder(cascade, 2, u3)
    u4 = u3 + o3
    c4, o4 = autoencoder(cascade, 3, u4)
    u5 = u4 + o4
    c5, o5 = autoencoder(cascade, 4, u5)
    out, codes = cascade(h)
    torch.testing.assert_close(out, transition(cascade, u5 + o5))
    torch.testing.assert_close(codes, torch.cat([c1, c2, c3, c4, c5], dim=1))


@pytest.mark.parametrize("skip", [False, True])
def test_if_mmin_and_cif_mmin_inject_into_every_autoencoder(skip: bool) -> None:
    """IF-MMIN goes on from the last output alone, CIF-MMIN from its sum with the last input."""
    cascade = made(skip=skip)
    h, g = torch.randn(2, 4, 6, dtype=torch.float64)
    o, codes = h, []
    for k in range(5):
        u = o + g
        c, o = autoencoder(cascade, k, u)
        codes.append(c)
    out, found = cascade(h, g)
    torch.testing.assert_close(out, transition(cascade, u + o if skip else o))
    torch.testing.assert_close(found, torch.cat(codes, dim=1))


def test_without_transition_the_input_and_all_residuals_are_added() -> None:
    cascade, h = made(transition=False), torch.randn(4, 6, dtype=torch.float64)
    estimate = h
    for k in range(5):
        estimate = estimate + autoencoder(cascade, k, estimate)[1]
    torch.testing.assert_close(cascade(h)[0], estimate)


def test_size_of_the_published_one() -> None:
    cascade = Cascade(384, (256, 128, 64), 5)
    assert sum(parameter.numel() for parameter in cascade.parameters()) == 1_694_400
    out, codes = cascade(torch.zeros(2, 384))
    assert out.shape == (2, 384)
    assert codes.shape == (2, 320)
