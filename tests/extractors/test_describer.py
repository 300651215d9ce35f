from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from extractors.describer import Describer
from extractors.faces import cut
from extractors.files import UserError, sha256
from extractors.settings import VideoEncoder
from tests.closeness import changed

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def describer(denseface_weights: Path) -> Describer:
    return Describer(VideoEncoder(min_face=60, weights=str(denseface_weights)), CPU)


def test_name_and_hash_tell_the_weights(describer: Describer, denseface_weights: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    other = tmp_path / "other.safetensors"
    save_file({key: value + (key == "classifier.bias") for key, value in load_file(denseface_weights).items()}, other)
    assert describer.name == f"denseface ferplus:{sha256(denseface_weights)[:12]}"
    settings = VideoEncoder(weights=str(denseface_weights))
    assert Describer(settings, CPU).weights_sha256 == describer.weights_sha256
    assert Describer(VideoEncoder(weights=str(other)), CPU).weights_sha256 != describer.weights_sha256


def test_weights_that_are_missing_or_something_else_are_the_users_error(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(UserError, match=r"w\.safetensors is missing"):
        Describer(VideoEncoder(weights=str(path)), CPU)
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"w\.safetensors has no weights of Denseface"):
        Describer(VideoEncoder(weights=str(path)), CPU)


def test_frames_without_a_face_have_no_features(describer: Describer, face: Any) -> None:
    empty = np.zeros_like(face)
    found = describer(range(3), [empty, face, empty], [describer.follower()] * 3)
    assert [values is None for values in found] == [True, False, True]
    assert found[1] is not None
    assert found[1].shape == (342,)
    assert describer([0], [empty], [describer.follower()]) == [None]


def test_features_of_no_face_are_where_those_of_faces_are(describer: Describer) -> None:
    describer.device = torch.device("meta")
    assert describer.features([]).device.type == "meta"
    assert describer.features([]).shape == (0, 342)


@pytest.mark.parametrize("half", [slice(0, 240), slice(240, 480)])
def test_a_face_is_followed_from_batch_to_batch(describer: Describer, face: Any, half: slice) -> None:
    one, two = np.zeros((2, 240, 480, 3), np.uint8)
    two[:, :240] = face
    two[:, 240:] = face[:, ::-1]
    one[:, half] = two[:, half]
    follower = describer.follower()
    assert describer.faces([0], [one], [follower])[0] is not None
    found = describer.faces([1], [two], [follower])[0]
    assert found is not None
    assert half.start < found.box[0] < found.box[2] < half.stop


def test_pictures_of_several_sizes_and_clips_are_those_of_each_alone(describer: Describer, face: Any) -> None:
    wide, low = np.zeros((240, 300, 3), np.uint8), np.zeros((200, 240, 3), np.uint8)
    wide[:, 60:] = face
    low[:, :] = face[:200]
    clips = [[face, wide, face], [low, np.zeros_like(face), wide]]
    order = [(0, 0), (1, 0), (0, 1), (1, 1), (1, 2), (0, 2)]
    followers = [describer.follower(), describer.follower()]
    together = describer.faces(
        [tick for _, tick in order], [clips[clip][tick] for clip, tick in order], [followers[clip] for clip, _ in order]
    )
    alone = [
        [describer.faces([tick], [picture], [follower])[0] for tick, picture in enumerate(clip)]
        for clip, follower in zip(clips, (describer.follower(), describer.follower()), strict=True)
    ]
    assert [found is None for found in together] == [False, False, False, True, False, False]
    for (clip, tick), found in zip(order, together, strict=True):
        expected = alone[clip][tick]
        if found and expected:
            np.testing.assert_allclose(found.box, expected.box, rtol=0, atol=1e-3)
            torch.testing.assert_close(found.grey, expected.grey, rtol=0, atol=0.05)
        else:
            assert found is expected is None


def test_precision_is_that_of_the_settings(denseface_weights: Path, face: Any) -> None:
    def found(precision: str) -> Any:
        settings = VideoEncoder(min_face=60, weights=str(denseface_weights), precision=precision)  # type: ignore[arg-type]
        describer = Describer(settings, CPU)
        return describer([0], [face], [describer.follower()])[0]

    exact, rough = found("fp32"), found("bf16")
    assert rough.dtype == np.float32
    assert 1e-4 < np.abs(rough - exact).max() / np.abs(exact).max() < 0.1


def test_mean_and_deviation_are_applied(denseface_weights: Path, face: Any) -> None:
    def features(**settings: float) -> Any:
        describer = Describer(VideoEncoder(min_face=60, weights=str(denseface_weights), **settings), CPU)
        return describer([0], [face], [describer.follower()])[0]

    assert changed(features(), features(mean=100.0))
    assert changed(features(), features(std=40.0))
    assert np.array_equal(features(), features(mean=129.0, std=63.58))


def test_grey_values_of_all_faces(describer: Describer, face: Any) -> None:
    assert describer.greys()[0] == 0
    dark = face // 2
    follower, faces = describer.follower(), []
    for tick, picture in enumerate((face, dark, np.zeros_like(face), face)):
        describer([tick], [picture], [follower])
        ((boxes, _),) = describer.detector(picture[None])
        faces += [cut(picture, boxes[0], describer.settings.margin)] if len(boxes) else []
    pixels = torch.stack(faces).double()
    count, mean, std = describer.greys()
    assert count == 3
    assert mean == pytest.approx(pixels.mean().item(), abs=1e-3)
    assert std == pytest.approx(pixels.std(correction=0).item(), abs=1e-3)
