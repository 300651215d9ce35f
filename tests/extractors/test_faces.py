from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from extractors.denseface.augment import plain
from extractors.faces import PIXELS, Detector, Follower, cut, square
from extractors.files import UserError
from extractors.settings import DensefaceRecipe

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(40, CPU)


def test_finds_the_face_in_a_batch_where_others_have_none_or_two(detector: Detector, face: Any) -> None:
    empty = np.zeros((240, 480, 3), np.uint8)
    one, two = empty.copy(), empty.copy()
    one[:, 100:340] = face
    two[:, :240] = face
    two[:, 240:] = face[:, ::-1]
    found = detector(np.stack([empty, one, two, empty]))
    assert [len(likely) for _, likely in found] == [0, 1, 2, 0]
    assert [boxes.shape for boxes, _ in found] == [(0, 4), (1, 4), (2, 4), (0, 4)]
    boxes, likely = found[1]
    assert likely[0] > 0.99
    left, top, right, bottom = boxes[0]
    assert 150 < left < right < 290
    assert 20 < top < bottom < 200
    (alone,) = detector(one[None])
    np.testing.assert_allclose(alone[0], boxes, atol=0.01)


def test_frames_smaller_than_a_face_have_none(detector: Detector) -> None:
    ((boxes, likely),) = detector(np.zeros((1, 30, 100, 3), np.uint8))
    assert boxes.shape == (0, 4)
    assert len(likely) == 0


@pytest.mark.parametrize(("shape", "together"), [((480, 720), 8), ((1080, 1440), 5), ((2160, 3840), 1), ((9, 9), 8)])
def test_large_frames_pass_in_smaller_numbers(shape: tuple[int, int], together: int) -> None:
    detector = Detector.__new__(Detector)
    detector.device, sizes = CPU, []

    def network(pictures: Any) -> Any:
        sizes.append(len(pictures))
        return [(torch.zeros(0, 4), torch.zeros(0))] * len(pictures)

    detector.network = network  # type: ignore[assignment]
    frames = np.zeros((9, *shape, 3), np.uint8)
    assert len(detector(frames)) == 9
    assert sizes == [*[together] * (9 // together), *([9 % together] if 9 % together else [])]


def test_no_batch_on_a_gpu_has_more_values_than_its_pooling_counts() -> None:
    assert 3 * max(PIXELS["cuda"], 8192 * 8192) < 2**31


def test_a_gpu_whose_memory_is_too_small_is_the_users_error() -> None:
    detector = Detector.__new__(Detector)
    detector.device = CPU

    def network(pictures: Any) -> Any:
        raise torch.OutOfMemoryError

    detector.network = network  # type: ignore[assignment]
    with pytest.raises(UserError, match=r"encoders\.video\.min_face: 2 pictures of 90 x 80 .* raise it"):
        detector(np.zeros((2, 80, 90, 3), np.uint8))


def index(follower: Follower, tick: int, boxes: Any, likely: list[float]) -> int | None:
    return follower.choose(tick, np.array(boxes, float).reshape(-1, 4), np.array(likely))


LEFT, RIGHT = [0.0, 0, 40, 50], [200.0, 0, 240, 50]


def test_without_a_last_choice_the_most_probable_box_over_the_threshold() -> None:
    boxes = [LEFT, RIGHT, [50.0, 50, 60, 60]]
    assert index(Follower(0.9, 10), 0, boxes, [0.95, 0.99, 0.91]) == 1
    assert index(Follower(0.9, 10), 0, boxes, [0.9, 0.8, 0.7]) is None  # over the threshold, not at it
    assert index(Follower(0.9, 10), 0, [], []) is None


@pytest.mark.parametrize(("speaker", "other"), [(LEFT, RIGHT), (RIGHT, LEFT)])
def test_two_people_do_not_take_turns(speaker: list[float], other: list[float]) -> None:
    follower = Follower(0.9, 10)
    assert index(follower, 0, [speaker], [0.99]) == 0
    rng = np.random.default_rng(0)
    for tick in range(1, 60):
        speaker = [value + 5 for value in speaker]  # as far as 295 pixels in the end
        assert index(follower, tick, [other, speaker], [1.0, rng.uniform(0.96, 1)]) == 1


def test_a_wrong_first_choice_is_corrected() -> None:
    follower = Follower(0.9, 10)
    assert index(follower, 0, [LEFT], [0.94]) == 0
    assert index(follower, 1, [LEFT, RIGHT], [0.94, 0.999]) == 1


def test_what_is_far_from_the_face_must_be_more_certain_until_the_face_is_forgotten() -> None:
    follower = Follower(0.9, 10)
    assert index(follower, 5, [LEFT], [0.99]) == 0
    assert index(follower, 6, [RIGHT], [0.949]) is None
    assert index(follower, 15, [RIGHT], [0.949]) is None
    assert index(follower, 16, [RIGHT], [0.949]) == 0
    assert index(follower, 17, [LEFT], [0.951]) == 0


def test_size_counts_like_place() -> None:
    follower = Follower(0.9, 10)
    whole, part = [0.0, 0, 100, 100], [30.0, 30, 70, 70]
    assert index(follower, 0, [whole], [0.97]) == 0
    assert index(follower, 1, [part, whole], [0.98, 0.97]) == 1


@given(
    st.lists(st.tuples(*[st.integers(0, 300)] * 2, *[st.integers(1, 90)] * 2, st.floats(0, 1)), max_size=5),
    st.floats(0.01, 0.99),
)
def test_a_choice_is_a_box_over_the_threshold_and_stays_when_nothing_changes(found: Any, threshold: float) -> None:
    boxes = [[float(x), float(y), float(x + wide), float(y + high)] for x, y, wide, high, _ in found]
    likely = [probability for *_, probability in found]
    follower = Follower(threshold, 3)
    first = index(follower, 0, boxes, likely)
    assert (first is None) == (max(likely, default=0) <= threshold)
    if first is not None:
        assert likely[first] == max(likely)
        again = index(follower, 1, boxes, likely)
        assert again is not None
        assert boxes[again] == boxes[first]


def test_square_is_the_part_of_the_frame_in_grey() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    grey = 0.299 * frame[..., 0] + 0.587 * frame[..., 1] + 0.114 * frame[..., 2]
    tall = np.array([40.0, 10, 60, 50])  # 20 wide, 40 high: the square has side 40
    np.testing.assert_allclose(square(frame, tall, 0).numpy(), grey[10:50, 30:70], atol=1e-3)
    np.testing.assert_allclose(square(frame, tall, 0.25).numpy(), grey[0:60, 20:80], atol=1e-3)
    np.testing.assert_allclose(square(frame, tall, -0.25).numpy(), grey[20:40, 40:60], atol=1e-3)


def test_square_repeats_the_border_outside_the_frame() -> None:
    frame = np.zeros((100, 100, 3), np.uint8)
    frame[:, 0] = 255
    found = square(frame, np.array([-64.0, 10, 0, 74]), 0)
    torch.testing.assert_close(found, torch.full((64, 64), 255.0))


def test_a_box_of_48_pixels_is_sampled_like_a_picture_of_ferplus() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    frame = np.zeros((100, 90, 3), np.uint8)
    frame[10:58, 20:68] = pixels[..., None]
    expected = plain(torch.from_numpy(pixels)[None], 64, DensefaceRecipe(mean=0, std=1))[0, 0]
    torch.testing.assert_close(cut(frame, np.array([20.0, 10, 68, 58]), 0), expected, rtol=0, atol=1e-2)


def test_a_large_face_is_the_mean_of_its_pixels() -> None:
    frame = np.random.default_rng(0).integers(0, 2, (480, 480, 1), dtype=np.uint8).repeat(3, 2) * 255
    found = cut(frame, np.array([0.0, 0, 480, 480]), 0)
    assert abs(found.mean() - frame.mean()) < 1
    assert found.std() < 20  # 10 x 10 pixels of deviation 127.5 make one; without the mean it would be 90 or more
