"""Twelve actors with movable faces, all made from the public-domain portrait that scikit-image carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import grid_sample

Image = NDArray[np.float32]
"""One channel (height, width) or three (3, height, width), from 0 to 255."""
HEIGHT, WIDTH = 238, 348
CENTRE = (226.0, 118.0)
"""Middle of the face in the portrait, (x, y)."""
TOP, LEFT, BOTTOM, RIGHT = 70, 170, 172, 282
"""The part of the portrait in which brows, eyes and mouth move."""
EYES = ((203.5, 101.0), (247.0, 103.0))
BROWS = ((214.0, 189.0, 93.5), (239.0, 264.0, 95.0))
"""Inner and outer x, and y."""
MOUTH = (225.5, 147.0)


@dataclass(frozen=True)
class Expression:
    """Lengths in pixels of the portrait (a face is about 90 wide); lift, inner and outer count upwards."""

    mouth_lift: float
    mouth_open: float
    mouth_width: float
    teeth: float
    brow_inner: float
    brow_outer: float
    brow_dark: float
    eye_open: float
    furrow: float


EXPRESSIONS = {
    "ang": Expression(-3, 11, 19, 0.1, -6, 5, 1, 0.7, 0.9),
    "hap": Expression(8, 10, 26, 1, 4, 3, 0.3, 1.1, 0),
    "neu": Expression(0, 0.5, 16, 0, 0, 0, 0.45, 1, 0),
    "sad": Expression(-8, 0.5, 15, 0, 6, -5, 0.5, 0.38, 0.2),
}
SPREAD = Expression(1.2, 1.2, 1.2, 0.1, 0.9, 0.9, 0.08, 0.07, 0.1)
"""Deviation of one utterance from another with the same cue."""


def expression(emotion: str, strength: float, random: np.random.Generator) -> Expression:
    """The neutral face moved towards `emotion` by `strength`, with a person's variation."""
    values = []
    for field in fields(Expression):
        neutral, aim = (getattr(EXPRESSIONS[name], field.name) for name in ("neu", emotion))
        values.append(neutral + strength * (aim - neutral) + getattr(SPREAD, field.name) * random.standard_normal())
    return Expression(*values)


@dataclass(frozen=True)
class Pose:
    """Shift in pixels, rotation in radians, and gain of the light."""

    x: float = 0.0
    y: float = 0.0
    turn: float = 0.0
    light: float = 1.0


class Actor:
    """One speaker: the portrait with a shape, colours and light of its own."""

    def __init__(self, speaker: str, seed: int) -> None:
        random = np.random.default_rng([seed, int(speaker[0]), speaker[1] == "M", 2])
        self.portrait = _portrait(speaker, random)
        self.mirrored = bool(random.integers(2))
        self.scale = (random.uniform(0.9, 1.02), random.uniform(0.9, 1.02))
        self.place = (random.uniform(-35, 35), random.uniform(-8, 8))
        self.brow = random.uniform(1.6, 2.4)
        self.lips = np.array([165, 85, 85], np.float32) * random.uniform(0.8, 1.05)
        self.warp = _smooth_warp(random)
        self.backdrop = self.portrait[:, :1, :1]
        self.posed: tuple[Expression | None, Image] = (None, self.portrait)

    def frame(self, shown: Expression | None, pose: Pose) -> Image:
        """Picture (3, HEIGHT, WIDTH) with the face, or the empty room when nothing is `shown`."""
        if shown is None:
            return np.broadcast_to(self.backdrop * pose.light, (3, HEIGHT, WIDTH)).astype(np.float32)
        if shown != self.posed[0]:
            picture = self.portrait.copy()
            part = _with_eyes(picture[:, TOP:BOTTOM, LEFT:RIGHT], shown.eye_open)
            self._draw(part, shown)
            picture[:, TOP:BOTTOM, LEFT:RIGHT] = part
            self.posed = (shown, picture)
        return self._seen(self.posed[1], pose) * np.float32(pose.light)

    def _draw(self, part: Image, shown: Expression) -> None:
        """Draw brows, furrow and mouth into `part`."""
        for (inner, outer, height), side in zip(BROWS, (-1, 1), strict=True):
            along = (X - inner) / (outer - inner)
            lift = shown.brow_inner + (shown.brow_outer - shown.brow_inner) * along + 3 * along * (1 - along)
            stroke = _soft(self.brow - np.abs(Y - height + lift)) * _soft((0.5 - np.abs(along - 0.5)) * 25)
            _blend(part, stroke * min(max(shown.brow_dark, 0), 1), _colour([50, 38, 30]))
            line = _soft(1 - np.abs(X - CENTRE[0] - side * 4.5)) * _soft(6 - np.abs(Y - 92))
            _blend(part, line * min(max(shown.furrow, 0), 1), _colour([95, 60, 50]))
        across = (X - MOUTH[0]) / max(shown.mouth_width, 8)
        round_ = np.sqrt(np.clip(1 - across**2, 0, None))
        below = Y - MOUTH[1] + shown.mouth_lift * (across**2 - 0.4)
        half = max(shown.mouth_open, 0.3) * round_ / 2
        inside = _soft(8 * (1 - np.abs(across)))
        _blend(part, _soft(half + 2.6 * round_**0.5 - np.abs(below)) * inside, self.lips)
        gap = _soft(half - np.abs(below)) * inside
        _blend(part, gap, _colour([45, 15, 18]))
        _blend(part, gap * _soft(-below + half * 0.3) * min(max(shown.teeth, 0), 1), _colour([235, 230, 220]))

    def _seen(self, picture: Image, pose: Pose) -> Image:
        side = -1 if self.mirrored else 1
        cos, sin = np.cos(pose.turn), np.sin(pose.turn)
        x, y = ACROSS - np.float32(self.place[0] + pose.x), DOWN - np.float32(self.place[1] + pose.y)
        column = np.float32(side * cos / self.scale[0]) * x + np.float32(side * sin / self.scale[0]) * y
        row = np.float32(cos / self.scale[1]) * y - np.float32(sin / self.scale[1]) * x
        return sample(picture, column + self.warp[0], row + self.warp[1])


def sample(picture: Image, column: Image, row: Image) -> Image:
    """`picture` (3, height, width) read at fractional columns and rows, bilinear, its border continued."""
    height, width = picture.shape[1:]
    grid = np.empty((1, *column.shape, 2), np.float32)
    np.multiply(column, np.float32(2 / (width - 1)), out=grid[0, ..., 0])
    np.multiply(row, np.float32(2 / (height - 1)), out=grid[0, ..., 1])
    grid -= 1
    source = torch.from_numpy(picture[None])
    seen: Image = grid_sample(source, torch.from_numpy(grid), padding_mode="border", align_corners=True)[0].numpy()
    return seen


def _portrait(speaker: str, random: np.random.Generator) -> Image:
    """The head without mouth and brows, in the speaker's colours, room and shirt; men get a shade of beard."""
    from scipy.ndimage import gaussian_filter
    from skimage.data import astronaut
    from skimage.restoration import inpaint_biharmonic

    picture = np.asarray(astronaut()[:300], np.float32)
    hidden = np.zeros(picture.shape[:2], bool)
    hidden[136:160, 199:251] = True
    hidden[87:96, 187:218] = hidden[89:98, 236:268] = True
    part = np.s_[TOP:BOTTOM, LEFT:RIGHT]
    filled = inpaint_biharmonic(picture[part] / 255, hidden[part], channel_axis=-1).astype(np.float32) * 255
    edge = gaussian_filter(hidden[part].astype(np.float32), 1.0)[..., None]
    picture[part] += (filled - picture[part]) * np.maximum(edge, hidden[part][..., None])
    rows, columns = np.mgrid[:300, :512].astype(np.float32)
    if speaker[1] == "M":
        beard = np.exp(-(((columns - 226) / 34) ** 4) - ((rows - 160) / 18) ** 4)
        picture *= 1 - 0.25 * beard[..., None]
    gamma = random.uniform(0.92, 1.1)
    tint = random.uniform(0.93, 1.06, 3).astype(np.float32)
    coloured = np.clip(255 * (picture / 255) ** gamma * tint, 0, 255)
    hair = 1 - np.hypot((columns - 228) / 79, (rows - 80) / 70)
    face = 1 - np.hypot((columns - 226) / 51, (rows - 110) / 80)
    room = np.empty((3, 300, 512), np.float32)
    room[:] = random.uniform(165, 205, (3, 1, 1))
    _blend(room, _soft((rows - 184 - (columns - 226) ** 2 / 500) / 2), random.uniform(70, 160, 3).astype(np.float32))
    _blend(room, _soft(np.maximum(hair, face) * 20), coloured.transpose(2, 0, 1).astype(np.float32))
    return room


def _smooth_warp(random: np.random.Generator) -> Image:
    """CENTRE plus displacements (2, HEIGHT, WIDTH) of up to about 4 pixels, in waves longer than half a face."""
    warp = np.zeros((2, HEIGHT, WIDTH), np.float32)
    warp += np.array(CENTRE, np.float32)[:, None, None]
    for axis in (0, 1):
        for _ in range(3):
            angle, phase = random.uniform(0, 2 * np.pi, 2)
            wave = 2 * np.pi / random.uniform(60, 140)
            warp[axis] += 1.3 * np.sin(wave * (np.cos(angle) * ACROSS + np.sin(angle) * DOWN) + phase)
    return warp


def _with_eyes(part: Image, eye_open: float) -> Image:
    """`part` with both eyes squeezed to the share `eye_open` of their height."""
    row = Y.copy()
    for offset in EYE_OFFSETS:
        row += offset * (1 / min(max(eye_open, 0.3), 1.3) - 1)
    return sample(part, X - LEFT, row - TOP)


def _soft(distance: Image) -> Image:
    """1 well inside (distance above 1), 0 well outside, smooth between."""
    return np.clip(0.5 + distance / 2, 0, 1)


def _colour(levels: Sequence[float]) -> Image:
    return np.array(levels, np.float32)


def _blend(part: Image, mask: Image, colour: Image) -> None:
    """Replace `part` (3, height, width) by a picture or a colour (3,) where `mask` is 1."""
    part += mask * (colour.reshape(3, *colour.shape[1:] or (1, 1)) - part)


Y, X = np.mgrid[TOP:BOTTOM, LEFT:RIGHT].astype(np.float32)
EYE_OFFSETS = [np.exp(-(((X - x) / 15) ** 4) - ((Y - y) / 9) ** 4) * (Y - y) for x, y in EYES]
"""For each eye the height above its middle, fading to 0 outside of it."""
DOWN, ACROSS = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
DOWN -= HEIGHT // 2
ACROSS -= WIDTH // 2
