from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from extractors.denseface.inference import Features
from extractors.denseface.network import DIM, Denseface

CLOSE = 1e-5


@pytest.fixture(scope="module")
def network() -> Denseface:
    """Random weights whose batch norms all do something; some scales are negative or zero."""
    torch.manual_seed(0)
    network = Denseface().eval().requires_grad_(False)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.weight.uniform_(-0.5, 1.5)[0] = 0
            norm.bias.normal_(0.2, 0.5)
            norm.running_mean.normal_(0, 0.5)  # type: ignore[union-attr]
            norm.running_var.uniform_(0.2, 2)  # type: ignore[union-attr]
    return network


def pictures(count: int, side: int = 64) -> Tensor:
    return torch.randn(count, 1, side, side, generator=torch.Generator().manual_seed(1))


def difference(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


@pytest.mark.parametrize(("count", "side"), [(1, 64), (5, 64), (3, 44), (1, 96)])
def test_features_of_the_module(network: Denseface, count: int, side: int) -> None:
    faces = pictures(count, side)
    features = Features(network)(faces)
    assert features.shape == (count, DIM)
    assert features.dtype == torch.float32
    assert features.std() > 0.01
    assert difference(features, network.features(faces)) < CLOSE


def test_a_face_does_not_depend_on_its_batch(network: Denseface) -> None:
    features, faces = Features(network), pictures(7)
    together = features(faces)
    assert torch.equal(features(faces), together)
    for place in (0, 2, 6):
        assert difference(features(faces[place : place + 1])[0], together[place]) < CLOSE


def test_any_layout_of_the_weights(network: Denseface) -> None:
    other = Denseface().eval()
    other.load_state_dict(network.state_dict())
    other.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    faces = pictures(2)
    assert difference(Features(other)(faces), network.features(faces)) < CLOSE


def test_the_network_is_left_as_it_was(network: Denseface) -> None:
    own = Denseface().eval()
    own.load_state_dict(network.state_dict())
    features, faces = Features(own), pictures(1)
    before = features(faces)
    assert not before.requires_grad
    state = own.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    for value in state.values():
        value.zero_()
    assert torch.equal(features(faces), before)
