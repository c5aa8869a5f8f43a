"""Working ahead: what comes next is made in another thread while this one uses what is there.

Decoding, the models and OpenCV let go of Python's lock, so two cores share the work of a stage.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")

# Items made before they are asked for; pictures are large, and more hide no more waiting.
DEPTH = 3


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """``items`` in their order, each made while earlier ones are used; errors come in their place.

    A generator runs in one thread from its start to its end, also where it is left early.
    """
    end = object()
    with ThreadPoolExecutor(1) as pool:
        try:
            waiting: deque[Future[object]] = deque(
                pool.submit(next, items, end) for _ in range(DEPTH)
            )
            while (item := waiting.popleft().result()) is not end:
                waiting.append(pool.submit(next, items, end))
                yield item  # type: ignore[misc]
        finally:
            for future in waiting:
                future.cancel()
            if isinstance(items, Generator):
                pool.submit(items.close).result()
