"""Nginx as the container pikkit-nginx-lb, which reads the same folder under the same path."""

from __future__ import annotations

import os

from deploy.clock import Clock
from deploy.engine import Engine
from deploy.errors import DeployError, RouterError
from deploy.proxy.process import NginxProcess
from deploy.settings import DeploySettings

__all__ = ["ContainerNginx"]

_NAME = "pikkit-nginx-lb"
_USER = f"{os.geteuid()}:{os.getegid()}"


class ContainerNginx(NginxProcess):
    """Its error log is the container's, bounded by the engine, which also starts it again."""

    foreground = True

    def __init__(self, settings: DeploySettings, engine: Engine, clock: Clock) -> None:
        super().__init__(settings, clock)
        self._engine = engine
        self._since = 0.0

    def running(self) -> bool:
        """As the engine tells."""
        seen = self._engine.inspect(_NAME)
        return bool(seen and seen["State"]["Running"])

    wanted = running  # its engine starts it again, unless it was stopped on purpose

    def stop(self, *, grace_s: float) -> None:
        """SIGQUIT, as the container's stop signal; SIGKILL after `grace_s`."""
        if self.running():
            self._engine.stop(_NAME, grace_s=grace_s)

    def _ask(self, *arguments: str) -> str:
        options = ["--rm", "--network", "host", "--user", _USER, "--tmpfs=/tmp"]
        options += ["--volume", f"{self.folder}:{self.folder}", "--entrypoint", "nginx", self._settings.nginx_image]
        return self._engine.docker("run", *options, *arguments)

    def _begin(self) -> None:
        """By Compose, whose file names the configuration."""
        self._engine.up("nginx", {"NGINX_IMAGE": self._settings.nginx_image, "NGINX_USER": _USER})

    def _signal(self, name: str) -> None:
        try:
            self._engine.docker("kill", "--signal", name, _NAME)
        except DeployError as error:
            raise RouterError(f"{_NAME} takes no signal ({error}): run `python -m deploy up`") from error

    def _mark(self) -> None:
        self._since = self._clock.monotonic()

    def _log_lines(self) -> list[str]:
        seconds = max(1, round(self._clock.monotonic() - self._since) + 1)
        return self._engine.docker("logs", "--since", f"{seconds}s", _NAME).splitlines()
