from __future__ import annotations

import pytest
import torch
from torch import nn

from extractors.denseface import DIM, Denseface, random_denseface

pytestmark = pytest.mark.usefixtures("one_thread")


def test_channels_and_sizes_along_the_way() -> None:
    network, _ = random_denseface(0)
    stages = ("conv0", "denseblock1", "transition1", "denseblock2", "transition2", "denseblock3")
    seen: list[tuple[int, int]] = []
    for stage in stages:
        network.body.get_submodule(stage).register_forward_hook(
            lambda module, inputs, output: seen.append((output.shape[1], output.shape[2]))
        )
    assert network(torch.zeros(2, 1, 64, 64)).shape == (2, 8)
    assert seen == [(24, 32), (216, 32), (108, 16), (300, 16), (150, 8), (342, 8)]


def test_exact_size() -> None:
    def block(channels: int) -> int:
        """Sixteen pairs of norm, 1 x 1 convolution to 48, norm, 3 x 3 convolution to 12."""
        total = 0
        for _ in range(16):
            total += 2 * channels + channels * 48 + 2 * 48 + 48 * 12 * 9
            channels += 12
        return total

    def transition(channels: int) -> int:
        return 2 * channels + channels * (channels // 2)

    expected = 24 * 9 + block(24) + transition(216) + block(108) + transition(300) + block(150) + 2 * 342 + 342 * 8 + 8
    count = sum(parameter.numel() for parameter in Denseface().parameters())
    assert count == expected == 768_044
    layers = [module for module in Denseface().modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert len(layers) == 100


def test_feature_is_the_pooled_map_after_the_last_relu() -> None:
    network, _ = random_denseface(1)
    faces = torch.randn(3, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    maps = torch.relu(network.body(faces))
    features = network.features(faces)
    assert features.shape == (3, DIM)
    torch.testing.assert_close(features, torch.nn.functional.adaptive_avg_pool2d(maps, 1).flatten(1))
    torch.testing.assert_close(network(faces), network.classifier(features))
    assert (features >= 0).all()
    torch.testing.assert_close(network.features(faces[1:2]), features[1:2])  # evaluation mode: no batch statistics


def test_random_weights_depend_on_the_seed_alone() -> None:
    before = torch.random.get_rng_state()
    first, name = random_denseface(7)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(1)
    second, _ = random_denseface(7)
    other, _ = random_denseface(8)
    assert name == "random:7"
    assert not first.training
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    assert not torch.equal(first.body.conv0.weight, other.body.conv0.weight)
