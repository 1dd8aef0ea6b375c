"""Files of the fast tests lie in memory, where there is some: what is flushed to disk for safety waits for none."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")


def _in_memory() -> bool:
    if not (_MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)):
        return False
    room = os.statvfs(_MEMORY)
    return room.f_bavail * room.f_frsize > 1e9 and not room.f_flag & os.ST_NOEXEC


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """As pytest's own, but gone after the test."""
    if not _in_memory():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="pikkit-unit-", dir=_MEMORY) as folder:
        yield Path(folder)
