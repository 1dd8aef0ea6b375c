"""Waiting for what will come: no longer than it takes, and as long as a busy machine may need."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import httpx

PATIENCE_S = 240.0  # of a machine so busy that it is as good as hung
_SHARE = 2  # of the processor's time that a look takes: what is waited for needs it more
T = TypeVar("T")


def pauses() -> Iterator[float]:
    """Seconds between looks, the longer the more there were: a look costs a millisecond, and more where it asks."""
    pause = 0.02
    while True:
        yield pause
        pause = min(1.2 * pause, 0.2)


def eventually(look: Callable[[], T], *, seconds: float = PATIENCE_S, told: Callable[[], object] = str) -> T:
    """What `look` gives, once it is true; an answer that did not come, can't be read or lacks what is asked: not yet.

    Raises:
        AssertionError: it did not come in time; `told` says what there was instead.
    """
    end = time.monotonic() + seconds
    fault: Exception | None = None
    resting = pauses()
    while True:
        began = time.thread_time()
        try:
            if found := look():
                return found
        except (httpx.HTTPError, OSError, ValueError, LookupError) as error:
            fault = error
        if time.monotonic() > end:
            raise AssertionError(f"it did not happen within {seconds:g} s: {told()}") from fault
        time.sleep(max(next(resting), _SHARE * (time.thread_time() - began)))
