"""One command at a time: a lock file with owner, host and process. A dead owner's lock is taken over."""

from __future__ import annotations

import errno
import getpass
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from deploy.errors import DeployError, Locked
from deploy.files import Record
from deploy.processes import ProcessId

__all__ = ["Lock", "Owner", "host", "user"]

_SUPERVISING = "supervise"  # holds it for moments only: a command waits for it instead of giving up
_PATIENCE_S = 30.0
_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds the lock, where, and for what."""

    user: str
    host: str
    process: ProcessId
    command: str

    def alive(self) -> bool:
        """Whether that very process runs; of another host that can't be told, so it is taken to run."""
        return self.host != host() or self.process.alive()

    def __str__(self) -> str:
        where = "" if self.host == host() else f" on {self.host}"
        return f"{self.user}{where}, pid {self.process.pid}, at `{self.command}`"


class Lock:
    """A context manager. The record is a file of its own, so that a reader sees who holds it.

    A guard (flock, given back by the kernel whatever happens) makes looking and taking one step.
    """

    def __init__(self, path: Path, command: str, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.path = path
        self._command = command
        self._say = say
        self._record = Record(path, Owner)
        self._guard = FileLock(str(path) + ".guard")

    def owner(self) -> Owner | None:
        """Who is on record, dead or alive."""
        return self._record.read()

    def holder(self) -> Owner | None:
        """Whose command is at work."""
        owner = self.owner()
        return owner if owner and owner.alive() else None

    def break_(self) -> Owner | None:
        """Remove the record, whoever holds it; returns who that was."""
        owner = self.owner()
        self._record.remove()
        return owner

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            ends = time.monotonic() + (0 if self._command == _SUPERVISING else _PATIENCE_S)
            while not self._take(patient=time.monotonic() < ends):
                time.sleep(_PAUSE_S)
        except Timeout:
            raise Locked(f"{self.path} is being taken by another command: try again") from None
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EROFS):
                raise DeployError(f"{self.path} can't be taken ({error.strerror}): see to the folder") from error
            self._say(f"{self.path} can't be taken ({error.strerror}): going on without a lock")
        return self

    def _take(self, *, patient: bool) -> bool:
        """Whether it is taken; False where the supervisor is at work and `patient`."""
        with self._guard.acquire(timeout=5):
            owner = self.owner()
            if owner and owner.alive() and owner.process != ProcessId.own():
                if patient and owner.command == _SUPERVISING:
                    return False
                raise Locked(_refusal(owner))
            if owner:
                self._say(f"took over the lock of {owner}, which no longer runs")
            if not self._record.write(Owner(user(), host(), ProcessId.own(), self._command)):
                self._say(f"{self.path} can't be written (disk full or read-only): going on without it on record")
        return True

    def __exit__(self, *_: object) -> None:
        owner = self.owner()
        if owner and owner.process.pid == os.getpid() and owner.host == host():
            self._record.remove()


def _refusal(owner: Owner) -> str:
    if owner.host != host():
        return (
            f"locked by {owner}; this is {host()}, from where it can't be seen whether that runs: wait for it, or, "
            "once it is known to be gone, `python -m deploy unlock`"
        )
    return f"locked by {owner}: wait for it, or end it; `python -m deploy status` shows its phase"


def host() -> str:
    """The name of this machine."""
    return socket.gethostname()


def user() -> str:
    """Who runs this command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
