"""What is needed next, read by another thread while the present is being worked on.

An error of the thread is raised where what it should have read is asked for.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


def read_ahead(read: Callable[[Key], Value], keys: Iterable[Key], *, count: int = 2) -> Iterator[Value]:
    """What is read for one key after the other, in their order.

    Args:
        read: called with every key, in a thread of its own.
        keys: what to read.
        count: how many values wait at most, beside the one that was asked for.

    Example:
        >>> list(read_ahead(abs, [-3, 2, -1]))
        [3, 2, 1]
    """
    pool, waiting = ThreadPoolExecutor(1), collections.deque[Future[Value]]()
    try:
        for key in keys:
            waiting.append(pool.submit(read, key))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class Foreseen(Generic[Key, Value]):
    """Values in an order that only their user knows, of whom it is told which one probably comes next.

    Args:
        read: gives the value of a key.

    Example:
        >>> foreseen = Foreseen(abs)
        >>> foreseen.value(-3, following=-2), foreseen.value(-2, following=-1), foreseen.value(5, following=0)
        (3, 2, 5)
    """

    def __init__(self, read: Callable[[Key], Value]) -> None:
        self._read = read
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: tuple[Key, Future[Value]] | None = None

    def value(self, key: Key, *, following: Key) -> Value:
        """The value of a key; that of the following one is read meanwhile."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting[0] == key:
            value = waiting[1].result()
        else:
            if waiting is not None:
                waiting[1].cancel()
            value = self._read(key)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1)
        self._waiting = following, self._pool.submit(self._read, following)
        return value
