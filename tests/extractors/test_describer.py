from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from extractors.describer import Describer
from extractors.settings import VideoEncoder

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("one_thread")


def test_seed_and_weights_are_recorded() -> None:
    first, again, other = (Describer(VideoEncoder(seed=seed), CPU) for seed in (0, 0, 1))
    assert (first.name, other.name) == ("denseface random:0", "denseface random:1")
    assert first.weights_sha256 == again.weights_sha256
    assert first.weights_sha256 != other.weights_sha256


def test_frames_without_a_face_have_no_features_and_keep_the_last_box(face: Any) -> None:
    describer = Describer(VideoEncoder(min_face=60), CPU)
    empty = np.zeros_like(face)
    found, box = describer([empty, face, empty], None)
    assert [values is None for values in found] == [True, False, True]
    assert found[1] is not None
    assert found[1].shape == (342,)
    assert box is not None
    again, kept = describer([empty], box)
    assert again == [None]
    assert kept is box


def test_mean_and_deviation_are_applied(face: Any) -> None:
    def features(**settings: float) -> Any:
        return Describer(VideoEncoder(min_face=60, **settings), CPU)([face], None)[0][0]

    assert np.abs(features() - features(mean=100.0)).max() > 1e-3
    assert np.abs(features() - features(std=40.0)).max() > 1e-3
    assert np.array_equal(features(), features(mean=129.0, std=63.58))
