"""Faces: emotions and actors look different, the same seed looks the same."""

from __future__ import annotations

import numpy as np
import pytest

from extractors.demo.face import EXPRESSIONS, HEIGHT, WIDTH, Actor, Pose, expression, sample


@pytest.fixture(scope="module")
def actor() -> Actor:
    return Actor("2F", 0)


def test_same_seed_gives_the_same_picture(actor: Actor) -> None:
    shown = EXPRESSIONS["hap"]
    np.testing.assert_array_equal(actor.frame(shown, Pose()), Actor("2F", 0).frame(shown, Pose()))


def test_what_is_shown_before_leaves_no_trace(actor: Actor) -> None:
    before = actor.frame(EXPRESSIONS["neu"], Pose())
    actor.frame(EXPRESSIONS["ang"], Pose())
    np.testing.assert_array_equal(actor.frame(EXPRESSIONS["neu"], Pose()), before)


def test_expressions_change_the_face_and_nothing_else(actor: Actor) -> None:
    neutral = actor.frame(EXPRESSIONS["neu"], Pose())
    assert neutral.shape == (3, HEIGHT, WIDTH)
    for emotion in ("ang", "hap", "sad"):
        changed = np.abs(actor.frame(EXPRESSIONS[emotion], Pose()) - neutral).max(0) > 20
        rows, columns = np.nonzero(changed)
        assert changed.sum() > 300
        assert np.ptp(rows) < 100
        assert np.ptp(columns) < 110


def test_actors_differ_and_the_empty_room_is_flat(actor: Actor) -> None:
    shown = EXPRESSIONS["neu"]
    assert np.abs(actor.frame(shown, Pose()) - Actor("2M", 0).frame(shown, Pose())).mean() > 5
    assert np.ptp(actor.frame(None, Pose()), axis=(1, 2)).max() == 0


def test_light_and_shift(actor: Actor) -> None:
    shown = EXPRESSIONS["neu"]
    still = actor.frame(shown, Pose())
    np.testing.assert_allclose(actor.frame(shown, Pose(light=1.1)), 1.1 * still, rtol=1e-5)
    moved = actor.frame(shown, Pose(x=4))
    near = np.abs(moved[:, :, 4:] - still[:, :, :-4]).mean()
    assert near < 0.5 * np.abs(moved - still).mean()


def test_strength_zero_is_neutral_on_average() -> None:
    random = np.random.default_rng(0)
    lifts = [expression("hap", 0.0, random).mouth_lift for _ in range(400)]
    assert abs(np.mean(lifts)) < 0.3
    assert np.mean([expression("hap", 1.0, random).mouth_lift for _ in range(400)]) > 5


def test_sample_reads_whole_pixels_exactly_and_halves_in_between() -> None:
    picture = np.arange(3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5)
    rows, columns = np.mgrid[:4, :5].astype(np.float32)
    np.testing.assert_allclose(sample(picture, columns, rows), picture, atol=1e-4)
    between = sample(picture, columns[:, :4] + 0.5, rows[:, :4])
    np.testing.assert_allclose(between, (picture[:, :, :4] + picture[:, :, 1:]) / 2, atol=1e-4)
