"""Verb `timeline`: the expressions that Denseface sees in films, frame by frame, as tables and pictures to judge."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from extractors import device
from extractors.console import LOG, progress
from extractors.decode import frames, ticks
from extractors.ferplus_targets import EMOTIONS
from extractors.files import UserError, publish, write_csv
from extractors.settings import VideoEncoder, parse
from extractors.shard import UnreadableError
from extractors.video import batches, half

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from extractors.describer import Describer, Face
    from extractors.upright import Image

OVERVIEW = "timeline.csv"
OVERVIEW_COLUMNS = ("file", "seconds", "frames", "faces", "faces_percent", "emotion", "emotion_percent", "problem")
BOX = ("left", "top", "right", "bottom")
COLUMNS = ("seconds", "valid", "face_probability", *BOX, *EMOTIONS)
COLOURS = ("#c4c7cc", "#f2c230", "#56b4e9", "#0f5fa8", "#d1401f", "#0b9e73", "#cc79a7", "#5d4037")
"""Of the emotions in their order; neighbours differ for colour-blind readers, too."""
DARK = ("sadness", "anger", "disgust", "contempt")
"""Emotions whose colour takes white letters."""
CROPS = 12
"""Face crops of a picture."""


@dataclass(frozen=True)
class Look:
    """A face, and the probabilities (8,) of its emotions."""

    face: Face
    emotions: NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """What was seen at each tick, None where there is no face; `seconds` end with the last tick."""

    looks: dict[int, Look | None]
    frames_per_second: float

    @property
    def seconds(self) -> float:
        return (max(self.looks) + 1) / self.frames_per_second

    @property
    def faces(self) -> list[Look]:
        return [look for look in self.looks.values() if look]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean probabilities (8,) over the frames with a face; zeros without any."""
        found = [look.emotions for look in self.faces]
        return np.mean(found, 0, dtype=float) if found else np.zeros(len(EMOTIONS))

    def summary(self) -> dict[str, object]:
        """Values of the overview."""
        best = int(self.mean.argmax())
        return {
            "seconds": round(self.seconds, 3),
            "frames": len(self.looks),
            "faces": len(self.faces),
            "faces_percent": round(100 * len(self.faces) / len(self.looks), 1),
            "emotion": EMOTIONS[best] if self.faces else "",
            "emotion_percent": round(100 * float(self.mean[best]), 1) if self.faces else "",
        }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("videos", nargs="+", type=Path, metavar="VIDEO", help="films of one face")
    parser.add_argument(
        "--out-dir", required=True, type=Path, help=f"folder for a CSV and a PNG of each video, and {OVERVIEW}"
    )
    parser.add_argument("--settings", default="{}", metavar="JSON", help="settings of the video encoder")
    parser.add_argument("--crop", choices=("full", "left", "right"), default="full", help="part to look at")
    device.add_arguments(parser)


def main(args: argparse.Namespace) -> None:
    """Write table and picture of each video; one that cannot be read is a warning and a remark in the overview."""
    from extractors.describer import Describer

    names = _names(args.videos)
    settings = parse("encoders.video", args.settings, VideoEncoder)
    describer = Describer(settings, device.start(args))
    overview = []
    for path, name in progress(list(names.items()), "timeline", "clip"):
        row: dict[str, object] = {**dict.fromkeys(OVERVIEW_COLUMNS, ""), "file": str(path)}
        try:
            clip = look(path, args.crop, describer)
        except UnreadableError as error:
            LOG.warning("%s", error)
            overview.append(row | {"problem": str(error)})
            continue
        write_csv(args.out_dir / f"{name}.csv", COLUMNS, _rows(clip))
        with publish(args.out_dir / f"{name}.png") as draft:
            draw(path.name, clip, describer.name).savefig(draft, dpi=150)
        overview.append(row | clip.summary())
    write_csv(args.out_dir / OVERVIEW, OVERVIEW_COLUMNS, overview)


def _names(paths: Sequence[Path]) -> dict[Path, str]:
    """Name of the files made of each path; UserError when two are the same."""
    taken = {Path(OVERVIEW).stem: Path(OVERVIEW)}
    for path in paths:
        if (other := taken.setdefault(path.stem, path)) is not path:
            raise UserError(f"{path}: its files would overwrite those of {other}; rename one, or use two --out-dir")
    return {path: path.stem for path in paths}


def look(path: Path, crop: str, describer: Describer) -> Clip:
    """The part `crop` of a video at regular times; UnreadableError when it has no frame that can be decoded.

    One batch of frames is in memory at a time; only the small crops of the faces are kept.
    """
    per_second = describer.settings.frames_per_second
    stream = frames(path, ticks(None, None, per_second), per_second)
    looks: dict[int, Look | None] = {}
    follower = describer.follower()

    def pictures() -> Iterator[tuple[int, Image]]:
        for tick, frame in stream:
            looks[tick] = None
            if frame is not None:
                yield tick, half(frame, crop)

    described = 0
    for batch in batches(pictures(), describer.device.type):
        described += len(batch)
        order, images = zip(*batch, strict=True)
        faces = describer.faces(order, images, [follower] * len(order))
        emotions = iter(describer.emotions([face for face in faces if face]))
        for tick, face in zip(order, faces, strict=True):
            looks[tick] = Look(face, next(emotions)) if face else None
    if not described:
        raise UnreadableError(f"{path.name} has no decodable frame")
    return Clip(looks, per_second)


def _rows(clip: Clip) -> list[dict[str, object]]:
    rows = []
    for tick, look in clip.looks.items():
        row: dict[str, object] = dict.fromkeys(COLUMNS, "")
        row |= {"seconds": round(tick / clip.frames_per_second, 4), "valid": int(look is not None)}
        if look:
            row |= {"face_probability": f"{look.face.probability:.4f}"}
            row |= {side: f"{value:.1f}" for side, value in zip(BOX, look.face.box, strict=True)}
            row |= {name: f"{value:.4f}" for name, value in zip(EMOTIONS, look.emotions, strict=True)}
        rows.append(row)
    return rows


def draw(title: str, clip: Clip, weights: str) -> Figure:
    """Face crops at their times, and below them the probabilities as stacked areas with gaps where no face is."""
    from matplotlib.figure import Figure

    width, height, left, right = 11.0, 4.9, 0.55, 1.65  # inches
    span = width - left - right
    side = span / CROPS
    figure = Figure(figsize=(width, height))

    def panel(bottom: float, tall: float) -> Axes:
        return figure.add_axes((left / width, bottom / height, span / width, tall / height))

    _draw_crops(panel(height - 0.65 - side, side), clip)
    _draw_areas(panel(0.6, height - 0.65 - side - 0.4 - 0.6), clip)
    facts = clip.summary()
    seen = f"{facts['seconds']:.1f} s, {facts['frames']} frames looked at, face in {facts['faces_percent']:g} % of them"
    seen += "" if len(clip.faces) == len(clip.looks) else " (gaps: none found)"
    best = f"on average {facts['emotion']} {facts['emotion_percent']:g} %" if clip.faces else "no face"
    figure.text(left / width, 1 - 0.25 / height, title, fontsize=12, weight="bold", va="center")
    figure.text(left / width, 1 - 0.48 / height, f"{seen}; {best}", fontsize=9, color="#444444", va="center")
    figure.text(1 - 0.1 / width, 0.1 / height, weights, fontsize=6, color="#888888", ha="right")
    return figure


def _draw_crops(panel: Axes, clip: Clip) -> None:
    """One crop for each of equal spans of the film, under its middle, with the most probable emotion."""
    from matplotlib.patches import Rectangle

    panel.set(xlim=(0, CROPS), ylim=(0, 1))
    panel.axis("off")
    for place in range(CROPS):
        look = clip.looks.get(int((place + 0.5) / CROPS * clip.seconds * clip.frames_per_second + 1e-6))
        if look:
            inner = (place + 0.03, place + 0.97, 0.03, 0.97)
            grey: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255, "interpolation": "none"}
            panel.imshow(look.face.grey, extent=inner, aspect="auto", **grey)
            panel.add_patch(Rectangle((place + 0.03, 0.03), 0.94, 0.94, fill=False, color="#aaaaaa", linewidth=0.5))
            best = int(look.emotions.argmax())
            text = f"{EMOTIONS[best]} {100 * look.emotions[best]:.0f} %"
            panel.text(place + 0.5, -0.14, text, fontsize=5.5, ha="center")
        else:
            panel.text(place + 0.5, 0.5, "no face", fontsize=7, ha="center", va="center", color="#888888")


def _draw_areas(panel: Axes, clip: Clip) -> None:
    """Ticks without a face, or without a frame, are gaps."""
    rate = clip.frames_per_second
    shares = np.full((max(clip.looks) + 1, len(EMOTIONS)), np.nan)
    for tick, look in clip.looks.items():
        if look:
            shares[tick] = look.emotions
    times = (np.arange(len(shares))[:, None] + (0, 1)).ravel() / rate  # begin and end of each tick
    levels = np.concatenate([np.zeros((len(shares), 1)), shares.cumsum(1)], 1)
    panel.set(xlim=(0, clip.seconds), ylim=(0, 1), facecolor="#f4f4f4")
    panel.set_xlabel("seconds", fontsize=9)
    panel.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
    panel.tick_params(labelsize=8, color="#888888")
    panel.spines[["top", "right"]].set_visible(False)
    line = min(0.4, 40 / len(shares))  # separates neighbours without covering thin areas
    for place, (name, colour) in enumerate(zip(EMOTIONS, COLOURS, strict=True)):
        low, high = levels[:, place], levels[:, place + 1]
        panel.fill_between(times, low.repeat(2), high.repeat(2), color=colour, edgecolor="white", linewidth=line)
        _label(panel, name, low, high, rate)
        row = (place + 0.5) / (len(EMOTIONS) + 1)
        outside: dict[str, Any] = {"transform": panel.transAxes, "clip_on": False}
        panel.scatter([1.025], [row], s=90, marker="s", color=colour, **outside)
        panel.text(1.08, row, f"{100 * clip.mean[place]:.0f} %", fontsize=8, va="center", ha="right", **outside)
        panel.text(1.09, row, name, fontsize=8, va="center", **outside)
    panel.text(1.02, 1 - 0.5 / (len(EMOTIONS) + 1), "mean over the film", fontsize=8, va="center", **outside)


def _label(panel: Axes, name: str, low: NDArray[np.float64], high: NDArray[np.float64], rate: float) -> None:
    """The name inside its area, where there is most room for it, if there is enough."""
    wide = min(len(low), max(1, round(0.07 * len(low))))
    floor, ceiling = (np.lib.stride_tricks.sliding_window_view(edge, wide) for edge in (low, high))
    floor, ceiling = floor.max(1), ceiling.min(1)
    room = np.nan_to_num(ceiling - floor, nan=-1)
    best = int(room.argmax())
    if room[best] > 0.08:
        ink = "white" if name in DARK else "black"
        x, y = (best + wide / 2) / rate, (floor[best] + ceiling[best]) / 2
        panel.text(x, y, name, fontsize=8, color=ink, ha="center", va="center")
