"""The composition root: the one place where the real parts are put together."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from deploy.canary.window import Window
from deploy.checks.probe import Probe
from deploy.clock import Clock
from deploy.engine import Engine
from deploy.files import ROOT
from deploy.flow.progress import Progress
from deploy.flow.stack import Stack
from deploy.journal.journal import Journal
from deploy.notify import send_word
from deploy.proxy.container import ContainerNginx
from deploy.proxy.local import LocalNginx
from deploy.proxy.nginx import Router
from deploy.proxy.process import NginxProcess
from deploy.release.bentos import BentoReleases
from deploy.release.images import ImageReleases, Images
from deploy.release.release import Release, ReleaseStore
from deploy.settings import DeploySettings
from deploy.slots.containers import DockerRuntime
from deploy.slots.port import Runtime
from deploy.slots.processes import ProcessRuntime, serve_command

__all__ = ["Composer", "first_api_key", "project_environment"]


def project_environment(root: Path) -> Mapping[str, str]:
    """What slots inherit from the project: `.env`, and as defaults its own BentoML store, data folder, and production.

    The environment outranks both, in these names and those of `.env.example`, which has the keys that slots demand.
    """
    values = {name: value for name, value in dotenv_values(root / ".env").items() if value}
    own = {"BENTOML_HOME": str(root / ".data/bentoml"), "DATA_DIR": str(root / ".data"), "ENVIRONMENT": "production"}
    told = {**own, **values}
    known = told.keys() | dotenv_values(root / ".env.example").keys()
    return {**told, **{name: os.environ[name] for name in known if os.environ.get(name)}}


def first_api_key(environment: Mapping[str, str]) -> str | None:
    """What slots must be asked with; None where they take everybody."""
    keys = [key.strip() for key in environment.get("API_KEYS", "").split(",") if key.strip()]
    return keys[0] if keys else None


def _releases(settings: DeploySettings) -> ReleaseStore:
    return BentoReleases(ROOT, settings.run_dir / "releases", project_environment(ROOT))


@dataclass(frozen=True)
class Composer:
    """Tests give it other releases and another command line; all else is the same."""

    releases: Callable[[DeploySettings], ReleaseStore] = _releases
    serve: Callable[[Release, int], list[str]] = serve_command
    progress: Callable[[Progress], Progress] = lambda progress: progress
    clock: Callable[[], Clock] = Clock
    entry: tuple[str, ...] = field(default=(sys.executable, "-m", "deploy"))

    def settings(self) -> DeploySettings:
        """Read once a command."""
        return DeploySettings.load(ROOT / ".env")

    def api_key(self) -> str | None:
        """What slots must be asked with."""
        return first_api_key({**os.environ, **project_environment(ROOT)})

    def images(self, settings: DeploySettings) -> Images:
        """Releases as container images of this machine's engine."""
        own = {name: value for name, value in os.environ.items() if value}
        return Images(settings, {**project_environment(ROOT), **own})  # `.env` must not lead to another engine

    def stack(self, settings: DeploySettings, progress: Progress) -> Stack:
        """The real parts."""
        clock = self.clock()
        told = self.progress(progress)
        own = project_environment(ROOT)
        journal = Journal(settings.run_dir / "journal.db", clock, told.say)
        probe = Probe(api_key=self.api_key())
        releases = self.releases(settings)
        runtime: Runtime
        process: NginxProcess
        if settings.runtime == "process":
            runtime = ProcessRuntime(settings, clock, environment=own, command=self.serve)
            process = LocalNginx(settings, clock)
        else:
            engine = Engine(settings.run_dir, os.environ)
            engine.check_home()
            runtime = DockerRuntime(settings, engine, environment=own)
            process = ContainerNginx(settings, engine, clock)
            releases = ImageReleases(releases, self.images(settings), engine, settings.run_dir / "images")
        router = Router(settings, clock, process, told.say)

        def tell(text: str) -> None:
            try:
                send_word(settings, text, {**os.environ, **own})
            except RuntimeError as error:
                told.say(f"no word was sent: {error}")

        window = Window(settings, runtime, router, probe, journal, clock)
        return Stack(settings, runtime, router, releases, probe, journal, clock, told, window, tell=tell)
