"""Alerts on their way to the outbox: a file per worker, to which only that worker appends.

Within a request an alert costs one write to the page cache: no database, no lock that another process could hold. It
survives a killed worker; whoever finds the file of one that is gone empties it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["Spool", "orphans"]

_LIMIT_BYTES = 16 * 2**20


class Spool:
    """This worker's file. One thread appends, another one takes."""

    def __init__(self, folder: Path, *, limit_bytes: int = _LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit = limit_bytes
        self._file: int | None = None
        self._path: Path | None = None
        self._pid = 0
        self._size = self._taken = 0
        self._lock = threading.Lock()  # held for as long as a write to the page cache takes

    def append(self, line: bytes) -> None:
        """Add a line (without its end).

        Raises:
            OSError: the disk is full, read-only or gone, or more waits already than the file may hold.
        """
        with self._lock:
            file = self._file
            if file is None or self._pid != os.getpid():
                file = self._open()
            if self._size + len(line) >= self._limit:
                raise OSError(f"{self._size} bytes of alerts wait already")
            data = line + b"\n"
            if os.write(file, data) != len(data):
                os.ftruncate(file, self._size)
                raise OSError("the disk is full")
            self._size += len(data)

    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._taken >= self._size

    def take(self, use: Callable[[list[bytes]], None]) -> None:
        """Hand over all lines; they are forgotten only once `use` returned."""
        if self.empty() or self._file is None:
            return
        end = self._size
        use(_lines(os.pread(self._file, end - self._taken, self._taken)))
        self._taken = end
        with self._lock:
            if self._size == self._taken:
                os.ftruncate(self._file, 0)
                self._size = self._taken = 0

    def close(self) -> None:
        """Close the file; it is removed where nothing waits in it."""
        if self._file is not None and self._path is not None:
            if self.empty():
                self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            path = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}.jsonl"
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is(path, file):  # else somebody took it for an orphan before it was locked
                break
            os.close(file)
        self._file, self._path, self._pid = file, path, os.getpid()
        self._size = self._taken = 0
        return file


def orphans(folder: Path) -> Iterator[tuple[list[bytes], Callable[[], None]]]:
    """The lines of each file whose worker is gone, and what removes it."""
    for path in sorted(folder.glob("*.jsonl")):
        with suppress(FileNotFoundError, BlockingIOError):
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is(path, file):
                    yield _lines(os.pread(file, os.fstat(file).st_size, 0)), path.unlink
            finally:
                os.close(file)


def _lines(data: bytes) -> list[bytes]:
    return [line for line in data.split(b"\n") if line]


def _is(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
