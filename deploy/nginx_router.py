"""The router by Nginx: routes are folders, a switch is rename(2) of the symlink to one, and no reload is needed."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from deploy.clock import Clock
from deploy.errors import RouterError
from deploy.files import replace_link, write_text
from deploy.nginx_config import render
from deploy.nginx_process import NginxProcess
from deploy.route import Route, Slot
from deploy.settings import DeploySettings

__all__ = ["NginxRouter"]

_AGREEING = 8  # fresh connections that must tell the same; more than there are workers
_KEPT_ROUTES = 10


class NginxRouter:
    """`folder` holds the configuration, the routes, the logs and the pid file; `process` is what reads them."""

    def __init__(self, settings: DeploySettings, folder: Path, clock: Clock, process: NginxProcess) -> None:
        self._settings = settings
        self.folder = folder
        self.process = process
        self._clock = clock
        self._config = folder / "nginx.conf"
        self._link = folder / "live"
        self._routes = folder / "routes"
        self._url = f"http://127.0.0.1:{settings.admin_port}/route"

    def reconcile(self, addresses: Mapping[Slot, Sequence[str]]) -> None:
        """Start Nginx, or reload it when the structure changed; verified by the digest that it tells."""
        for name in ("routes", "logs", "temp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        text, digest = render(
            self._settings,
            self.folder,
            addresses,
            self.process.version(),
            stub_status=self.process.stub_status(),
            user=self.process.user(),
            foreground=self.process.foreground,
        )
        if self.running() and (self._told() or {}).get("structure") == digest:
            return
        before = self._config.read_text(encoding="utf-8") if self._config.exists() else None
        candidate = self._config.with_suffix(".next")
        write_text(candidate, text)
        tested = self.process.test(candidate)
        if tested:
            candidate.unlink()
            raise RouterError(f"Nginx refuses the new configuration, the old one stays: {tested}")
        candidate.replace(self._config)
        try:
            if self.running():
                self._reload(digest)
            else:
                self._start(digest)
        except RouterError:
            if before is not None:
                write_text(self._config, before)
            raise

    def set(self, route: Route) -> None:
        """Rename the link, then read back until every fresh connection tells the new route."""
        before = self._link.readlink().name if self._link.is_symlink() else None
        (self._routes / route.name).mkdir(parents=True, exist_ok=True)
        replace_link(self._link, f"routes/{route.name}")
        if not self.running():
            return  # nothing to read back from; Nginx will read the link when it starts
        agreed = self._agree("route", route.name, seconds=3)
        told = self._told() or {}
        if not agreed or told.get("slot") not in route.targets():
            if before:
                replace_link(self._link, f"routes/{before}")
            raise RouterError(
                f"Nginx tells {told} and not {route.name!r}, so the old link is back: is another Nginx on "
                f"port {self._settings.admin_port}, or is {self.folder} not the folder that it reads?"
            )

    def get(self) -> Route | None:
        """The route that the running Nginx evaluates; of one that does not run, the link's."""
        told = self._told() if self.running() else None
        if told is not None:
            return Route.from_name(str(told.get("route")))
        return Route.from_name(self._link.readlink().name) if self._link.is_symlink() else None

    def finalize(self) -> None:
        """Remove old routes, but for the last few."""
        live = self._link.readlink().name if self._link.is_symlink() else None
        for folder in sorted(self._routes.glob("r*"))[:-_KEPT_ROUTES]:
            if folder.name != live:
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def running(self) -> bool:
        """Whether the master that we started runs."""
        return self.process.running()

    def stop(self, *, grace_s: float) -> None:
        """Requests in flight finish, up to `grace_s`."""
        self.process.stop(grace_s=grace_s)

    def rotate_logs(self, limit: int, keep: int = 3) -> None:
        """Rename logs over `limit` bytes and let Nginx open new ones."""
        rotated = False
        for log in (self.folder / "logs").glob("*.log"):
            if log.stat().st_size > limit:
                for number in range(keep - 1, 0, -1):
                    older = log.with_name(f"{log.name}.{number}")
                    if older.exists():
                        older.replace(log.with_name(f"{log.name}.{number + 1}"))
                shutil.move(log, log.with_name(f"{log.name}.1"))
                rotated = True
        if rotated:
            self.process.reopen_logs()

    def _start(self, digest: str) -> None:
        self.process.start(self._config)
        if not self._agree("structure", digest, seconds=5):
            raise RouterError(f"Nginx started but does not tell structure {digest}: {self._emergency()}")

    def _reload(self, digest: str) -> None:
        seen = self._log_size()
        self.process.reload()
        if not self._agree("structure", digest, seconds=5):
            raise RouterError(f"Nginx was told to reload but did not: {self._emergency(seen)}")

    def _agree(self, field: str, value: str, *, seconds: float) -> bool:
        end = self._clock.monotonic() + seconds
        agreeing = 0
        while agreeing < _AGREEING:
            agreeing = agreeing + 1 if (self._told() or {}).get(field) == value else 0
            if not agreeing:
                if self._clock.monotonic() > end:
                    return False
                self._clock.sleep(0.01)
        return True

    def _told(self) -> dict[str, Any] | None:
        """What Nginx tells of itself, on a connection of its own."""
        try:
            answer = _HTTP.get(self._url, headers={"connection": "close"}).json()
        except (httpx.HTTPError, ValueError):
            return None
        return answer if isinstance(answer, dict) else None

    def _log_size(self) -> int:
        log = self.folder / "logs/error.log"
        return log.stat().st_size if log.exists() else 0

    def _emergency(self, since: int = 0) -> str:
        log = self.folder / "logs/error.log"
        lines = log.read_bytes()[since:].decode(errors="replace").splitlines() if log.exists() else []
        return next((line for line in reversed(lines) if "[emerg]" in line), "its error log says nothing of it")


_HTTP = httpx.Client(timeout=2, trust_env=False, verify=False)  # noqa: S501 - plain HTTP on loopback; spares 0.1 s
