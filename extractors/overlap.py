"""Work ahead of its consumer, in a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

Item = TypeVar("Item")


def ahead(items: Iterable[Item], depth: int) -> Iterator[Item]:
    """`items` in their order, made by a thread that is at most `depth` (1 or more) of them ahead.

    What the thread raises is raised here, after the items before it. When the consumer stops early, the thread ends
    with the item that it is making.
    """
    source, end = iter(items), object()
    pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")
    try:
        waiting = deque(pool.submit(next, source, end) for _ in range(depth))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(pool.submit(next, source, end))
            yield cast(Item, item)
    finally:
        pool.shutdown(cancel_futures=True)
