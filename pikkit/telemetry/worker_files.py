"""The files in which the worker processes of one service instance tell each other what they counted.

Each worker holds a lock on a file of its own for as long as it lives. The kernel frees the lock when the process
ends, however it ends, so a killed worker is seen at the next look even when its parent has not reaped it, and a
recycled process id can't stand in for it. What dead workers counted is added to one common file, `ended`.

Nothing here is mapped into memory: a full disk is an error of one write, and the worker goes on. Each file has its
room from the start, so that a disk that fills up later takes nothing away.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path
from struct import Struct
from threading import Lock
from typing import Any, NamedTuple
from uuid import uuid4

from pikkit.files import replace_file
from pikkit.telemetry.logs import get_logger
from pikkit.telemetry.series import Dump, Merged

__all__ = ["Look", "Worker", "WorkerFiles"]

_HEAD = Struct("<8sQ5I")  # what it is, number of the write, checksum of the rest, lengths of its four parts
_MAGIC = b"pikkit1\n"
# A file has two halves, written in turn: while one is being written, or was half written when its worker was killed,
# the other is whole. Bytes; 1,000 series need 40 KiB.
_HALF = 512 * 1024
_READS = 3  # a write may come between
_ENDED = "ended"

_log = get_logger("pikkit.workers")


class Worker(NamedTuple):
    """What a worker says of itself; {} while it has not said anything. `beat` changes while its event loop runs."""

    pid: int
    state: Mapping[str, Any]
    beat: int = 0


@dataclass(slots=True)
class Look:
    """The other workers, as one look into the folder found them.

    `living`, `ended`: what they counted. `broken`: names of files that could not be read, and are left out.
    """

    alive: list[Worker] = field(default_factory=list)
    living: list[Dump] = field(default_factory=list)
    ended: list[Dump] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


class _Record(NamedTuple):
    dump: Dump
    state: dict[str, Any]


_NOTHING = _Record(Dump(b"[[],[]]", b""), {})  # of a worker that has not said anything yet


class WorkerFiles:
    """The folder that the workers of an instance share; `join` makes this process one of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._id = f"{os.getpid()}-{uuid4().hex[:8]}"
        self._path = folder / f"{self._id}.worker"
        self._file: int | None = None
        self._inode = 0
        self._writes = 0
        self._writing = Lock()
        self._is_failing = False
        self._ended: bytes = b""  # as last read: written again when somebody deletes it

    def join(self) -> None:
        """Count this process as a worker until it ends; takes in what dead ones left."""
        if self._file is None:
            self._open()
            self._take_in()

    def publish(self, dump: Dump, state: Mapping[str, Any]) -> bool:
        """Replace what this worker says (`state`: plain JSON values).

        Returns:
            Whether others can read it: False before `join`, and while it can't be written.
        """
        with self._writing:
            if self._file is None:
                return False
            record = _pack(dump, state, self._writes + 1)
            is_whole = len(record) <= _HALF
            try:
                is_whole = is_whole and os.pwrite(self._file, record, (self._writes + 1) % 2 * _HALF) == len(record)
            except OSError:
                is_whole = False
            self._writes += is_whole  # else the same half again: the other one is whole
            if is_whole == self._is_failing:
                self._is_failing = not is_whole
                if not is_whole:
                    _log.error(
                        "what this worker counts can't be written for the others: no room", folder=str(self._folder)
                    )
            return is_whole

    def beat(self) -> None:
        """Show that this worker goes on (a time needs no room on the disk), and make files again that are gone.

        Quick: for the event loop, once a second.
        """
        with contextlib.suppress(OSError):
            if self._file is not None:
                os.utime(self._file)
            if self._file is not None and not self._is_there():
                self._folder.mkdir(parents=True, exist_ok=True)
                with self._writing:
                    old = self._file
                    self._open()
                    os.close(old)
            if self._ended and not (self._folder / _ENDED).exists():
                with self._lock():
                    replace_file(self._folder / _ENDED, self._ended)

    def alive(self) -> list[Worker]:
        """The living workers, this one among them."""
        found = []
        for path in self._folder.glob("*.worker"):
            file, is_free = _open_worker(path)
            if file is not None:
                with _closing(file):
                    if not is_free:
                        record = _read(file)
                        beat = os.fstat(file).st_mtime_ns
                        found.append(Worker(int(path.stem.partition("-")[0]), record.state if record else {}, beat))
        return found

    def look(self) -> Look:
        """Everything that the other workers counted, living or dead. Reads files: call it in a thread."""
        for _ in range(_READS):
            look, ended = self._look()
            if self._read_ended() == ended:  # else a dead worker was moved there meanwhile
                break
        self._ended = ended or self._ended
        self._take_in()
        return look

    def _look(self) -> tuple[Look, bytes]:
        look = Look()
        ended = self._read_ended()
        before = _unpack(ended) if ended else _NOTHING
        if before is None:
            look.broken.append(_ENDED)
        else:
            look.ended.append(before.dump)
        for path in sorted(self._folder.glob("*.worker")):
            if path == self._path or (before and before.state.get("last") == path.stem):
                continue
            file, is_free = _open_worker(path)
            if file is None:
                continue
            with _closing(file):
                found = _read(file)
            if not is_free:
                look.alive.append(Worker(int(path.stem.partition("-")[0]), found.state if found else {}))
            if found is None:
                look.broken.append(path.name)
            else:
                (look.ended if is_free else look.living).append(found.dump)
        return look, ended

    def _take_in(self) -> None:
        """Add what dead workers counted to the common file, and remove theirs. One process at a time."""
        with contextlib.suppress(OSError), self._lock():
            for path in self._folder.glob("*.worker"):
                file, is_free = _open_worker(path)
                if file is None:
                    continue
                with _closing(file):
                    if is_free:
                        self._bury(path, _read(file))

    def _bury(self, path: Path, record: _Record | None) -> None:
        if record is None:
            _log.error("what a dead worker counted is lost: its file is damaged", file=path.name)
            path.unlink(missing_ok=True)
            return
        ended = self._read_ended()
        before = _unpack(ended) if ended else _NOTHING
        if before is None:
            _log.error("what earlier workers counted is lost: the file is damaged", file=_ENDED)
        if before is None or before.state.get("last") != path.stem:  # else: whoever moved it died before this line
            merged = Merged()
            for known in (record, before or _NOTHING):  # the newer definitions first
                merged.add(known.dump, alive=False)
            self._ended = _pack(merged.dump(), {"last": path.stem})
            replace_file(self._folder / _ENDED, self._ended)
        path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Alone with the common file.

        Raises:
            BlockingIOError: another process is.
        """
        with (self._folder / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield

    def _read_ended(self) -> bytes:
        try:
            return (self._folder / _ENDED).read_bytes()
        except OSError:
            return b""

    def _open(self) -> None:
        unborn = self._path.with_suffix(".unborn")  # locked before it gets its name: never seen unlocked while alive
        file = os.open(unborn, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(OSError, AttributeError):  # no room, or not known on this system: then as it comes
            os.posix_fallocate(file, 0, 2 * _HALF)
        unborn.rename(self._path)
        self._file, self._inode = file, os.fstat(file).st_ino

    def _is_there(self) -> bool:
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False


@contextlib.contextmanager
def _closing(file: int) -> Iterator[None]:
    """Close a file descriptor in the end."""
    try:
        yield
    finally:
        os.close(file)


def _open_worker(path: Path) -> tuple[int | None, bool]:
    """A worker's file, and whether nobody holds it; None where it is gone."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None, False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return file, False
    return file, True


def _pack(dump: Dump, state: Mapping[str, Any], number: int = 0) -> bytes:
    parts = (*dump, json.dumps(state).encode())
    rest = b"".join(parts)
    return _HEAD.pack(_MAGIC, number, zlib.crc32(rest), *map(len, parts)) + rest


def _unpack(content: bytes) -> _Record | None:
    """None where it is damaged, or half written."""
    if len(content) < _HEAD.size:
        return None
    magic, _, checksum, *lengths = _HEAD.unpack_from(content)
    ends = list(accumulate(lengths, initial=_HEAD.size))
    if magic != _MAGIC or zlib.crc32(content[_HEAD.size : ends[-1]]) != checksum:
        return None
    *dump, state = (content[begin:end] for begin, end in pairwise(ends))
    return _Record(Dump(*dump), json.loads(state))


def _read(file: int) -> _Record | None:
    """The newer half of a worker's file that is whole."""
    for _ in range(_READS):
        halves = [(os.pread(file, _HEAD.size, at), at) for at in (0, _HALF)]
        halves = [half for half in halves if half[0].strip(b"\0")]
        if not halves:
            return _NOTHING
        for head, at in sorted(halves, key=_number, reverse=True):
            is_head = len(head) == _HEAD.size
            length = min(sum(_HEAD.unpack(head)[3:]), _HALF) if is_head else 0
            record = _unpack(head + os.pread(file, length, at + _HEAD.size))
            if record:
                return record
    return None


def _number(half: tuple[bytes, int]) -> int:
    return int(_HEAD.unpack(half[0])[1]) if half[0].startswith(_MAGIC) and len(half[0]) == _HEAD.size else 0
