from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import interpolate

from extractors.denseface.augment import distorted, plain, random_maps
from extractors.settings import DensefaceRecipe

STILL = DensefaceRecipe(shift=0, scale=1, rotation=0, skew=0, flip=False)


def random_pictures(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 48, 48), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_plain_is_bilinear_scaling_and_standardisation() -> None:
    pictures = random_pictures(3)
    expected = interpolate(pictures[:, None].float(), size=(64, 64), mode="bilinear", align_corners=False)
    torch.testing.assert_close(plain(pictures, 64, STILL), (expected - 129) / 63.58, atol=1e-4, rtol=0)


@pytest.mark.parametrize("side", [32, 48, 64])
def test_without_any_range_nothing_is_distorted(side: int) -> None:
    pictures = random_pictures(4)
    assert distorted(pictures, side, STILL, generator()).shape == (4, 1, side, side)
    torch.testing.assert_close(distorted(pictures, side, STILL, generator()), plain(pictures, side, STILL))


def test_half_of_the_pictures_are_mirrored() -> None:
    pictures = random_pictures(200)
    recipe = STILL.model_copy(update={"flip": True})
    found, same = distorted(pictures, 48, recipe, generator()), plain(pictures, 48, STILL)
    kept = torch.tensor([torch.allclose(a, b, atol=1e-3) for a, b in zip(found, same, strict=True)])
    mirrored = torch.tensor([torch.allclose(a, b.flip(2), atol=1e-3) for a, b in zip(found, same, strict=True)])
    assert bool((kept ^ mirrored).all())
    assert 60 < int(mirrored.sum()) < 140


def test_a_shift_moves_the_picture_by_its_share_of_the_side() -> None:
    recipe = STILL.model_copy(update={"shift": 0.25})
    offsets = random_maps(5000, recipe, generator())[:, :, 2] / 2  # shares of the side
    assert float(offsets.abs().max()) <= 0.25
    assert float(offsets.abs().max()) > 0.24
    assert abs(float(offsets.mean())) < 0.01


def test_maps_stretch_and_turn_within_their_ranges() -> None:
    recipe = DensefaceRecipe(shift=0, flip=False)
    maps = random_maps(5000, recipe, generator())
    assert float(maps[:, :, 2].abs().max()) == 0
    matrices = maps[:, :, :2]
    area = torch.linalg.det(matrices)  # rotation and both skews keep areas, so this is the product of both scales
    assert 1.05**-2 <= float(area.min()) < 0.96
    assert 1.04 < float(area.max()) <= 1.05**2
    angles = torch.rad2deg(torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    slack = math.degrees(math.atan(0.05)) + 1
    assert 18 < float(angles.max()) <= 20 + slack
    assert -20 - slack <= float(angles.min()) < -18


def test_the_generator_decides() -> None:
    pictures, recipe = random_pictures(6), DensefaceRecipe()
    one, same, other = (distorted(pictures, 64, recipe, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert len({tuple(row) for row in random_maps(6, recipe, generator()).flatten(1).tolist()}) == 6
