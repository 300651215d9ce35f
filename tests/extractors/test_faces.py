from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from extractors.faces import Detector, choose, cut

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


def test_choice_of_a_box() -> None:
    boxes = np.array([[0, 0, 10, 10], [100, 0, 110, 10], [50, 50, 60, 60]], float)
    at_left, at_right = np.array([1.0, 1, 11, 11]), np.array([98.0, 0, 108, 10])

    def index(likely: list[float], previous: Any = None, threshold: float = 0.9) -> int | None:
        box = choose(boxes, np.array(likely), threshold, previous)
        return None if box is None else int(np.flatnonzero((boxes == box).all(axis=1))[0])

    assert index([0.95, 0.99, 0.91]) == 1
    assert index([0.95, 0.99, 0.91], at_left) == 1  # clearly more probable wins over closeness
    assert index([0.999, 0.995, 0.2], at_right) == 1  # a tie goes to the closer one
    assert index([0.999, 0.995, 0.2], at_left) == 0
    assert index([0.999, 0.995, 0.2]) == 0
    assert index([0.9, 0.8, 0.7]) is None  # over the threshold, not at it
    assert index([0.905, 0.899, 0.1], at_right) == 0  # a box under the threshold is no rival
    assert choose(np.zeros((0, 4)), np.zeros(0), 0.9, at_left) is None


def test_cut_is_the_square_in_grey() -> None:
    frame = np.zeros((200, 200, 3), np.uint8)
    frame[40:104, 60:124] = (10, 200, 30)
    grey = 0.299 * 10 + 0.587 * 200 + 0.114 * 30
    torch.testing.assert_close(cut(frame, np.array([60.0, 40, 124, 104]), 0), torch.full((64, 64), grey))
    tall = cut(frame, np.array([76.0, 40, 108, 104]), 0)  # 32 wide, 64 high: the square has side 64
    torch.testing.assert_close(tall, torch.full((64, 64), grey))
    wide = cut(frame, np.array([60.0, 40, 124, 104]), 0.5)  # side 128: the patch is its middle half
    torch.testing.assert_close(wide[20:44, 20:44], torch.full((24, 24), grey))
    assert wide[:12].max() == wide[:, -12:].max() == 0


def test_cut_of_the_same_size_only_turns_grey() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    part = frame[10:74, 20:84].astype(float)
    expected = 0.299 * part[..., 0] + 0.587 * part[..., 1] + 0.114 * part[..., 2]
    found = cut(frame, np.array([20.0, 10, 84, 74]), 0).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_cut_repeats_the_border_outside_the_frame() -> None:
    frame = np.zeros((100, 100, 3), np.uint8)
    frame[:, 0] = 255
    found = cut(frame, np.array([-64.0, 10, 0, 74]), 0)
    torch.testing.assert_close(found, torch.full((64, 64), 255.0))
