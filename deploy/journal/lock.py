"""One command at a time: a lock file with owner, pid and start time. A dead owner's lock is taken over."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from deploy.errors import Locked
from deploy.files import read_json, write_json
from deploy.processes import ProcessId

__all__ = ["Lock", "Owner", "user"]


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds the lock, and for what."""

    user: str
    pid: int
    started_at: float
    command: str

    def alive(self) -> bool:
        """Whether that very process still runs."""
        return ProcessId(self.pid, self.started_at).alive()

    def __str__(self) -> str:
        return f"{self.user}, pid {self.pid}, at `{self.command}`"


class Lock:
    """A context manager. The record is a file of its own, so that a reader sees who holds it.

    A guard (flock, given back by the kernel whatever happens) makes looking and taking one step.
    """

    def __init__(self, path: Path, command: str, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.path = path
        self._command = command
        self._say = say
        self._guard = FileLock(str(path) + ".guard")

    def owner(self) -> Owner | None:
        """Who is on record, dead or alive."""
        data = read_json(self.path)
        try:
            return Owner(str(data["user"]), int(data["pid"]), float(data["started_at"]), str(data["command"]))
        except (TypeError, KeyError, ValueError):
            return None

    def holder(self) -> Owner | None:
        """Whose command is at work."""
        owner = self.owner()
        return owner if owner and owner.alive() else None

    def break_(self) -> Owner | None:
        """Remove the record, whoever holds it; returns who that was."""
        owner = self.owner()
        self.path.unlink(missing_ok=True)
        return owner

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._guard.acquire(timeout=5):
                owner = self.owner()
                if owner and owner.alive() and owner.pid != os.getpid():
                    raise Locked(
                        f"locked by {owner}: wait for it, or end it; `python -m deploy status` shows its phase"
                    )
                if owner:
                    self._say(f"took over the lock of {owner}, which no longer runs")
                own = ProcessId.own()
                write_json(
                    self.path,
                    {"user": user(), "pid": own.pid, "started_at": own.started_at, "command": self._command},
                )
        except Timeout:
            raise Locked(f"{self.path} is being taken by another command: try again") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        owner = self.owner()
        if owner and owner.pid == os.getpid():
            self.path.unlink(missing_ok=True)


def user() -> str:
    """Who runs this command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
