"""Verb `video`: Denseface features of the speaker's face, at regular times of the dialogue's clock."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import chain, groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from extractors import device, shard
from extractors.console import LOG
from extractors.corpora import Utterance
from extractors.decode import frames, ticks
from extractors.overlap import ahead
from extractors.settings import VideoEncoder, parse
from extractors.store import Frames

if TYPE_CHECKING:
    from extractors.describer import Describer
    from extractors.faces import Follower, Image

BATCH = {"cpu": 32, "cuda": 128}
"""Pictures that are described together by device, and at most as many more that are decoded ahead."""
LEAST = 32
"""Utterances of a part; the films of a part share batches, and a film is never split."""
PACKAGES = ("torch", "torchvision", "facenet-pytorch", "av", "numpy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    shard.add_arguments(parser)


def main(args: argparse.Namespace) -> None:
    """Write the video features of one session."""
    from extractors.describer import Describer

    settings = parse("encoders.video", args.settings, VideoEncoder)
    rows = shard.rows(args)
    place = device.start(args, settings.precision)
    describer = Describer(settings, place)
    parts = shard.chunks(by_film(rows), LEAST)
    run = shard.Run(args, "video", settings, describer, place, PACKAGES, parts)
    for part in run.pending():
        for name, found in extract(args.root, part.rows, describer):
            if isinstance(found, str):
                part.fail(name, found)
            else:
                part.add(name, found.values, found.valid)
        part.seal()
    run.join()
    count, mean, std = describer.greys()
    if count:
        LOG.info("grey values of the %d faces of this run: mean %.4g, deviation %.4g", count, mean, std)
    LOG.info("peak memory %s", device.peak_memory(place))


def by_film(rows: Sequence[Utterance]) -> list[list[Utterance]]:
    """The utterances of each video."""
    return [list(group) for _, group in groupby(sorted(rows, key=lambda row: row.video), key=lambda row: row.video)]


def half(frame: Image, crop: str) -> Image:
    """The part of a split-screen frame that shows the speaker: `left`, `right` or `full`."""
    middle = frame.shape[1] // 2
    return {"left": frame[:, :middle], "right": frame[:, middle:], "full": frame}[crop]


class Track:
    """What is found along one half of a film: features (342,) by tick, None without a face."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self.found: dict[int, NDArray[np.float32] | None] = {}


class Film:
    """The utterances of one video, and what is found in it."""

    def __init__(self, rows: Sequence[Utterance], describer: Describer) -> None:
        self._dim = describer.dim
        self._per_second = describer.settings.frames_per_second
        self._spans = {row: ticks(row.video_start, row.video_end, self._per_second) for row in rows}
        self._tracks = {row.crop: Track(describer.follower()) for row in rows}
        self._name = rows[0].video
        self._unreadable = ""

    def pictures(self, root: Path) -> Iterator[tuple[Track, int, Image]]:
        """Each picture to look at, in the order of time; a moment that several utterances of one half share comes once.

        There are none when the video cannot be read.
        """
        spans = self._spans.values()
        first, stop = min(span.start for span in spans), max(span.stop for span in spans)
        wanted = (tick for tick in range(first, stop) if any(tick in span for span in spans))
        try:
            for tick, frame in frames(shard.media(root, self._name), wanted, self._per_second):
                for crop in sorted({row.crop for row, span in self._spans.items() if tick in span}):
                    yield self._tracks[crop], tick, half(frame, crop)
        except shard.UnreadableError as error:
            self._unreadable = str(error)

    def features(self) -> Iterator[tuple[str, Frames | str]]:
        """Utterance and features, or the reason why it has none; after all pictures have been described.

        Frames without a face are rows of zeros that are not valid; frames that cannot be decoded are no rows.
        """
        for row, span in self._spans.items():
            found = [values for tick, values in self._tracks[row.crop].found.items() if tick in span]
            valid = np.array([values is not None for values in found], np.bool_)
            if self._unreadable:
                yield row.utterance, self._unreadable
            elif not found:
                yield row.utterance, f"{Path(self._name).name} has no decodable frame in the utterance's time span"
            elif not valid.any():
                yield row.utterance, f"no face in any of its {len(found)} frames"
            else:
                if row.video_end is not None and len(found) < len(span):
                    LOG.warning("%s: only %d of %d frames can be decoded", row.utterance, len(found), len(span))
                nothing = np.zeros(self._dim, np.float32)
                yield row.utterance, Frames(np.array([nothing if item is None else item for item in found]), valid)


def extract(root: Path, rows: Sequence[Utterance], describer: Describer) -> Iterator[tuple[str, Frames | str]]:
    """Utterance and features of all `rows`, or the reason why one has none.

    Each video is decoded once, in order, by a thread that works ahead of the networks.
    """
    films = [Film(group, describer) for group in by_film(rows)]
    size = BATCH[describer.device.type]
    pictures = ahead(chain.from_iterable(film.pictures(root) for film in films), size)
    while batch := list(islice(pictures, size)):
        tracks, order, images = zip(*batch, strict=True)
        features = describer(order, images, [track.follower for track in tracks])
        for track, tick, values in zip(tracks, order, features, strict=True):
            track.found[tick] = values
    for film in films:
        yield from film.features()
