"""Slots as containers of this machine, by Compose: pikkit-ml-api-blue, -green and -canary, on loopback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from deploy.docker_engine import SECRETS, Engine
from deploy.errors import DeployError
from deploy.files import write_text
from deploy.image import IMAGE_NAME
from deploy.image_releases import models_folder
from deploy.release import Release
from deploy.route import SLOTS, Slot
from deploy.runtimes.base import Observed
from deploy.settings import DeploySettings
from deploy.site import Site

__all__ = ["DockerRuntime"]

_KEPT, _NOT_KEPT = "unless-stopped", "no"
_FOREIGN = frozenset({"BENTOML_HOME", "DATA_DIR", "MODEL_DIR", "PATH"})  # paths of this machine, not of the container


class DockerRuntime:
    """`environment` is what slots get beside what compose.yaml sets: the project's `.env`."""

    name = "docker"

    def __init__(self, settings: DeploySettings, site: Site, engine: Engine, *, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._site = site
        self._engine = engine
        self._environment = {name: value for name, value in environment.items() if name not in _FOREIGN}

    def start(self, slot: Slot, release: Release, *, workers: int, models_from: Slot | None = None) -> None:
        """Start the release's image, which must be there, in the slot's container."""
        image = f"{IMAGE_NAME}:{release.version}"
        if not self._engine.has_image(image):
            raise DeployError(
                f"there is no image {image}: `python -m deploy build --image --version {release.version}`"
            )
        self._check_port(slot)
        self._lay_models(slot, release, models_from)
        secrets = self._site.client_folder / SECRETS
        write_text(secrets, "".join(f"{name}={value}\n" for name, value in self._environment.items()), mode=0o600)
        name = slot.upper()
        variables = {
            "SLOT_MEMORY": self._settings.slot_memory,
            f"{name}_IMAGE": image,
            f"{name}_VERSION": release.version,
            f"{name}_PORT": str(self._settings.port(slot)),
            f"{name}_WORKERS": str(workers),
        }
        self._engine.up(slot, variables)

    def keep(self, slot: Slot, *, kept: bool) -> None:
        """By the engine's own restart policy."""
        if self._engine.inspect(_container(slot)):
            self._engine.docker("update", "--restart", _KEPT if kept else _NOT_KEPT, _container(slot))

    def stop(self, slot: Slot, *, grace_s: float) -> None:
        """SIGTERM, and SIGKILL after `grace_s`; the container stays, for its log and for `revive`."""
        seen = self._engine.inspect(_container(slot))
        if seen is None:
            return
        self.keep(slot, kept=False)
        if seen["State"]["Running"] or seen["State"]["Restarting"]:
            self._engine.docker("stop", "--time", str(max(1, round(grace_s))), _container(slot))

    def observe(self, slot: Slot) -> Observed:
        """What the engine tells."""
        seen = self._engine.inspect(_container(slot))
        if seen is None:
            return Observed(slot, running=False)
        environment = dict(entry.split("=", 1) for entry in seen["Config"]["Env"])
        running = bool(seen["State"]["Running"]) and not seen["State"]["Restarting"]
        return Observed(
            slot,
            running=running,
            version=seen["Config"]["Labels"].get("pikkit.version"),
            workers=int(environment.get("WORKERS", "1")),
            pid=int(seen["State"]["Pid"]) if running else None,
            started_at=_epoch(seen["State"]["StartedAt"]) if running else None,
            kept=seen["HostConfig"]["RestartPolicy"]["Name"] == _KEPT,
            restarts=int(seen["RestartCount"]),
        )

    def heal(self, slot: Slot) -> bool:
        """The engine starts it again by itself."""
        del slot
        return False

    def revive(self, slot: Slot, *, kept: bool) -> None:
        """Start the slot's container as it was."""
        if self._engine.inspect(_container(slot)) is None:
            raise DeployError(f"nothing is known of what ran in {slot}: use `deploy --version`")
        self._check_port(slot)
        self._engine.docker("start", _container(slot))
        self.keep(slot, kept=kept)

    def base_url(self, slot: Slot) -> str:
        """On loopback: containers share the host's network."""
        return f"http://127.0.0.1:{self._site.reach(self._settings.port(slot))}"

    def addresses(self) -> Mapping[Slot, Sequence[str]]:
        """One address a slot: its workers share the port."""
        return {slot: (f"127.0.0.1:{self._settings.port(slot)}",) for slot in SLOTS}

    def log_lines(self, slot: Slot, last: int) -> Sequence[str]:
        """The end of the container's log."""
        if self._engine.inspect(_container(slot)) is None:
            return ()
        return self._engine.docker("logs", "--tail", str(last), _container(slot)).splitlines()[-last:]

    def follow(self, slot: Slot) -> Iterator[str]:
        """Lines as they come, until the caller has enough."""
        return self._engine.follow("logs", "--follow", "--tail", "0", _container(slot))

    def _lay_models(self, slot: Slot, release: Release, models_from: Slot | None) -> None:
        """Into the slot's MODEL_DIR, which it reads only: what is put there is loaded by the running service."""
        disk, target = self._site.disk, f"slots/{slot}/models"
        kept = models_folder(release.version)
        if models_from:
            disk.copy(f"slots/{models_from}/models", target)
        elif disk.names(kept) or release.models_dir is None:
            disk.copy(kept, target)
        else:
            disk.fill(target, Path(release.models_dir))

    def _check_port(self, slot: Slot) -> None:
        port = self._settings.port(slot)
        owner = self._site.port_owner(port)
        if owner:
            raise DeployError(f"port {port} of {slot} is taken by {owner}: stop that, or set DEPLOY_BASE_PORT")


def _container(slot: Slot) -> str:
    return f"{IMAGE_NAME}-{slot}"


def _epoch(stamp: str) -> float:
    """Docker writes nanoseconds, which datetime does not read."""
    return datetime.fromisoformat(stamp[:19] + "+00:00").timestamp()
