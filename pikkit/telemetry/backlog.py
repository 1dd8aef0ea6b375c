"""What a request leaves to be counted an instant after its answer: to append is all that it waits for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

__all__ = ["Backlog"]

_Item = TypeVar("_Item")


class Backlog(Generic[_Item]):
    """Items in the order in which they came, taken many at a time. Any thread may append and settle."""

    def __init__(self, take: Callable[[list[_Item]], None]) -> None:
        """`take` is called with whatever waits, in one thread at a time."""
        self.waiting: deque[_Item] = deque()
        self._take = take
        self._lock = Lock()
        self.append = self.waiting.append

    def settle(self) -> None:
        """Take what waits."""
        with self._lock:
            items = [self.waiting.popleft() for _ in range(len(self.waiting))]
            if items:
                self._take(items)
