"""The router by Nginx: routes are folders, a switch is rename(2) of the symlink to one, and no reload is needed."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from deploy.clock import Clock
from deploy.errors import RouterError
from deploy.files import linked, names, read_text, remove, replace_link, write_text
from deploy.proxy.certificate import FOLDER, laid_certificate
from deploy.proxy.configuration import render
from deploy.proxy.process import NginxProcess
from deploy.proxy.route import Route
from deploy.settings import DeploySettings
from deploy.slot import other_colour

__all__ = ["Router"]

_AGREEING = 8  # fresh connections that must tell the same; more than there are workers
_KEPT_ROUTES = 10


class Router:
    """What is live is read back, never assumed. `process` reads the configuration and the routes in `folder`."""

    def __init__(
        self,
        settings: DeploySettings,
        clock: Clock,
        process: NginxProcess,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self.process = process
        self.folder, self._config = process.folder, process.config
        self.running, self.wanted = process.running, process.wanted
        self.stop, self.rotate_logs = process.stop, process.rotate_logs
        self._clock = clock
        self._say = say
        self._link = self.folder / "live"

    def reconcile(self) -> None:
        """Start Nginx, or reload it when the structure changed; verified by the digest that it tells.

        Raises:
            RouterError: it does not come up, or did not take the configuration; the old one is back in force.
        """
        self._make_folders("routes", "logs", "temp", "metrics")
        before = read_text(self._config)
        certificate = laid_certificate(self._settings, self.folder, before, self._say)
        text, digest = render(self._settings, self.folder, self.process.binary, certificate)
        if self.running() and (self._told() or {}).get("structure") == digest:
            return
        if text != before:  # else nothing has to be written, and a full disk keeps it from nothing
            self._write_tested(text)
        try:
            self._read_anew(digest)
        except RouterError:
            if before is not None and before != text:
                self._write(self._config, before)
            raise

    def set(self, route: Route) -> None:
        """Rename the link, then read back until every fresh connection tells the new route.

        Raises:
            RouterError: it could not be made live; the old one still is.
        """
        before = linked(self._link)
        try:
            self._make_folders(f"routes/{route.name}")
            replace_link(self._link, f"routes/{route.name}")
        except OSError as error:
            raise RouterError(
                f"{self.folder} can't be written ({error.strerror}), so the old route stays: "
                "free some space, or mount it writable"
            ) from error
        self._prepare(route)
        if not self.running():
            return  # nothing to read back from; Nginx will read the link when it starts
        agreed = self._agree("route", route.name, seconds=3)
        told = self._told() or {}
        if not agreed or told.get("slot") not in route.targets():
            if before:
                replace_link(self._link, before)
            raise RouterError(
                f"Nginx tells {told} and not {route.name!r}, so the old link is back: is another Nginx on "
                f"port {self._settings.admin_port}, or is {self.folder} not the folder that it reads?"
            )

    def _read_anew(self, digest: str) -> None:
        (self.process.reload if self.running() else self.process.start)()
        if not self._agree("structure", digest, seconds=5):
            raise RouterError(f"Nginx does not tell structure {digest}: {self.process.emergency()}")

    def _write_tested(self, text: str) -> None:
        candidate = self.folder / "nginx.conf.next"
        self._write(candidate, text)
        tested = self.process.test(candidate)
        candidate.unlink()
        if tested:
            raise RouterError(f"Nginx refuses the new configuration, the old one stays: {tested}")
        self._write(self._config, text)

    def _write(self, path: Path, text: str) -> None:
        write_text(path, text, mode=0o600 if self._settings.override_key else 0o644)

    def _make_folders(self, *folders: str) -> None:
        for name in folders:
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def _prepare(self, route: Route) -> None:
        """Folders of the ways back: on a full disk a rollback must be a rename and nothing else."""
        back = route.moved(production=other_colour(route.production), spare=None)
        with contextlib.suppress(OSError):
            self._make_folders(*(f"routes/{way.name}" for way in (back, route.closed())))

    def get(self) -> Route | None:
        """The route that the running Nginx evaluates; of one that does not run, the link's."""
        told = self._told() if self.running() else None
        if told is not None:
            return Route.from_name(str(told.get("route")))
        return Route.from_name((linked(self._link) or "").rpartition("/")[2])

    def finalize(self) -> None:
        """Remove old routes, but for the last few, and certificates that are no longer used."""
        live = (linked(self._link) or "").rpartition("/")[2]
        old = names(self.folder / "routes")[:-_KEPT_ROUTES]
        config = read_text(self._config) or ""
        laid = [name for name in names(self.folder / FOLDER) if name not in config]
        remove(*(self.folder / "routes" / name for name in old if name != live))
        remove(*(self.folder / FOLDER / name for name in laid))

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
            url = f"http://127.0.0.1:{self._settings.admin_port}/route"
            answer = _HTTP.get(url, headers={"connection": "close"}).json()
        except (httpx.HTTPError, ValueError):
            return None
        return answer if isinstance(answer, dict) else None


# Plain HTTP on loopback: to read the certificates of authorities would take each command 0.1 s.
_HTTP = httpx.Client(timeout=2, trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
