"""Work ahead of its consumer, in a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

Item = TypeVar("Item")


def ahead(items: Iterable[Item], depth: int | Callable[[Item], int]) -> Iterator[Item]:
    """`items` in their order, made by a thread that is at most `depth` (1 or more) of them ahead.

    A `depth` that is asked says how many items like the one that it is given may wait. What the thread raises is raised
    here, after the items before it. When the consumer stops early, the thread ends with the item that it is making.
    """
    source, end = iter(items), object()
    pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")
    try:
        waiting = deque([pool.submit(next, source, end)])
        while (item := waiting.popleft().result()) is not end:
            room = (depth if isinstance(depth, int) else depth(cast(Item, item))) - len(waiting)
            waiting.extend(pool.submit(next, source, end) for _ in range(room))
            yield cast(Item, item)
    finally:
        pool.shutdown(cancel_futures=True)
