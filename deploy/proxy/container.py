"""Nginx as the container pikkit-nginx-lb, which reads the same folder under the same path."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from deploy.engine.client import Engine
from deploy.errors import DeployError, RouterError
from deploy.proxy.process import check_ports, emergencies, rotated
from deploy.settings import DeploySettings

__all__ = ["ContainerNginx"]

_NAME = "pikkit-nginx-lb"


class ContainerNginx:
    """Reads the folder `nginx` of the stack; its logs are the container's, bounded by the engine."""

    foreground = True

    def __init__(self, settings: DeploySettings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._told: str | None = None
        self._since = 0.0

    def version(self) -> tuple[int, ...]:
        """Of the image's Nginx."""
        found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", self._about())
        return tuple(int(part) for part in found.groups()) if found else (0,)

    def stub_status(self) -> bool:
        """Whether the image's Nginx has that module."""
        return "http_stub_status_module" in self._about()

    def user(self) -> str:
        """As without a container: root stays root, as the link may lie in a folder that is closed to others."""
        return "root root" if os.geteuid() == 0 else ""

    def running(self) -> bool:
        """As the engine tells."""
        seen = self._engine.inspect(_NAME)
        return bool(seen and seen["State"]["Running"])

    def wanted(self) -> bool:
        """Its engine starts it again, unless it was stopped on purpose."""
        return self.running()

    def test(self, config: Path) -> str | None:
        """`nginx -t` in a container of its own."""
        try:
            self._once("-p", str(config.parent), "-c", str(config), "-e", "stderr", "-t")
        except DeployError as error:
            return emergencies(str(error))
        return None

    def start(self, config: Path) -> None:
        """By Compose."""
        del config  # compose.yaml names it
        check_ports(self._settings)
        self._since = time.time()
        variables = {"NGINX_IMAGE": self._settings.nginx_image, "NGINX_USER": self._user()}
        try:
            self._engine.up(["nginx"], variables)
        except DeployError as error:
            raise RouterError(f"Nginx does not start: {error}") from error

    def reload(self) -> None:
        """SIGHUP."""
        self._since = time.time()
        self._signal("HUP")

    def emergency(self) -> str:
        """The last such line of the container's log."""
        seconds = max(1, round(time.time() - self._since) + 1)
        lines = self._engine.docker("logs", "--since", f"{seconds}s", _NAME).splitlines()
        return next((line for line in reversed(lines) if "[emerg]" in line), "its log says nothing of it")

    def rotate_logs(self, limit: int) -> None:
        """What it writes into its folder; the rest is the engine's."""
        if rotated(self._settings.run_dir / "nginx/logs", limit) and self.running():
            self._signal("USR1")

    def stop(self, *, grace_s: float) -> None:
        """SIGQUIT, as the container's stop signal; SIGKILL after `grace_s`."""
        if self.running():
            self._engine.stop(_NAME, grace_s=grace_s)

    def _signal(self, name: str) -> None:
        try:
            self._engine.docker("kill", "--signal", name, _NAME)
        except DeployError as error:
            raise RouterError(f"{_NAME} takes no signal ({error}): run `python -m deploy up`") from error

    def _about(self) -> str:
        if self._told is None:
            self._told = self._once("-V")
        return self._told

    def _user(self) -> str:
        return f"{os.geteuid()}:{os.getegid()}"

    def _once(self, *arguments: str) -> str:
        folder = str(self._settings.run_dir / "nginx")
        options = ["--rm", "--network", "host", "--user", self._user(), "--tmpfs=/tmp"]
        options += ["--volume", f"{folder}:{folder}", "--entrypoint", "nginx", self._settings.nginx_image]
        return self._engine.docker("run", *options, *arguments)
