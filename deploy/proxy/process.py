"""How Nginx runs, apart from what it is told: what a process of this machine and a container have in common."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path

from deploy.clock import Clock
from deploy.errors import DeployError, RouterError
from deploy.files import rotate
from deploy.processes import require_free
from deploy.proxy.configuration import Binary
from deploy.settings import DeploySettings

__all__ = ["NginxProcess"]


class NginxProcess(ABC):
    """A master with its workers, which read the folder `nginx` of the stack."""

    foreground: bool
    """Whether the configuration must keep it from detaching; its error log then goes to standard error."""

    def __init__(self, settings: DeploySettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.folder = settings.run_dir / "nginx"
        self.config = self.folder / "nginx.conf"
        self._log = self.folder / "logs/error.log"

    @cached_property
    def binary(self) -> Binary:
        """What it is like. Root's workers stay root's, as the folder may be closed to others."""
        told = self._ask("-V")
        found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", told)
        version = tuple(int(part) for part in found.groups()) if found else (0,)
        user = "root root" if os.geteuid() == 0 else ""
        return Binary(version, "http_stub_status_module" in told, user, self.foreground)

    def emergency(self) -> str:
        """What it logged, since it was last started or reloaded, of why that did not work."""
        lines = (line for line in reversed(self._log_lines()) if "[emerg]" in line)
        return next(lines, "its error log says nothing of it")

    def rotate_logs(self, limit: int) -> None:
        """Rename logs over `limit` bytes and let Nginx open new ones."""
        rotated = [rotate(log, limit) for log in self.folder.glob("logs/*.log")]
        if any(rotated) and self.running():
            self._signal("USR1")

    def test(self, config: Path) -> str | None:
        """Check a configuration by `nginx -t`: None when it is good, else what Nginx says."""
        try:
            self._ask(*self._arguments(config), "-t")
        except DeployError as error:
            return _emergencies(str(error))
        return None

    def start(self) -> None:
        """Start it.

        Raises:
            RouterError: a port is taken, or it does not start.
        """
        ports = self._settings.base_port, self._settings.admin_port
        require_free(*ports, of="Nginx", remedy="set DEPLOY_BASE_PORT / DEPLOY_STATUS_PORT", error=RouterError)
        self._mark()
        try:
            self._begin()
        except DeployError as error:
            raise RouterError(f"Nginx does not start: {_emergencies(str(error))}") from error

    def reload(self) -> None:
        """Have it read its configuration again.

        Raises:
            RouterError: it does not run.
        """
        self._mark()
        self._signal("HUP")

    @abstractmethod
    def running(self) -> bool:
        """Whether the master that we started runs."""

    @abstractmethod
    def wanted(self) -> bool:
        """Whether it was started and not stopped on purpose."""

    @abstractmethod
    def stop(self, *, grace_s: float) -> None:
        """Let requests in flight finish up to `grace_s`, then end it.

        Raises:
            RouterError: something still answers.
        """

    def _arguments(self, config: Path) -> list[str]:
        log = "stderr" if self.foreground else str(self._log)
        return ["-p", str(self.folder), "-c", str(config), "-e", log]

    @abstractmethod
    def _ask(self, *arguments: str) -> str:
        """What the binary says, run by itself with these arguments.

        Raises:
            DeployError: it fails, with what it says.
        """

    @abstractmethod
    def _begin(self) -> None:
        """Have it run with its configuration, on ports that are free.

        Raises:
            DeployError: it fails, with what it says.
        """

    @abstractmethod
    def _signal(self, name: str) -> None:
        """Send its master a signal.

        Raises:
            RouterError: it does not run.
        """

    @abstractmethod
    def _mark(self) -> None:
        """From here on it is started or reloaded."""

    @abstractmethod
    def _log_lines(self) -> list[str]:
        """What it logged since then."""


def _emergencies(said: str) -> str:
    """The lines of Nginx's error output that tell what is wrong."""
    lines = [line for line in said.splitlines() if "[emerg]" in line] or said.splitlines()
    return "; ".join(dict.fromkeys(line.partition("] ")[2] or line for line in lines[-3:]))
