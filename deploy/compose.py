"""The composition root: the one place where the real parts are put together."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from deploy.audit import AuditLog
from deploy.bento_releases import BentoReleases
from deploy.clock import SystemClock
from deploy.docker_endpoint import ask_context, endpoint
from deploy.docker_engine import Engine
from deploy.image import Images
from deploy.image_releases import ImageReleases
from deploy.machine import Machine
from deploy.nginx_container import ContainerNginx
from deploy.nginx_process import LocalNginx, NginxProcess
from deploy.nginx_router import NginxRouter
from deploy.probe import HttpProbe
from deploy.progress import Progress
from deploy.release import Release, ReleaseStore
from deploy.runtimes.base import Runtime
from deploy.runtimes.docker import DockerRuntime
from deploy.runtimes.process import ProcessRuntime, serve_command
from deploy.settings import DeploySettings
from deploy.site import LocalSite, Site
from deploy.ssh_site import SshSite
from deploy.state import StateFile

__all__ = ["Composer", "project_environment"]

ROOT = Path(__file__).resolve().parent.parent


def project_environment(root: Path) -> Mapping[str, str]:
    """What slots inherit from the project: `.env`, and its own BentoML store and data folder as defaults."""
    values = {name: value for name, value in dotenv_values(root / ".env").items() if value}
    defaults = {"BENTOML_HOME": str(root / ".data/bentoml"), "DATA_DIR": str(root / ".data")}
    set_already = {name: value for name, value in os.environ.items() if value}
    return {**defaults, **values, **{name: set_already[name] for name in defaults if name in set_already}}


def _releases(settings: DeploySettings) -> ReleaseStore:
    return BentoReleases(ROOT, settings.run_dir / "releases", project_environment(ROOT))


@dataclass(frozen=True)
class Composer:
    """Tests give it other releases and another command line; all else is the same."""

    releases: Callable[[DeploySettings], ReleaseStore] = _releases
    serve: Callable[[Release, int], list[str]] = serve_command
    progress: Callable[[Progress], Progress] = lambda progress: progress
    entry: tuple[str, ...] = field(default=(sys.executable, "-m", "deploy"))

    def settings(self) -> DeploySettings:
        """Read once a command."""
        return DeploySettings()

    def site(self, settings: DeploySettings) -> Site:
        """This machine, or that of the engine which `docker` is told to use."""
        far = endpoint(os.environ, ask_context) if settings.runtime == "docker" else None
        return SshSite(far, settings) if far else LocalSite(settings.run_dir)

    def images(self, settings: DeploySettings, site: Site) -> Images:
        """Releases as container images of the site's engine."""
        own = {name: value for name, value in site.environment().items() if value}
        return Images(settings, {**project_environment(ROOT), **own})  # `.env` must not lead to another engine

    def machine(self, settings: DeploySettings, progress: Progress) -> Machine:
        """The real parts."""
        site = self.site(settings)
        try:
            return self._machine(settings, site, progress)
        except BaseException:
            site.close()
            raise

    def _machine(self, settings: DeploySettings, site: Site, progress: Progress) -> Machine:
        clock = SystemClock()
        told = self.progress(progress)
        releases = self.releases(settings)
        runtime: Runtime
        process: NginxProcess
        if settings.runtime == "process":
            runtime = ProcessRuntime(settings, environment=project_environment(ROOT), command=self.serve)
            process = LocalNginx(settings, settings.run_dir / "nginx", clock)
        elif settings.runtime == "docker":
            engine = Engine(site)
            engine.check_home()
            runtime = DockerRuntime(settings, site, engine, environment=project_environment(ROOT))
            process = ContainerNginx(settings, site, engine)
            releases = ImageReleases(releases, self.images(settings, site), engine, site)
        else:
            # Here and not above: the client takes half a second to import, and the other runtimes can do without it.
            from deploy.compose_kubernetes import kubernetes_machine  # noqa: PLC0415

            return kubernetes_machine(settings, releases, told)
        return Machine(
            settings=settings,
            site=site,
            runtime=runtime,
            router=NginxRouter(settings, site, clock, process, told.say),
            releases=releases,
            probe=HttpProbe(),
            state_file=StateFile(site.disk),
            audit=AuditLog(site.disk, clock),
            clock=clock,
            progress=told,
        )
