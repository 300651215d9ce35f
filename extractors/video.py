"""Verb `video`: Denseface features of the speaker's face, at regular times of the dialogue's clock."""

from __future__ import annotations

import argparse
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

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
    from extractors.faces import Follower
    from extractors.upright import Image

BATCH = {"cpu": 32, "cuda": 128}
"""Pictures that are described together by device, and at most as many more that are decoded ahead."""
PIXELS = {"cpu": 2**25, "cuda": 2**26}
"""Of the pictures that are described together, if there is more than one."""
LEAST = 32
"""Utterances of a part; the films of a part share batches, and a film is never split."""
Picture = TypeVar("Picture", bound=tuple[Any, ...])
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


def room(image: Image, place: str) -> int:
    """How many pictures of this size are described together on a type of device."""
    pixels: int = image.shape[0] * image.shape[1]
    return max(1, min(BATCH[place], PIXELS[place] // pixels))


def batches(pictures: Iterable[Picture], place: str) -> Iterator[list[Picture]]:
    """`pictures`, of which the last item is the image, in their order; the largest of a batch has `room` for it."""
    batch: list[Picture] = []
    most = BATCH[place]
    for picture in pictures:
        batch.append(picture)
        most = min(most, room(picture[-1], place))
        if len(batch) >= most:
            yield batch
            batch, most = [], BATCH[place]
    if batch:
        yield batch


def merged(spans: Iterable[range]) -> list[range]:
    """What `spans` cover, as spans that are apart and ascend."""
    apart: list[range] = []
    for span in sorted(spans, key=lambda span: span.start):
        if apart and span.start <= apart[-1].stop:
            apart[-1] = range(apart[-1].start, max(apart[-1].stop, span.stop))
        else:
            apart.append(span)
    return apart


class Track:
    """What is found along one half of a film: features (342,) by tick, None without a face; only in `spans`."""

    def __init__(self, follower: Follower, spans: Iterable[range]) -> None:
        self.follower = follower
        self.found: dict[int, NDArray[np.float32] | None] = {}
        self._spans = merged(spans)

    def wants(self, tick: int) -> bool:
        place = bisect(self._spans, tick, key=lambda span: span.start) - 1
        return place >= 0 and tick in self._spans[place]


class Film:
    """The utterances of one video, and what is found in it."""

    def __init__(self, rows: Sequence[Utterance], describer: Describer) -> None:
        self._dim = describer.dim
        self._per_second = describer.settings.frames_per_second
        self._spans = {row: ticks(row.video_start, row.video_end, self._per_second) for row in rows}
        self._tracks = {
            crop: Track(describer.follower(), [span for row, span in self._spans.items() if row.crop == crop])
            for crop in sorted({row.crop for row in rows})
        }
        self._name = rows[0].video
        self._unreadable = ""
        self._lost: set[int] = set()
        self._stop = 0

    def pictures(self, root: Path) -> Iterator[tuple[Track, int, Image]]:
        """Each picture to look at, in the order of time; a moment that several utterances of one half share comes once.

        There are none when the video cannot be read.
        """
        wanted = chain.from_iterable(merged(self._spans.values()))
        try:
            for tick, frame in frames(shard.media(root, self._name), wanted, self._per_second):
                self._stop = tick + 1
                if frame is None:
                    self._lost.add(tick)
                    continue
                for crop, track in self._tracks.items():
                    if track.wants(tick):
                        yield track, tick, half(frame, crop)
        except shard.UnreadableError as error:
            self._unreadable = str(error)

    def features(self) -> Iterator[tuple[str, Frames | str]]:
        """Utterance and features, or the reason why it has none; after all pictures have been described.

        Ticks without a face, or whose picture is damaged, are rows of zeros that are not valid; behind the end of the
        film there are no rows.
        """
        nothing = np.zeros(self._dim, np.float32)
        for row, span in self._spans.items():
            found = self._tracks[row.crop].found
            within = range(span.start, min(span.stop, self._stop))
            there = [tick for tick in within if tick in found or tick in self._lost]
            seen = sum(tick in found for tick in there)
            values = [found.get(tick) for tick in there]
            valid = np.array([item is not None for item in values], np.bool_)
            if self._unreadable:
                yield row.utterance, self._unreadable
            elif not seen:
                yield row.utterance, f"{Path(self._name).name} has no decodable frame in the utterance's time span"
            elif not valid.any():
                yield row.utterance, f"no face in any of its {seen} frames"
            else:
                if row.video_end is not None and seen < len(span):
                    LOG.warning("%s: only %d of %d frames can be decoded", row.utterance, seen, len(span))
                yield row.utterance, Frames(np.array([nothing if item is None else item for item in values]), valid)


def extract(root: Path, rows: Sequence[Utterance], describer: Describer) -> Iterator[tuple[str, Frames | str]]:
    """Utterance and features of all `rows`, or the reason why one has none.

    Each video is decoded once, in order, by a thread that works ahead of the networks.
    """
    films = [Film(group, describer) for group in by_film(rows)]
    place = describer.device.type
    pictures = chain.from_iterable(film.pictures(root) for film in films)
    for batch in batches(ahead(pictures, lambda picture: room(picture[-1], place)), place):
        tracks, order, images = zip(*batch, strict=True)
        features = describer(order, images, [track.follower for track in tracks])
        for track, tick, values in zip(tracks, order, features, strict=True):
            track.found[tick] = values
    for film in films:
        yield from film.features()
