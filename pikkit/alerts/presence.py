"""Which of the slots that share a folder delivers: the newest among those that get bets.

After a switch the old slot is kept warm, with its old settings: it must not deliver. Each worker holds a small locked
file that says since when its slot runs and when it last got a bet; the kernel frees the lock when the worker ends.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pikkit.alerts.clock import Clock

__all__ = ["Presence", "slot_started"]

_ACTIVE_S = 10.0  # who got a bet so shortly before the last one of all is active, too
_WIDTH = 24


class _Slot(NamedTuple):
    active: float
    started: float
    name: str


class Presence:
    """This worker's sign of life, and the lock of the one worker that delivers."""

    def __init__(self, folder: Path, slot: str, started: float, clock: Clock) -> None:
        """`started`: ticks at which the slot started, the same in all its workers."""
        self._folder = folder
        self._slot = slot
        self._started = started
        self._clock = clock
        self._active = 0.0
        self._sign = _Locked(folder / f"{slot}.{os.getpid()}.{secrets.token_hex(4)}", fcntl.LOCK_SH)
        self._lead = _Locked(folder / "delivers", fcntl.LOCK_EX)

    def show(self, *, active: bool) -> None:
        """Be there; `active`: this slot has just got a bet. Must come before the bet can be seen in the outbox.

        Raises:
            OSError: the folder can't be written.
        """
        there = self._sign.held()
        if not there:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._sign.take()
        if active:
            self._active = self._clock.ticks()
        if self._sign.file is not None and (active or not there):
            os.pwrite(self._sign.file, f"{self._started:{_WIDTH}.6f} {self._active:{_WIDTH}.6f}".encode(), 0)

    def leads(self) -> bool:
        """Whether this worker is the one that delivers.

        Raises:
            OSError: the folder can't be written.
        """
        if not self._chosen():
            self._lead.free()
            return False
        return self._lead.held() or self._lead.take()

    def leave(self) -> None:
        """Be gone."""
        self._lead.free()
        self._sign.free(remove=True)

    def _chosen(self) -> bool:
        slots = [_Slot(self._active, self._started, self._slot), *self._others()]
        last = max(slot.active for slot in slots)
        chosen = max((slot for slot in slots if slot.active >= last - _ACTIVE_S), key=lambda slot: slot[1:])
        return chosen[1:] == (self._started, self._slot)

    def _others(self) -> list[_Slot]:
        found = []
        for path in self._folder.glob("*.*.*"):
            if path == self._sign.path:
                continue
            with suppress(OSError, ValueError):
                file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    if _taken(file):
                        started, active = os.pread(file, 2 * _WIDTH + 1, 0).split()
                        found.append(_Slot(float(active), float(started), path.name.split(".")[0]))
                    else:
                        path.unlink(missing_ok=True)
                finally:
                    os.close(file)
        return found


class _Locked:
    """A locked file. One that somebody removed is no longer held."""

    def __init__(self, path: Path, kind: int) -> None:
        self.path = path
        self.file: int | None = None
        self._kind = kind

    def take(self) -> bool:
        """Whether it could be locked."""
        self.free()
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, self._kind | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self.file = file
        return self.held()

    def held(self) -> bool:
        """Whether it is locked, and still there."""
        if self.file is None:
            return False
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self.file))
        except FileNotFoundError:
            return False

    def free(self, *, remove: bool = False) -> None:
        """Unlock it."""
        if self.file is not None:
            if remove:
                self.path.unlink(missing_ok=True)
            os.close(self.file)
            self.file = None


def slot_started(runtime_dir: Path, clock: Clock) -> float:
    """Ticks at which the slot with this run folder started: the first worker notes it, later ones read it."""
    note = runtime_dir / "alerts-started"
    mine = f"{clock.ticks():.6f}"
    with suppress(OSError), note.open("x", encoding="ascii") as file:
        file.write(mine)
    try:
        return float(note.read_text(encoding="ascii") or mine)
    except (OSError, ValueError):
        return float(mine)


def _taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
