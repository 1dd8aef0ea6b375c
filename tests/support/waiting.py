"""Waiting for what will come: no longer than it takes, and as long as a busy machine may need."""

import time
from collections.abc import Callable
from typing import TypeVar

import httpx

PATIENCE_S = 240.0  # of a machine so busy that it is as good as hung
_PAUSE_S = 0.05
_SHARE = 2  # of the processor's time that a look takes: what is waited for needs it more
T = TypeVar("T")


def eventually(look: Callable[[], T], *, seconds: float = PATIENCE_S, told: Callable[[], object] = str) -> T:
    """What `look` gives, once it is true; an answer that did not come, or can't be read, means: not yet.

    Raises:
        AssertionError: it did not come in time; `told` says what there was instead.
    """
    end = time.monotonic() + seconds
    fault: Exception | None = None
    while True:
        began = time.thread_time()
        try:
            if found := look():
                return found
        except (httpx.HTTPError, OSError, ValueError) as error:
            fault = error
        if time.monotonic() > end:
            raise AssertionError(f"it did not happen within {seconds:g} s: {told()}") from fault
        time.sleep(max(_PAUSE_S, _SHARE * (time.thread_time() - began)))
