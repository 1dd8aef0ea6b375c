"""Disks that are full or small, for tests."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.need import need

__all__ = ["no_room", "own_disk"]


def own_disk(then: str = "true") -> list[str]:
    """What runs a command with 24 MiB as its DATA_DIR, which are there for it alone, and go with it.

    `then` is a shell command that prepares them.
    """
    own = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
    mounted = f'mount -t tmpfs -o size=24m tmpfs "$DATA_DIR" && {{ {then}; }} && exec "$@"'
    return [need("unshare"), *own, "sh", "-c", mounted, "sh"]


@contextmanager
def no_room(after: int = 0) -> Iterator[None]:
    """As if the disk were full: no file of this process grows beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
