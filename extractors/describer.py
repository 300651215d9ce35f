"""Frames to features: one face of each frame, found by MTCNN, through Denseface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from extractors.denseface.inference import Features
from extractors.denseface.network import DIM, load
from extractors.device import forward
from extractors.encoders import weights_sha256
from extractors.faces import Box, Detector, Follower, cut
from extractors.settings import VideoEncoder
from extractors.upright import Image

MEMORY = 1.0
"""Seconds for which a face that is out of sight is remembered."""


@dataclass(frozen=True, eq=False)
class Face:
    """A face in a frame: its box in pixels, how probable it is one, and its grey crop (64, 64) of 0 to 255."""

    box: Box
    probability: float
    grey: Tensor


class Describer:
    """Detector and network of one run; batches of frames to features.

    UserError when the weights cannot be read.
    """

    dim = DIM

    def __init__(self, settings: VideoEncoder, device: torch.device) -> None:
        self.settings = settings
        self.device = device
        self.network, weights = load(Path(settings.weights) if settings.weights else None)
        self.network.to(device)
        self._features = Features(self.network)
        self.detector = Detector(settings.min_face, device)
        self.name = f"denseface {weights}"
        both = nn.ModuleDict({"detector": self.detector.network, "denseface": self.network})
        self.weights_sha256 = weights_sha256(both)
        self._moments: list[tuple[float, float]] = []

    def follower(self) -> Follower:
        """The choice of faces along one clip."""
        return Follower(self.settings.threshold, round(MEMORY * self.settings.frames_per_second))

    def __call__(
        self, ticks: Sequence[int], images: Sequence[Image], followers: Sequence[Follower]
    ) -> list[NDArray[np.float32] | None]:
        """Features (342,) of each frame, None without a face."""
        faces = self.faces(ticks, images, followers)
        features = iter(self.features([face for face in faces if face]).cpu().numpy())
        return [next(features) if face else None for face in faces]

    def faces(self, ticks: Sequence[int], images: Sequence[Image], followers: Sequence[Follower]) -> list[Face | None]:
        """The face of each frame, None without one; ticks of the frames of one follower ascend.

        The frames may differ in size; those of one size are looked at together.
        """
        return [
            self._face(image, boxes, likely, follower.choose(tick, boxes, likely))
            for tick, image, follower, (boxes, likely) in zip(
                ticks, images, followers, self._detected(images), strict=True
            )
        ]

    def _detected(self, images: Sequence[Image]) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Boxes and probabilities of each image."""
        alike: dict[tuple[int, ...], list[int]] = {}
        for place, image in enumerate(images):
            alike.setdefault(image.shape, []).append(place)
        found: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        with forward(self.device, self.settings.precision):
            for places in alike.values():
                found.update(zip(places, self.detector(np.stack([images[place] for place in places])), strict=True))
        return [found[place] for place in range(len(images))]

    def _face(
        self, image: Image, boxes: NDArray[np.float64], likely: NDArray[np.float64], best: int | None
    ) -> Face | None:
        if best is None:
            return None
        grey = cut(image, boxes[best], self.settings.margin)
        self._moments.append((grey.mean().item(), grey.square().mean().item()))
        return Face(boxes[best], float(likely[best]), grey)

    def features(self, faces: Sequence[Face]) -> Tensor:
        """(faces, 342) float32 on the device."""
        if not faces:
            return torch.zeros(0, DIM, device=self.device)
        greys = torch.stack([face.grey for face in faces])[:, None]
        greys = greys.pin_memory() if self.device.type == "cuda" else greys
        with forward(self.device, self.settings.precision):
            standard = (greys.to(self.device, non_blocking=True) - self.settings.mean) / self.settings.std
            return self._features(standard).float()

    def emotions(self, faces: Sequence[Face]) -> NDArray[np.float32]:
        """(faces, 8) probabilities of the emotions of FER+."""
        found: NDArray[np.float32] = self.network.classifier(self.features(faces)).softmax(1).cpu().numpy()
        return found

    def greys(self) -> tuple[int, float, float]:
        """Number of the faces so far, and mean and standard deviation of their grey values."""
        mean, square = np.mean(self._moments, axis=0) if self._moments else (np.nan, np.nan)
        return len(self._moments), float(mean), float(np.sqrt(square - mean**2))
