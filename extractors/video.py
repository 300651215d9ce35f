"""Verb `video`: Denseface features of the speaker's face, at regular times of the dialogue's clock."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from extractors import device, shard
from extractors.console import LOG, progress
from extractors.corpora import Utterance
from extractors.decode import frames, ticks
from extractors.settings import VideoEncoder, parse

if TYPE_CHECKING:
    from extractors.describer import Describer
    from extractors.faces import Image

BATCH = 32
PACKAGES = ("torch", "torchvision", "facenet-pytorch", "av", "numpy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    shard.add_arguments(parser)


def main(args: argparse.Namespace) -> None:
    """Write the video features of one session."""
    from extractors.describer import Describer

    settings = parse("encoders.video", args.settings, VideoEncoder)
    rows = shard.rows(args)
    describer = Describer(settings, device.start(args))
    out = shard.Shard("video", describer.dim)
    videos = [list(group) for _, group in groupby(sorted(rows, key=lambda row: row.video), key=lambda row: row.video)]
    for group in progress(videos, "video", "dialogue"):
        try:
            path = shard.media(args.root, group[0].video)
            for name, values, valid in extract(path, group, settings, describer):
                if valid.any():
                    out.add(name, values, valid)
                elif len(valid):
                    out.fail(name, f"no face in any of its {len(valid)} frames")
                else:
                    out.fail(name, f"{path.name} has no decodable frame in the utterance's time span")
        except shard.UnreadableError as error:
            for row in group:
                out.fail(row.utterance, str(error))
    names = [row.utterance for row in rows]
    out.write(args, names, settings, describer.name, describer.weights_sha256, PACKAGES)
    count, mean, std = describer.greys()
    LOG.info("grey values of %d faces: mean %.4g, deviation %.4g", count, mean, std)


class Track:
    """Features of one half of a dialogue, tick by tick; holds no more than one batch of frames."""

    def __init__(self, describer: Describer) -> None:
        self.found: dict[int, NDArray[np.float32] | None] = {}
        self._describer = describer
        self._waiting: list[tuple[int, Image]] = []
        self._follower = describer.follower()

    def add(self, tick: int, image: Image) -> None:
        """Take the next frame."""
        self._waiting.append((tick, image))
        if len(self._waiting) == BATCH:
            self.flush()

    def flush(self) -> None:
        """Describe the frames that are waiting."""
        if self._waiting:
            order, images = zip(*self._waiting, strict=True)
            self.found.update(zip(order, self._describer(order, images, self._follower), strict=True))
            self._waiting = []


def half(frame: Image, crop: str) -> Image:
    """The part of a split-screen frame that shows the speaker: `left`, `right` or `full`."""
    middle = frame.shape[1] // 2
    return {"left": frame[:, :middle], "right": frame[:, middle:], "full": frame}[crop]


def extract(
    path: Path, rows: Sequence[Utterance], settings: VideoEncoder, describer: Describer
) -> Iterator[tuple[str, NDArray[np.float32], NDArray[np.bool_]]]:
    """Utterance, values (frames, 342) and valid (frames,) of all `rows`, whose frames lie in one video.

    The video is decoded once; a moment that several utterances of one half share is looked at once. Frames without a
    face are rows of zeros that are not valid; frames that cannot be decoded are no rows. UnreadableError when the
    file is no video at all.
    """
    spans = [ticks(row.video_start, row.video_end, settings.frames_per_second) for row in rows]
    tracks = {row.crop: Track(describer) for row in rows}
    first, stop = min(span.start for span in spans), max(span.stop for span in spans)
    wanted = (tick for tick in range(first, stop) if any(tick in span for span in spans))
    for tick, frame in frames(path, wanted, settings.frames_per_second):
        for crop in sorted({row.crop for row, span in zip(rows, spans, strict=True) if tick in span}):
            tracks[crop].add(tick, half(frame, crop))
    for track in tracks.values():
        track.flush()
    for row, span in zip(rows, spans, strict=True):
        features = [values for tick, values in tracks[row.crop].found.items() if tick in span]
        valid = np.array([values is not None for values in features], np.bool_)
        values = np.zeros((len(features), describer.dim), np.float32)
        for place, item in enumerate(features):
            if item is not None:
                values[place] = item
        if row.video_end is not None and 0 < len(features) < len(span):
            LOG.warning("%s: only %d of %d frames can be decoded", row.utterance, len(features), len(span))
        yield row.utterance, values, valid
