"""Slots as containers of one machine, by Compose: pikkit-ml-api-blue, -green and -canary, on its loopback."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.engine import IMAGE_NAME, SETTINGS, Engine
from deploy.errors import DeployError
from deploy.files import fill, names, remove, write_text
from deploy.processes import require_free
from deploy.release.release import Release
from deploy.settings import DeploySettings
from deploy.slot import Slot
from deploy.slots.port import Observed, Runtime

__all__ = ["DockerRuntime"]

_KEPT, _NOT_KEPT = "unless-stopped", "no"
_FOREIGN = re.compile("BENTOML_HOME|DATA_DIR|MODEL_DIR|PATH|DEPLOY_.*")  # of this machine, not of the container
_SECRET = re.compile(".*(_KEYS?|_TOKEN|_SECRET|_PASSWORD|_WEBHOOK_URL)")


class DockerRuntime(Runtime):
    """`environment` is what slots get beside what compose.yaml sets: the project's `.env`, secrets of it as files.

    The engine starts slots again by itself, and bounds their logs.
    """

    name = "docker"

    def __init__(self, settings: DeploySettings, engine: Engine, *, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._root = settings.run_dir
        self._engine = engine
        own = {name: value for name, value in environment.items() if not _FOREIGN.fullmatch(name)}
        self._secrets = {name: value for name, value in own.items() if _SECRET.fullmatch(name)}
        self._told = {name: value for name, value in own.items() if name not in self._secrets}

    def start(self, slot: Slot, release: Release, *, workers: int, models_from: Slot | None = None) -> None:
        """Start the release's image, which must be there, in the slot's container."""
        image = f"{IMAGE_NAME}:{release.version}"
        if not self._engine.has_image(image):
            raise DeployError(
                f"there is no image {image}: `python -m deploy build --image --version {release.version}`"
            )
        require_free(self._settings.port(slot), of=slot)
        own = Path(release.models_dir) if release.models_dir else None
        fill(self._models(slot), self._models(models_from) if models_from else own)
        self._write_settings(slot)
        of_slot = {"PORT": self._settings.port(slot), "IMAGE": image, "VERSION": release.version, "WORKERS": workers}
        told = {f"{slot.upper()}_{name}": str(value) for name, value in of_slot.items()}
        self._engine.up(slot, {"SLOT_MEMORY": self._settings.slot_memory, **told})

    def keep(self, slot: Slot, *, kept: bool) -> None:
        """By the engine's own restart policy."""
        if self._seen(slot):
            self._set_policy(slot, kept=kept)

    def stop(self, slot: Slot, *, grace_s: float) -> None:
        """SIGTERM, and SIGKILL after `grace_s`; the container stays, for its log and for `revive`."""
        seen = self._seen(slot)
        if seen is None:
            return
        self._set_policy(slot, kept=False)
        if seen["State"]["Running"] or seen["State"]["Restarting"]:
            self._engine.stop(_container(slot), grace_s=grace_s)

    def observe(self, slot: Slot) -> Observed:
        """What the engine tells."""
        seen = self._seen(slot)
        if seen is None:
            return Observed(slot, running=False)
        state, labels = seen["State"], seen["Config"]["Labels"]
        running = state["Running"] and not state["Restarting"]
        workers, pid = int(labels.get("pikkit.workers", 1)), int(state["Pid"]) if running else None
        kept = seen["HostConfig"]["RestartPolicy"]["Name"] == _KEPT
        return Observed(slot, running, labels.get("pikkit.version"), workers, pid, kept, int(seen["RestartCount"]))

    def revive(self, slot: Slot) -> None:
        """Start the slot's container as it was."""
        if self._seen(slot) is None:
            raise DeployError(f"nothing is known of what ran in {slot}: use `deploy --version`")
        require_free(self._settings.port(slot), of=slot)
        self._engine.docker("start", _container(slot))
        self._set_policy(slot, kept=True)

    def base_url(self, slot: Slot) -> str:
        """On loopback: containers share the host's network."""
        return f"http://{self._settings.slot_address(slot)}"

    def log_lines(self, slot: Slot, last: int) -> Sequence[str]:
        """The end of the container's log."""
        if self._seen(slot) is None:
            return ()
        return self._engine.docker("logs", "--tail", str(last), _container(slot)).splitlines()[-last:]

    def follow(self, slot: Slot) -> Iterator[str]:
        """Lines as they come, until the caller has enough."""
        return self._engine.follow(_container(slot))

    def _set_policy(self, slot: Slot, *, kept: bool) -> None:
        self._engine.docker("update", "--restart", _KEPT if kept else _NOT_KEPT, _container(slot))

    def _write_settings(self, slot: Slot) -> None:
        """The folder that holds the slot's secrets is closed to other users here; in the container it isn't seen."""
        told = "".join(f"{name}={value}\n" for name, value in self._told.items())
        write_text(self._root / SETTINGS, told, mode=0o600)
        closed, folder = self._root / "secrets", self._root / "secrets" / slot
        folder.mkdir(parents=True, exist_ok=True)
        closed.chmod(0o700)
        folder.chmod(0o755)
        remove(*(folder / name for name in names(folder) if name not in self._secrets))
        for name, value in self._secrets.items():
            write_text(folder / name, value)
            (folder / name).chmod(0o644)  # containers have a user of their own

    def _seen(self, slot: Slot) -> Mapping[str, Any] | None:
        return self._engine.inspect(_container(slot))

    def _models(self, slot: Slot) -> Path:
        """The slot's MODEL_DIR, which it reads only: what is put there is loaded by the running service."""
        return self._root / f"slots/{slot}/models"


def _container(slot: Slot) -> str:
    return f"{IMAGE_NAME}-{slot}"
