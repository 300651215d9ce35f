"""Films of the actors: one camera an actor, their pictures side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from extractors.demo.face import EXPRESSIONS, HEIGHT, WIDTH, Actor, Expression, Pose, expression
from extractors.demo.sound import Line
from extractors.demo.voice import RATE_HZ

FRAMES_PER_SECOND = Fraction(25, 2)
GRAIN = 2.0
QUANTISER = 4
AUDIO_BITS_PER_SECOND = 32_000
AWAY_SECONDS = 0.2
"""An actor who is out of the picture leaves and comes back this long before and after the turn."""


@dataclass(frozen=True)
class Screen:
    """Size of a film, first row of all pictures in it and first column of each; the rest of the frame is black."""

    height: int
    width: int
    top: int
    lefts: tuple[int, ...]

    def blank(self) -> NDArray[np.uint8]:
        """A black frame (height, width, 3) that says `synthetic` below the pictures."""
        from PIL import Image, ImageDraw

        image = Image.new("RGB", (self.width, self.height))
        ImageDraw.Draw(image).text((20, self.height - 40), "synthetic", fill=(90, 90, 90))
        return np.array(image)


class Camera:
    """One actor through the film: speaks with a face of some emotion, listens with a neutral one."""

    def __init__(self, actor: Actor, lines: Sequence[Line], random: np.random.Generator) -> None:
        self.actor = actor
        self.lines = lines
        self.random = random
        self.faces = [
            expression(line.turn.face.emotion, line.turn.face.strength, np.random.default_rng([line.turn.seed, 2]))
            for line in lines
        ]
        self.waves = random.uniform([[0.2, 0.0]] * 4, [[1.2, 2 * np.pi]] * 4)
        self.grain = GRAIN * random.standard_normal((HEIGHT + 64, WIDTH + 64)).astype(np.float32)

    def frame(self, seconds: float) -> NDArray[np.uint8]:
        """Picture (HEIGHT, WIDTH, 3) at a time of the film."""
        x, y, turn, light = np.sin(2 * np.pi * self.waves[:, 0] * seconds + self.waves[:, 1])
        flicker = 1 + 0.02 * light + 0.01 * self.random.standard_normal()
        picture = self.actor.frame(self._shown(seconds), Pose(3 * x, 2 * y, 0.03 * turn, flicker))
        top, left = self.random.integers(64, size=2)
        picture = picture + self.grain[top : top + HEIGHT, left : left + WIDTH]
        return np.clip(picture, 0, 255).astype(np.uint8).transpose(1, 2, 0)

    def _shown(self, seconds: float) -> Expression | None:
        for line, face in zip(self.lines, self.faces, strict=True):
            margin = 0.0 if line.turn.face_visible else AWAY_SECONDS
            if line.start - margin <= seconds <= line.end + margin:
                return _speaking(face, line, seconds) if line.turn.face_visible else None
        return EXPRESSIONS["neu"]


def _speaking(face: Expression, line: Line, seconds: float) -> Expression:
    """`face` with the mouth following the loudness of what is said."""
    middle = round((seconds - line.start) * RATE_HZ)
    near = line.sound[max(0, middle - 400) : middle + 400]
    loudness = float(np.abs(near).mean() / np.abs(line.sound).max()) if len(near) else 0.0
    return replace(face, mouth_open=face.mouth_open + 4 * min(loudness, 0.5))


def write_film(
    path: Path, screen: Screen, cameras: Sequence[Camera], sound: NDArray[np.int16], frames_per_second: Fraction
) -> None:
    """AVI (MPEG-4 part 2, MPEG audio) as long as `sound` (samples,) at 16 kHz, less a last piece of a frame."""
    frame = screen.blank()
    step = int(RATE_HZ / frames_per_second)
    with av.open(str(path), "w", format="avi") as container:
        container.metadata["comment"] = "synthetic"
        pictures = container.add_stream("mpeg4", rate=frames_per_second)
        pictures.width, pictures.height, pictures.pix_fmt = screen.width, screen.height, "yuv420p"
        pictures.options = {"qmin": str(QUANTISER), "qmax": str(QUANTISER)}
        pictures.codec_context.thread_count = 1
        track = container.add_stream("mp2", rate=RATE_HZ, layout="mono")
        track.bit_rate = AUDIO_BITS_PER_SECOND
        for number in range(len(sound) // step):
            for camera, left in zip(cameras, screen.lefts, strict=True):
                frame[screen.top : screen.top + HEIGHT, left : left + WIDTH] = camera.frame(
                    float(number / frames_per_second)
                )
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
            samples = av.AudioFrame.from_ndarray(sound[None, number * step : (number + 1) * step], "s16", "mono")
            samples.sample_rate = RATE_HZ
            samples.pts = number * step
            container.mux(track.encode(samples))
        for stream in (pictures, track):
            container.mux(stream.encode())
