"""Pictures as a person sees them: turned and mirrored as their metadata say, with square pixels."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av.filter
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
UNNAMED = range(29, 40)
"""Numbers of what FFmpeg adds to pictures and PyAV has no name for, such as EXIF, view numbers and layers."""
LEAST_STRETCH, MOST_STRETCH = 0.01, 3
"""Pixels that are less out of square stay as they are; a shape of pixels beyond is taken for damage."""


def rgb(picture: av.VideoFrame, pixel: Fraction | None) -> Image:
    """The picture (height, width, 3) as a player shows it, from one whose pixels are `pixel` times as wide as high.

    Range and matrix of its colours are those of its flags; without flags limited range and ITU-R BT.601. Pixels that
    are not square are enlarged in one direction. The display matrix counts to the nearest quarter turn.
    """
    width, height = _square(picture.width, picture.height, pixel or Fraction(1))
    image: Any = picture.to_ndarray(format="rgb24", width=width, height=height)
    matrix = _beside(picture).get("DISPLAYMATRIX")
    return image if matrix is None else _turned(image, np.frombuffer(bytes(matrix), "<i4"))


def _beside(picture: av.VideoFrame) -> Any:
    """What belongs to a picture, by name; a small copy is asked, as PyAV ties what was asked into a cycle."""
    small = picture.reformat(width=16, height=16, format="gray", interpolation="POINT")
    try:
        return small.side_data
    except ValueError:  # one without a name
        return _named(small).side_data


def _named(picture: Any) -> Any:
    """The picture without what PyAV has no name for, where it can list nothing of all that belongs to a picture."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=picture.time_base
    )
    filters = [graph.add("sidedata", f"mode=delete:type={number}") for number in UNNAMED]
    graph.link_nodes(source, *filters, graph.add("buffersink")).configure()
    graph.vpush(picture)
    return graph.vpull()


def _square(width: int, height: int, pixel: Fraction) -> tuple[int, int]:
    if abs(pixel - 1) < LEAST_STRETCH or not Fraction(1, MOST_STRETCH) <= pixel <= MOST_STRETCH:
        return width, height
    return (round(width * pixel), height) if pixel > 1 else (width, round(height / pixel))


def _turned(image: Image, matrix: NDArray[np.int32]) -> Image:
    """What lies at (x, y) comes to (a x + c y, b x + d y), with `matrix` (9,) = a, b, u, c, d, v, x, y, w."""
    across, down = matrix[[0, 3]].tolist(), matrix[[1, 4]].tolist()
    if abs(across[1]) > abs(across[0]):
        image, across, down = image.transpose(1, 0, 2), across[::-1], down[::-1]
    image = image[:, ::-1] if across[0] < 0 else image
    image = image[::-1] if down[1] < 0 else image
    return np.ascontiguousarray(image)
