from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.overlap import ahead

ROOT = Path(__file__).resolve().parents[2]


@settings(max_examples=30, deadline=None)
@given(items=st.lists(st.none() | st.integers(), max_size=20), depth=st.integers(1, 5))
def test_same_items_in_the_same_order(items: list[int | None], depth: int) -> None:
    assert list(ahead(iter(items), depth)) == items


@pytest.mark.parametrize("depth", [1, 3])
def test_never_more_than_its_depth_ahead_and_always_in_one_other_thread(depth: int) -> None:
    made: list[int] = []
    threads = set()

    def source() -> Iterator[int]:
        for number in range(20):
            made.append(number)
            threads.add(threading.get_ident())
            yield number

    for number in ahead(source(), depth):
        deadline = time.monotonic() + 5
        while len(made) < min(20, number + 1 + depth) and time.monotonic() < deadline:
            time.sleep(0.001)  # the thread gets as far as it may
        time.sleep(0.002)
        assert len(made) == min(20, number + 1 + depth)
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_items_are_made_while_the_consumer_works() -> None:
    def slow(count: int) -> Iterator[int]:
        for number in range(count):
            time.sleep(0.05)
            yield number

    begin = time.monotonic()
    for _ in ahead(slow(10), 2):
        time.sleep(0.05)
    assert time.monotonic() - begin < 0.8  # 0.55 together, 1.0 one after the other


def test_an_error_comes_after_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise ZeroDivisionError("third")

    found = []
    with pytest.raises(ZeroDivisionError, match="third"):
        for item in ahead(source(), 5):
            found.append(item)
    assert found == [1, 2]


@pytest.mark.parametrize("how", ["close", "raise"])
def test_a_consumer_that_stops_early_ends_the_thread_and_closes_the_source(how: str) -> None:
    closed: list[bool] = []
    made: list[int] = []

    def source() -> Iterator[int]:
        try:
            for number in range(1_000_000):
                made.append(number)
                yield number
        finally:
            closed.append(True)

    def consume() -> None:
        stream = ahead(source(), 2)
        for number in stream:
            if number == 3 and how == "close":
                return
            if number == 3:
                raise ZeroDivisionError

    before = threading.active_count()
    if how == "raise":
        with pytest.raises(ZeroDivisionError):
            consume()
    else:
        consume()
    assert threading.active_count() == before
    assert len(made) <= 6
    assert closed == [True]


def test_the_depth_may_follow_the_items() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for number in range(20):
            made.append(number)
            yield number

    for number in ahead(source(), lambda number: 3 if number < 10 else 1):
        time.sleep(0.01)
        assert len(made) <= min(20, number + 2 + (2 if number < 12 else 0))


def test_a_stream_that_nobody_reads_starts_no_thread() -> None:
    before = threading.active_count()
    ahead(iter([1]), 1)
    assert threading.active_count() == before


def test_a_program_that_fails_with_work_ahead_ends() -> None:
    program = "from extractors.overlap import ahead\nimport itertools\nfor n in ahead(itertools.count(), 3): n // 0"
    job = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert job.returncode == 1
    assert job.stderr.splitlines()[-1].startswith("ZeroDivisionError")
