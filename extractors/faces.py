"""Faces in frames: detection by MTCNN, the choice of one box a frame, and the crop that Denseface reads."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

Box = NDArray[np.float64]  # left, top, right, bottom in pixels
Image = NDArray[np.uint8]  # (height, width, RGB)

SIDE = 64
TIE = 0.01
GREY = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601


class Detector:
    """MTCNN of facenet-pytorch, whose weights come with the package."""

    def __init__(self, min_face: int, device: torch.device) -> None:
        from facenet_pytorch import MTCNN

        self.min_face = min_face
        self.network = MTCNN(min_face_size=min_face, select_largest=False, device=device).eval()

    def __call__(self, frames: Image) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Boxes (faces, 4) and probabilities (faces,) for each of the frames (batch, height, width, RGB).

        Boxes are taken from `detect`: the package's own choice of a box fails on a batch in which only some frames
        have a face.
        """
        if min(frames.shape[1:3]) < self.min_face:
            return [(np.zeros((0, 4)), np.zeros(0)) for _ in frames]
        found = zip(*self.network.detect(frames), strict=True)
        return [
            (np.zeros((0, 4)), np.zeros(0)) if boxes is None else (boxes.astype(float), np.asarray(likely, float))
            for boxes, likely in found
        ]


def choose(
    boxes: NDArray[np.float64], likely: NDArray[np.float64], threshold: float, previous: Box | None
) -> Box | None:
    """The most probable box over the threshold; within 0.01 of it, the one whose centre is nearest to the previous."""
    if not len(likely) or likely.max() <= threshold:
        return None
    best = int(likely.argmax())
    if previous is not None:
        rivals = np.flatnonzero((likely >= likely[best] - TIE) & (likely > threshold))
        distance = np.linalg.norm(_centre(boxes[rivals]) - _centre(previous), axis=1)
        best = int(rivals[distance.argmin()])
    chosen: Box = boxes[best]
    return chosen


def _centre(box: NDArray[np.float64]) -> NDArray[np.float64]:
    centre: NDArray[np.float64] = (box[..., :2] + box[..., 2:]) / 2
    return centre


def cut(frame: Image, box: Box, margin: float) -> Tensor:
    """Grey face (64, 64), values 0 to 255: the square around the box, `margin` times its side wider on each side.

    Where the square leaves the frame, the frame's border is repeated.
    """
    side = max(1, round(float(max(box[2] - box[0], box[3] - box[1])) * (1 + 2 * margin)))
    left, top = np.rint(_centre(box) - side / 2).astype(int)
    rows = np.clip(np.arange(top, top + side), 0, frame.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, frame.shape[1] - 1)
    grey = torch.from_numpy(frame[np.ix_(rows, columns)]).float() @ GREY
    return interpolate(grey[None, None], size=(SIDE, SIDE), mode="bilinear", antialias=True)[0, 0]
