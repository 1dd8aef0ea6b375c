"""Processes named so that a recycled pid is not believed: pid and start time together."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import psutil

__all__ = ["ProcessId", "group_members", "port_owner", "terminate_group"]

_TOLERANCE_S = 0.02  # start times are read in clock ticks


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process of this machine; `started_at` in seconds since the epoch."""

    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The process that has this pid now; None when there is none."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    @classmethod
    def own(cls) -> Self:
        """This process."""
        return cls(os.getpid(), psutil.Process().create_time())

    def alive(self) -> bool:
        """Whether this very process runs; a zombie does not."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_at) < _TOLERANCE_S
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


def group_members(group: int, mark: str) -> Iterator[psutil.Process]:
    """The living processes of a process group that carry `mark` (NAME=value) in their environment.

    The mark keeps a recycled group id from being believed after its leader died.
    """
    name, _, value = mark.partition("=")
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == group and process.environ().get(name) == value:
                yield process


def terminate_group(leader: ProcessId, mark: str, grace_s: float) -> bool:
    """SIGTERM to the leader, which ends its workers; SIGKILL to what is left of the group after `grace_s`.

    Returns whether it ended by itself.
    """
    if leader.alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(leader.pid, signal.SIGTERM)
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(leader.pid)
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(grace_s)
    left = list(group_members(leader.pid, mark))
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=5)
    return not left


def port_owner(port: int) -> str | None:
    """Who listens on `port` of loopback, in words; None when nobody does or it can't be told."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr[1] == port:
                if connection.pid is None:
                    return "another user's process"
                with contextlib.suppress(psutil.Error):
                    process = psutil.Process(connection.pid)
                    return f"{process.name()} (pid {process.pid})"
                return f"pid {connection.pid}"
    return None
