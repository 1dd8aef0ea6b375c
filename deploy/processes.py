"""Processes named so that a recycled pid is not believed: pid and start time together."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from dataclasses import dataclass
from typing import Self

import psutil

__all__ = ["ProcessId", "end", "environment_of", "leader", "marked", "port_owner"]

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


def marked(mark: str) -> list[psutil.Process]:
    """The living processes whose environment holds `mark` (NAME=value), which children inherit.

    Finds workers whose master died, and a master that was started just before its starter was killed.
    """
    name, _, value = mark.partition("=")
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(name) == value and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def leader(processes: list[psutil.Process]) -> psutil.Process | None:
    """The one whose parent is not among them; the oldest if there are several."""
    pids = {process.pid for process in processes}
    heads = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if process.ppid() not in pids:
                heads.append((process.create_time(), process))
    return min(heads, key=lambda head: head[0])[1] if heads else None


def environment_of(process: ProcessId) -> dict[str, str]:
    """What it was started with; empty when that can't be read."""
    try:
        return psutil.Process(process.pid).environ() if process.alive() else {}
    except psutil.Error:
        return {}


def end(mark: str, master: ProcessId | None, grace_s: float) -> bool:
    """SIGTERM to the master, which lets its workers finish; SIGKILL to all that bear `mark` after `grace_s`.

    Returns whether everything ended by itself.
    """
    if master and master.alive():
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(master.pid)
            process.send_signal(signal.SIGTERM)
            limit = time.monotonic() + grace_s
            while master.alive() and time.monotonic() < limit:
                time.sleep(0.02)
    left = marked(mark)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=5)
    return not left


def port_owner(port: int) -> str | None:
    """Who listens on `port` of this machine, in words; None when nobody does or it can't be told."""
    if _is_free(port):
        return None
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


def _is_free(port: int) -> bool:
    """Asks the kernel; to look for the owner is to read what every process has open."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that ended are no matter
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
