"""What a request leaves to be counted an instant after its answer: to append is all that it waits for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import Context
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

__all__ = ["Answered", "Backlog"]

_Item = TypeVar("_Item")


class Answered(NamedTuple):
    """A request, as it is counted and logged."""

    endpoint: str  # label of the metrics
    status: int  # of the answer
    seconds: float  # from request to answer
    request_id: str = ""  # as in the answer's X-Request-ID
    error: str | None = None  # code of the error answered, if it was one
    method: str = ""
    path: str = ""  # without the query string, which may hold anything
    at: float = 0.0  # when it was answered, seconds since the epoch
    context: Context | None = None  # of the layer that answered: its trace


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
