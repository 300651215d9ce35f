"""Batches of pictures by pixels, and the spans of a film that are looked at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors import video
from extractors.faces import Follower


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 15)), min_size=1, max_size=8))
def test_merged_spans_cover_the_same_ticks_once(pairs: list[tuple[int, int]]) -> None:
    spans = [range(start, start + length) for start, length in pairs]
    found = video.merged(spans)
    assert [tick for span in found for tick in span] == sorted({tick for span in spans for tick in span})
    track = video.Track(Follower(0.9, 10), spans)
    assert [track.wants(tick) for tick in range(80)] == [any(tick in span for span in spans) for tick in range(80)]


@pytest.mark.parametrize(
    ("height", "width", "cpu", "cuda"),
    [(480, 360, 32, 128), (480, 720, 32, 128), (720, 1280, 32, 72), (1080, 1440, 21, 43), (2160, 3840, 4, 8)],
)
def test_pictures_that_are_described_together_are_fewer_if_they_are_large(
    height: int, width: int, cpu: int, cuda: int
) -> None:
    picture = np.broadcast_to(np.uint8(0), (height, width, 3))
    assert (video.room(picture, "cpu"), video.room(picture, "cuda")) == (cpu, cuda)
    seen = list(video.batches(((number, picture) for number in range(100)), "cpu"))
    assert [number for batch in seen for number, _ in batch] == list(range(100))
    assert {len(batch) for batch in seen[:-1]} == {cpu}


def test_a_large_picture_ends_a_batch_of_small_ones() -> None:
    small, large = np.zeros((1, 1, 3), np.uint8), np.broadcast_to(np.uint8(0), (4320, 7680, 3))
    order = [small] * 10 + [large] * 2 + [small] * 40
    assert [len(batch) for batch in video.batches(((picture,) for picture in order), "cpu")] == [11, 1, 32, 8]
