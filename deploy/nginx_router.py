"""The router by Nginx: routes are folders, a switch is rename(2) of the symlink to one, and no reload is needed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from deploy.clock import Clock
from deploy.errors import RouterError
from deploy.files import read_json, replace_link, write_json, write_text
from deploy.nginx_binary import Nginx, find_nginx
from deploy.nginx_config import render
from deploy.pids import ProcessId, port_owner
from deploy.route import Route, Slot
from deploy.settings import DeploySettings

__all__ = ["NginxRouter"]

_AGREEING = 8  # fresh connections that must tell the same; more than there are workers
_KEPT_ROUTES = 10


class NginxRouter:
    """`folder` holds the configuration, the routes, the logs and the pid file."""

    def __init__(self, settings: DeploySettings, folder: Path, clock: Clock) -> None:
        self._settings = settings
        self.folder = folder
        self._clock = clock
        self._config = folder / "nginx.conf"
        self._link = folder / "live"
        self._routes = folder / "routes"
        self._master = folder / "master.json"
        self._nginx: Nginx | None = None
        self._url = f"http://127.0.0.1:{settings.admin_port}/route"

    @property
    def nginx(self) -> Nginx:
        """The binary."""
        if self._nginx is None:
            self._nginx = find_nginx(self._settings, self.folder)
        return self._nginx

    def reconcile(self, addresses: Mapping[Slot, Sequence[str]]) -> None:
        """Start Nginx, or reload it when the structure changed; verified by the digest that it tells."""
        for name in ("routes", "logs", "temp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        text, digest = render(
            self._settings,
            self.folder,
            addresses,
            self.nginx.version,
            stub_status=self.nginx.stub_status,
            user="root root" if os.geteuid() == 0 else "",
        )
        if self.running() and (self._told() or {}).get("structure") == digest:
            return
        before = self._config.read_text(encoding="utf-8") if self._config.exists() else None
        candidate = self._config.with_suffix(".next")
        write_text(candidate, text)
        tested = self._run(self.nginx.test(candidate))
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
        master = self._process()
        return master is not None and master.alive()

    def stop(self, *, grace_s: float) -> None:
        """SIGQUIT: requests in flight finish; SIGTERM after `grace_s`."""
        master = self._process()
        if master is None or not master.alive():
            return
        for number, seconds in ((signal.SIGQUIT, grace_s), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(master.pid, number)
            end = self._clock.monotonic() + seconds
            while master.alive() and self._clock.monotonic() < end:
                self._clock.sleep(0.02)
            if not master.alive():
                break
        self._master.unlink(missing_ok=True)

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
        master = self._process()
        if rotated and master and master.alive():
            os.kill(master.pid, signal.SIGUSR1)

    def _process(self) -> ProcessId | None:
        data = read_json(self._master)
        if isinstance(data, dict):
            return ProcessId(int(data["pid"]), float(data["started_at"]))
        return None

    def _start(self, digest: str) -> None:
        for port in (self._settings.base_port, self._settings.admin_port):
            owner = port_owner(port)
            if owner:
                raise RouterError(
                    f"port {port} is taken by {owner}: stop that, or set DEPLOY_BASE_PORT / DEPLOY_STATUS_PORT"
                )
        failed = self._run(self.nginx.start(self._config))
        if failed:
            raise RouterError(f"Nginx does not start: {failed}")
        end = self._clock.monotonic() + 5
        pid_file = self.folder / "nginx.pid"
        while self._clock.monotonic() < end:
            with contextlib.suppress(OSError, ValueError):
                master = ProcessId.of(int(pid_file.read_text()))
                if master:
                    write_json(self._master, {"pid": master.pid, "started_at": master.started_at})
                    break
            self._clock.sleep(0.01)
        if not self._agree("structure", digest, seconds=5):
            raise RouterError(f"Nginx started but does not tell structure {digest}: {self._emergency()}")

    def _reload(self, digest: str) -> None:
        master = self._process()
        if master is None:
            raise RouterError("Nginx ended during the reload: run `python -m deploy up`")
        seen = self._log_size()
        os.kill(master.pid, signal.SIGHUP)
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

    def _run(self, command: list[str]) -> str | None:
        """None when it went well, else what it said."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)
        if done.returncode == 0:
            return None
        lines = [line for line in done.stderr.splitlines() if "[emerg]" in line] or done.stderr.splitlines()
        return "; ".join(dict.fromkeys(line.partition("] ")[2] or line for line in lines[-3:]))

    def _log_size(self) -> int:
        log = self.folder / "logs/error.log"
        return log.stat().st_size if log.exists() else 0

    def _emergency(self, since: int = 0) -> str:
        log = self.folder / "logs/error.log"
        lines = log.read_bytes()[since:].decode(errors="replace").splitlines() if log.exists() else []
        return next((line for line in reversed(lines) if "[emerg]" in line), "its error log says nothing of it")


_HTTP = httpx.Client(timeout=2, trust_env=False, verify=False)  # noqa: S501 - plain HTTP on loopback; spares 0.1 s
