"""Faces in frames: detection by MTCNN, the choice of one box a frame, and the crop that Denseface reads."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from extractors.files import UserError
from extractors.upright import Image

Box = NDArray[np.float64]  # left, top, right, bottom in pixels

SIDE = 64
GREY = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601
TOGETHER = {"cpu": 8, "cuda": 128}
"""Frames that pass MTCNN together: on a CPU as many as stay in its cache."""
PIXELS = {"cpu": 2**23, "cuda": 2**27}
"""Of the frames that pass MTCNN together, if there is more than one; three times as many values, which PyTorch's
pooling counts in 32 bits."""


class Detector:
    """MTCNN, whose weights come with facenet-pytorch."""

    def __init__(self, min_face: int, device: torch.device) -> None:
        from extractors.mtcnn import Cascade

        self.device = device
        self.network = Cascade(min_face).to(device)

    def __call__(self, frames: Image) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Boxes (faces, 4) and probabilities (faces,) for each of the frames (batch, height, width, RGB).

        The most probable face comes first. UserError when the memory of a GPU is too small.
        """
        found = []
        place = self.device.type
        height, width = frames.shape[1:3]
        for part in torch.from_numpy(frames).split(max(1, min(TOGETHER[place], PIXELS[place] // (height * width)))):
            pictures = part.pin_memory() if place == "cuda" else part
            try:
                found += self.network(pictures.to(self.device, non_blocking=True))
            except torch.OutOfMemoryError as error:
                size = f"{len(part)} pictures of {width} x {height} are too large for the memory of {self.device}"
                raise UserError(f"encoders.video.min_face: {size}; raise it, or use --device cpu") from error
        return [(boxes.double().numpy(), likely.double().numpy()) for boxes, likely in found]


class Follower:
    """The choice of one face a frame along a clip; every clip, and every half of a split screen, needs its own.

    It prefers the probable box and the one that moved least since the last choice: a box of which an edge lies a whole
    side away, or more, loses half of what lies between the threshold and 1, a nearer one its share of that. So two
    faces do not take turns, and what appears far from the face for a moment must be more certain than the face itself.
    The last choice counts for `memory` ticks.
    """

    def __init__(self, threshold: float, memory: int) -> None:
        self.threshold = threshold
        self.memory = memory
        self._last: tuple[int, Box] | None = None

    def choose(self, tick: int, boxes: NDArray[np.float64], likely: NDArray[np.float64]) -> int | None:
        """Number of one of the boxes (faces, 4) with probabilities (faces,), None when no score is over the threshold.

        Ticks ascend from call to call.
        """
        score = likely
        if self._last is not None and tick - self._last[0] <= self.memory:
            previous = self._last[1]
            moved = np.abs(boxes - previous).max(1) / side_of(previous)
            score = likely - np.minimum(moved, 1) * (1 - self.threshold) / 2
        if not len(score) or score.max() <= self.threshold:
            return None
        best = int(score.argmax())
        self._last = tick, boxes[best]
        return best


def side_of(box: Box) -> float:
    return float(max(box[2] - box[0], box[3] - box[1]))


def square(frame: Image, box: Box, margin: float) -> Tensor:
    """Grey (side, side), values 0 to 255: the square around the box, `margin` times its side wider on each side.

    Where the square leaves the frame, the frame's border is repeated.
    """
    side = max(1, round(side_of(box) * (1 + 2 * margin)))
    left, top = np.rint((box[:2] + box[2:]) / 2 - side / 2).astype(int)
    rows = np.clip(np.arange(top, top + side), 0, frame.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, frame.shape[1] - 1)
    return torch.from_numpy(frame[np.ix_(rows, columns)]).float() @ GREY


def cut(frame: Image, box: Box, margin: float) -> Tensor:
    """Grey face (64, 64), values 0 to 255: the square around the box, sampled as Denseface's pictures of FER+ are.

    Those have 48 pixels a side and are scaled to 64 by bilinear interpolation.
    """
    small = interpolate(square(frame, box, margin)[None, None], size=(48, 48), mode="bilinear", antialias=True)
    return interpolate(small, size=(SIDE, SIDE), mode="bilinear")[0, 0]
