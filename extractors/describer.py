"""Frames to features: the most probable face of each frame, found by MTCNN, through Denseface."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from extractors.denseface import DIM, random_denseface
from extractors.encoders import weights_sha256
from extractors.faces import Box, Detector, Image, choose, cut
from extractors.settings import VideoEncoder


class Describer:
    """Detector and network of one run; batches of equal frames to features."""

    dim = DIM

    def __init__(self, settings: VideoEncoder, device: torch.device) -> None:
        self.settings = settings
        self.device = device
        self.detector = Detector(settings.min_face, device)
        self.network, weights = random_denseface(settings.seed)
        self.network.to(device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # 1.8 times as fast on a CPU
        self.name = f"denseface {weights}"
        both = nn.ModuleDict({"detector": self.detector.network, "denseface": self.network})
        self.weights_sha256 = weights_sha256(both)

    def __call__(
        self, batch: Sequence[Image], previous: Box | None
    ) -> tuple[list[NDArray[np.float32] | None], Box | None]:
        """Features (342,) of each frame, None without a face, and the last box."""
        settings = self.settings
        found: list[NDArray[np.float32] | None] = [None] * len(batch)
        faces, places = [], []
        for place, (boxes, likely) in enumerate(self.detector(np.stack(batch))):
            box = choose(boxes, likely, settings.threshold, previous)
            if box is not None:
                faces.append(cut(batch[place], box, settings.margin))
                places.append(place)
                previous = box
        if faces:
            standard = (torch.stack(faces)[:, None] - settings.mean) / settings.std  # (faces, 1, 64, 64)
            with torch.inference_mode():
                features = self.network.features(standard.to(self.device)).cpu().numpy()
            for place, values in zip(places, features, strict=True):
                found[place] = values
        return found, previous
