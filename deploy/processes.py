"""Processes named so that neither a recycled pid nor a stepped clock is believed: pid, boot and start tick together."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import psutil

from deploy.errors import DeployError

__all__ = [
    "ProcessId",
    "detached",
    "end",
    "is_free",
    "leader",
    "living",
    "marked",
    "output_of",
    "port_owner",
    "require_free",
    "run",
    "works_in",
]

_PROC = Path("/proc")
_START_FIELD = 18  # of /proc/PID/stat behind the state: start in ticks since boot, which no clock step moves


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process of this machine; `start` in clock ticks since the boot that `boot` names."""

    pid: int
    boot: str
    start: int

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The process that has this pid now; None when there is none."""
        start = _start_of(pid)
        return cls(pid, _boot_id(), start) if start is not None else None

    @classmethod
    def own(cls) -> Self:
        """This process."""
        return cls(os.getpid(), _boot_id(), _start_of(os.getpid()) or 0)

    def alive(self) -> bool:
        """Whether this very process runs; a zombie does not."""
        return self.pid > 0 and self.boot == _boot_id() and _start_of(self.pid) == self.start

    def signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """Whether it ended within so many seconds."""
        limit = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() >= limit:
                return False
            time.sleep(0.02)
        return True


@cache
def _boot_id() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _start_of(pid: int) -> int | None:
    """None where there is no such process, or a zombie."""
    try:
        state, *fields = (_PROC / f"{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return int(fields[_START_FIELD]) if state != "Z" else None
    except (OSError, IndexError, ValueError):
        return None


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    given: str | None = None,
    timeout_s: float = 900,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever that is; `given` goes to its standard input.

    Raises:
        DeployError: there is no such program, or it did not end in time.
    """
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except OSError as error:
        raise DeployError(f"{command[0]} can't be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise DeployError(f"`{' '.join(command[:3])} …` was not done after {timeout_s:g} s") from error


def output_of(command: Sequence[str], **more: Any) -> str:
    """What `run` printed.

    Raises:
        DeployError: it failed; the end of what it said is told.
    """
    done = run(command, **more)
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).splitlines()[-15:])
        raise DeployError(f"`{' '.join(command[:5])} …` failed with {done.returncode}:\n{last}")
    return done.stdout


def detached(
    command: Sequence[str],
    log: Path,
    *,
    head: str = "",
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Start a command that outlives this process; its pid.

    Its output goes behind `head` to the end of `log`, or nowhere: a full disk keeps nothing from being started.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError:
        out = os.open(os.devnull, os.O_WRONLY)
    try:
        with contextlib.suppress(OSError):
            os.write(out, head.encode())
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
    finally:
        os.close(out)
    child.returncode = 0  # not to be waited for
    return child.pid


def living(
    wanted: Callable[[psutil.Process], bool], among: Iterable[psutil.Process] | None = None
) -> list[psutil.Process]:
    """The processes (`among` some, else all) that are `wanted`, as far as they can be looked at, and no zombies."""
    found = []
    for process in psutil.process_iter() if among is None else among:
        with contextlib.suppress(psutil.Error, OSError):
            if wanted(process) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def marked(mark: str) -> list[psutil.Process]:
    """The living processes whose environment holds `mark` (NAME=FOLDER), which children inherit, and their master.

    Finds workers whose master died, and a master that was started just before its starter was killed. One that gives
    itself a title has written it over its environment: it is the parent that works in that folder.
    """
    name, _, folder = mark.partition("=")
    parents: set[int] = set()

    def bears(process: psutil.Process) -> bool:
        its = process.environ().get(name) == folder
        if its:
            parents.add(process.ppid())
        return its

    found = living(bears)
    parents -= {process.pid for process in found}
    return found + living(lambda process: process.pid in parents and works_in(folder, process))


def works_in(folder: str | Path, process: psutil.Process) -> bool:
    """Whether that is its working folder."""
    return process.cwd() == os.path.realpath(folder)


def leader(processes: list[psutil.Process]) -> ProcessId | None:
    """The one whose parent is not among them; the oldest if there are several."""
    pids = {process.pid for process in processes}
    heads = [ProcessId.of(process.pid) for process in living(lambda one: one.ppid() not in pids, processes)]
    return min((head for head in heads if head), key=lambda head: head.start, default=None)


def end(mark: str, master: ProcessId | None, grace_s: float) -> None:
    """SIGTERM to the master, which lets its workers finish; SIGKILL to all that bear `mark` after `grace_s`."""
    if master:
        master.signal(signal.SIGTERM)
        master.wait(grace_s)
    left = [found for found in (master, *(ProcessId.of(process.pid) for process in marked(mark))) if found]
    for process in left:
        process.signal(signal.SIGKILL)
    for process in left:
        process.wait(5)


def port_owner(port: int) -> str | None:
    """Who listens on `port` of this machine, in words; None when nobody does or it can't be told."""
    if is_free(port):
        return None
    with contextlib.suppress(psutil.Error):
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr[1] == port:
                name = psutil.Process(one.pid).name() if one.pid and psutil.pid_exists(one.pid) else None
                return f"{name} (pid {one.pid})" if name else "another user's process"
    return None


def require_free(
    *ports: int, of: str, remedy: str = "set DEPLOY_BASE_PORT", error: type[DeployError] = DeployError
) -> None:
    """See that nobody listens on these ports, which are for `of`.

    Raises:
        DeployError: somebody does, and is named.
    """
    for port in ports:
        owner = port_owner(port)
        if owner:
            raise error(f"port {port} of {of} is taken by {owner}: stop that, or {remedy}")


def is_free(port: int) -> bool:
    """Asks the kernel; to look for the owner is to read what every process has open."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that ended are no matter
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
