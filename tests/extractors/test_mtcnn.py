"""The oracle is MTCNN of facenet-pytorch, one picture at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from extractors.decode import frames
from extractors.mtcnn import Cascade, Found, _each, _halved, _look, area

pytestmark = pytest.mark.usefixtures("one_thread")
SHARED = Path(__file__).resolve().parents[2].parent / "shared"


class Pair:
    """Both detectors for faces of `min_face` pixels."""

    def __init__(self, min_face: int) -> None:
        from facenet_pytorch import MTCNN

        self.package = MTCNN(min_face_size=min_face, select_largest=False).eval()
        self.ours = Cascade(min_face)

    def same(self, pictures: Any) -> list[int]:
        """Numbers of the faces of equally large pictures, after both detectors have found the same ones."""
        with torch.inference_mode():
            found = self.ours(torch.from_numpy(np.stack(pictures)))
        for picture, (boxes, scores) in zip(pictures, found, strict=True):
            wanted, likely = self.package.detect(picture)
            if wanted is None:
                assert len(boxes) == len(scores) == 0
                continue
            np.testing.assert_allclose(by_place(boxes.numpy()), by_place(wanted), rtol=0, atol=0.01)
            np.testing.assert_allclose(sorted(scores), sorted(likely), rtol=0, atol=1e-4)
            assert list(scores) == sorted(scores, reverse=True)
        return [len(scores) for _, scores in found]


def by_place(boxes: Any) -> Any:
    boxes = np.asarray(boxes, float)
    return boxes[np.lexsort(boxes.T.round(1))]


@pytest.fixture(scope="module")
def pair() -> Pair:
    return Pair(40)


def shown(face: Any, side: int, turned: float = 0.0) -> Any:
    """The portrait with `side` pixels a side, turned by some degrees."""
    from PIL import Image

    return np.asarray(Image.fromarray(face).rotate(turned, Image.Resampling.BILINEAR).resize((side, side)))


def canvas(height: int, width: int, *parts: tuple[int, int, Any]) -> Any:
    """A grey picture with parts at (top, left), which may leave it."""
    picture = np.full((height + 400, width + 400, 3), 90, np.uint8)
    for top, left, part in parts:
        picture[200 + top : 200 + top + len(part), 200 + left : 200 + left + part.shape[1]] = part
    return picture[200 : 200 + height, 200 : 200 + width]


def test_scales_rotations_and_places(pair: Pair, face: Any) -> None:
    pictures = [
        canvas(240, 321, (20, 40, shown(face, side, turned)))
        for side, turned in ((80, 0), (110, 20), (150, -20), (200, 10), (240, 0))
    ]
    assert sum(pair.same(pictures)) >= 4


def test_faces_at_the_border_and_several_in_a_picture(pair: Pair, face: Any) -> None:
    large, small = shown(face, 200), shown(face, 120)
    pictures = [
        canvas(260, 400, (-50, 0, large), (80, 250, small)),
        canvas(260, 400, (0, 0, small), (100, 120, small[:, ::-1]), (0, 250, small)),
        canvas(260, 400, (100, 260, large)),
        canvas(260, 400, (0, -70, large), (60, 200, shown(face, 200, 15))),
    ]
    assert max(pair.same(pictures)) == 3


def test_noise_emptiness_and_pictures_hardly_larger_than_a_face(pair: Pair, face: Any) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (150, 131, 3), dtype=np.uint8)
    smooth = canvas(150, 131, (0, 0, shown(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8), 150)[:, :131]))
    pair.same([noise, np.zeros_like(noise), smooth, np.full_like(noise, 255)])
    pair.same([shown(face, 48)])
    pair.same([shown(face, 60)[:, 8:49]])


@pytest.mark.parametrize("min_face", [20, 73])
def test_other_smallest_faces(min_face: int, face: Any) -> None:
    pair = Pair(min_face)
    assert pair.same([canvas(181, 240, (0, 30, shown(face, 180)))])[0] >= 1
    pair.same([shown(face, 113, -37.73)])  # with 20: of two boxes, one within the other, one is left


@pytest.mark.parametrize("side", [20, 47])
def test_a_picture_no_larger_than_the_smallest_face(side: int) -> None:
    """Rounding leaves no scale for 47: 12 / 47 * 47 is less than 12."""
    ((boxes, likely),) = Cascade(47)(torch.full((1, side, 60, 3), 9, dtype=torch.uint8))
    assert boxes.shape == (0, 4)
    assert likely.shape == (0,)


def test_a_picture_does_not_depend_on_its_batch(pair: Pair, face: Any) -> None:
    one = canvas(200, 300, (0, 50, shown(face, 190)))
    other = canvas(200, 300, (10, 0, shown(face, 140)), (20, 150, shown(face, 140)))
    (alone,) = pair.ours(torch.from_numpy(one[None]))
    found = pair.ours(torch.from_numpy(np.stack([other, one, other, one])))
    for place in (1, 3):
        for ours, wanted in zip(found[place], alone, strict=True):
            torch.testing.assert_close(ours, wanted, rtol=1e-6, atol=1e-4)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared clips")
def test_films(pair: Pair) -> None:
    clips = [path for path in sorted((SHARED / "data" / "clips").iterdir()) if path.suffix in (".flv", ".mpg")]
    assert clips
    found = [pair.same([frame for _, frame in frames(clip, range(1, 30, 14), 10)]) for clip in clips]
    assert sum(map(sum, found)) >= len(clips)


@given(
    st.tuples(*[st.integers(1, 90)] * 2), st.tuples(*[st.integers(1, 40)] * 2), st.booleans(), st.integers(0, 2**32 - 1)
)
def test_area_is_that_of_interpolate(size: Any, scaled: Any, strided: bool, seed: int) -> None:
    pictures = torch.randint(0, 256, (2, *size), generator=torch.Generator().manual_seed(seed)).float()
    pictures = pictures[:, ::2, ::2] if strided else pictures
    expected = interpolate(pictures[None], size=scaled, mode="area")[0]
    torch.testing.assert_close(area(pictures, *scaled), expected, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("size", [(4, 6), (5, 6), (4, 7), (5, 7), (1, 1)])
def test_halved_is_max_pooling_with_incomplete_windows(size: tuple[int, int]) -> None:
    maps = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    assert torch.equal(_halved(maps), torch.nn.functional.max_pool2d(maps, 2, 2, ceil_mode=True))


def test_a_candidate_outside_of_the_picture_takes_no_other_with_it(pair: Pair, face: Any) -> None:
    pictures = torch.from_numpy(face).permute(2, 0, 1)[None].float()
    inside = torch.tensor([[20.0, 10, 190, 180], [30, 20, 200, 190]])
    outside = torch.tensor([[-90.0, 10, 0.9, 90], [241, 250, 300, 300]])
    boxes = torch.stack([outside[0], inside[0], outside[1], inside[1]])
    found = _look(pair.ours.onet, 48, -1.0, pictures, torch.zeros(4, dtype=torch.long), boxes)
    alone = _look(pair.ours.onet, 48, -1.0, pictures, torch.zeros(2, dtype=torch.long), inside)
    assert torch.equal(found.boxes, inside)
    torch.testing.assert_close(found.scores, alone.scores)
    nothing = _look(pair.ours.rnet, 24, -1.0, pictures, torch.zeros(2, dtype=torch.long), outside)
    assert [len(column) for column in nothing] == [0] * 4


def test_each_picture_is_chosen_from_by_itself() -> None:
    numbers = torch.tensor([3, 0, 3, 0, 7])
    found = Found(numbers, torch.arange(20.0).view(5, 4), torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5]), torch.zeros(5, 4))
    best = _each(found, lambda boxes, scores: scores.argsort(descending=True)[:1])
    assert best.pictures.tolist() == [0, 3, 7]
    assert best.scores.tolist() == pytest.approx([0.4, 0.3, 0.5])
    assert best.boxes[:, 0].tolist() == [12, 8, 16]
