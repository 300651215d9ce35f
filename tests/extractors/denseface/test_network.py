from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from extractors.denseface import network as module
from extractors.denseface.network import DIM, SHIPPED, SHIPPED_SHA256, Denseface, load, recipe
from extractors.files import UserError, sha256
from extractors.settings import DensefaceRecipe


def seeded(seed: int) -> Denseface:
    torch.manual_seed(seed)
    return Denseface().eval()


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A file as `denseface train` writes it."""
    path = tmp_path / "weights.safetensors"
    save_file(seeded(0).state_dict(), path, {"recipe": DensefaceRecipe(seed=5).model_dump_json()})
    return path


def test_channels_and_sizes_along_the_way() -> None:
    network = seeded(0)
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
    network = seeded(1)
    faces = torch.randn(3, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    maps = torch.relu(network.body(faces))
    features = network.features(faces)
    assert features.shape == (3, DIM)
    torch.testing.assert_close(features, torch.nn.functional.adaptive_avg_pool2d(maps, 1).flatten(1))
    torch.testing.assert_close(network(faces), network.classifier(features))
    assert (features >= 0).all()
    torch.testing.assert_close(network.features(faces[1:2]), features[1:2])  # evaluation mode: no batch statistics


def test_weights_of_a_file(trained: Path) -> None:
    network, name = load(trained)
    assert name == f"ferplus:{sha256(trained)[:12]}"
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    expected = seeded(0).state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in network.state_dict().items())
    assert recipe(trained).seed == 5


def test_shipped_weights_are_those_of_the_code() -> None:
    network, name = load()
    assert name == f"ferplus:{SHIPPED_SHA256[:12]}"
    faces = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network.features(faces), load(SHIPPED)[0].features(faces))


def test_damaged_shipped_weights_are_refused(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHIPPED", trained)
    with pytest.raises(UserError, match=r"weights\.safetensors is damaged; restore"):
        load()
    trained.unlink()
    with pytest.raises(UserError, match=r"weights\.safetensors is missing; restore"):
        load()


def test_a_file_that_is_missing_or_foreign_is_named(trained: Path) -> None:
    folder = trained.parent
    foreign = folder / "foreign.safetensors"
    with pytest.raises(UserError, match=r"foreign\.safetensors is missing; make it with `denseface train`"):
        load(foreign)
    other_shape = {**seeded(0).state_dict(), "classifier.bias": torch.zeros(7)}
    for tensors in ({"a": torch.zeros(1)}, other_shape):
        save_file(tensors, foreign)
        with pytest.raises(UserError, match=r"foreign\.safetensors has no weights of Denseface") as caught:
            load(foreign)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"foreign\.safetensors says no recipe"):
        recipe(foreign)
    cut = folder / "cut.safetensors"
    cut.write_bytes(trained.read_bytes()[:1000])
    for read in (load, recipe):
        with pytest.raises(UserError, match=r"cut\.safetensors"):
            read(cut)
