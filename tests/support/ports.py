"""Free TCP ports on loopback, below those that outgoing connections get: the kernel may give one at any moment."""

import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

_FIRST, _LAST = 12_000, 32_000
_WORKERS = 8  # at most, that share the range, each in its part
_PART = (_LAST - _FIRST) // _WORKERS
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
# A port just given may not be in use yet: each call goes on from the last; each process begins elsewhere.
_STEPS = itertools.count(os.getpid() * 37)


def free_port() -> int:
    """A port that nothing listens on at the moment."""
    return free_block(1)


def free_block(size: int = 10) -> int:
    """The first of `size` adjacent free ports, a multiple of ten."""
    for _ in range(_PART // 10):
        first = _FIRST + _WORKER * _PART + next(_STEPS) * 10 % _PART
        with _bound(first, size) as free:
            if free:
                for _ in range(10, size, 10):
                    next(_STEPS)
                return first
    raise RuntimeError(f"no {size} free ports from {_FIRST + _WORKER * _PART} on")


@contextmanager
def _bound(first: int, size: int) -> Iterator[bool]:
    sockets = []
    try:
        for port in range(first, first + size):
            probe = socket.socket()
            sockets.append(probe)
            probe.bind(("127.0.0.1", port))
        yield True
    except OSError:
        yield False
    finally:
        for probe in sockets:
            probe.close()
