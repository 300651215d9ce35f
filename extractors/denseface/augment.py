"""FER+ pictures as input of Denseface: scaled to a side, standardised, and for training bent as published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

if TYPE_CHECKING:
    from extractors.settings import DensefaceRecipe


def plain(pictures: Tensor, side: int, recipe: DensefaceRecipe) -> Tensor:
    """Standardised (batch, 1, side, side) of grey `pictures` (batch, 48, 48), values 0 to 255, by bilinear scaling."""
    maps = torch.eye(2, 3, device=pictures.device).expand(len(pictures), 2, 3)
    return _sample(pictures, maps, side, recipe)


def distorted(pictures: Tensor, side: int, recipe: DensefaceRecipe, generator: torch.Generator) -> Tensor:
    """The same, each picture randomly shifted, scaled, rotated, skewed and mirrored.

    Bilinear, mirrored at the borders; the ranges are those of the recipe. `generator` is one of the CPU, so that
    every device gets the same distortions. Source: `distort_img` in src/img_util.py of microsoft/FERPlus. Deviations:
    the stretch comes before skew and rotation, not after them, and the side may be another.
    """
    maps = random_maps(len(pictures), recipe, generator).to(pictures.device)
    return _sample(pictures, maps, side, recipe)


def random_maps(count: int, recipe: DensefaceRecipe, generator: torch.Generator) -> Tensor:
    """(count, 2, 3) affine maps from output to input, in coordinates of -1 to 1, x before y."""

    def uniform(columns: int = 1) -> Tensor:
        """(count, columns) of -1 to 1."""
        return torch.rand(count, columns, generator=generator) * 2 - 1

    def signs(columns: int = 1) -> Tensor:
        return torch.randint(0, 2, (count, columns), generator=generator) * 2.0 - 1

    angle = torch.deg2rad(uniform() * recipe.rotation)[:, 0]
    skew = uniform(2) * recipe.skew
    scale = (1 + (uniform(2) + 1) / 2 * (recipe.scale - 1)) ** signs(2)
    shift = uniform(2) * recipe.shift * 2  # a share of the side, which is 2 long here
    mirror = signs()[:, 0] if recipe.flip else torch.ones(count)

    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(count, 2, 2)
    skew_x, skew_y = torch.eye(2).repeat(count, 1, 1), torch.eye(2).repeat(count, 1, 1)
    skew_x[:, 0, 1], skew_y[:, 1, 0] = skew[:, 0], skew[:, 1]
    matrix = turn @ skew_x @ skew_y @ torch.diag_embed(scale)
    offset = -(matrix @ shift[:, :, None])
    matrix = matrix @ torch.diag_embed(torch.stack([mirror, torch.ones(count)], 1))
    return torch.cat([matrix, offset], 2)


def _sample(pictures: Tensor, maps: Tensor, side: int, recipe: DensefaceRecipe) -> Tensor:
    grid = affine_grid(maps, [len(pictures), 1, side, side], align_corners=False)
    values = grid_sample(pictures[:, None].float(), grid, padding_mode="reflection", align_corners=False)
    return (values - recipe.mean) / recipe.std
