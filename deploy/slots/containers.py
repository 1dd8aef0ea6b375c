"""Slots as containers of one machine, by Compose: pikkit-ml-api-blue, -green and -canary, on its loopback.

A slot's workers are replicas: containers with a port of their own, which Nginx shares the requests out to. The first
has the name that operators know; further ones are numbered from 2, and told to Compose in a file beside compose.yaml.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.engine import COMPOSE_FILE, IMAGE_NAME, REPLICAS, SETTINGS, Engine
from deploy.errors import DeployError
from deploy.files import fill, names, remove, write_json, write_text
from deploy.processes import require_free
from deploy.release.release import Release
from deploy.settings import DeploySettings
from deploy.slot import SLOTS, Slot
from deploy.slots.port import Observed, Runtime

__all__ = ["DockerRuntime", "containers", "services"]

_MOST = 20  # replicas of a slot
_APART = 10  # a stack's own ports are within ten: Nginx, three slots, status
_KEPT, _NOT_KEPT = "unless-stopped", "no"
_FOREIGN = re.compile("BENTOML_HOME|DATA_DIR|MODEL_DIR|PATH|DEPLOY_.*")  # of this machine, not of the container
_SECRET = re.compile(".*(_KEYS?|_TOKEN|_SECRET|_PASSWORD|_WEBHOOK_URL)")


def services(slot: Slot, replicas: int) -> list[str]:
    """The names of a slot's replicas in Compose."""
    return [slot, *(f"{slot}-{number}" for number in range(2, replicas + 1))]


def containers(slot: Slot, replicas: int) -> list[str]:
    """The names of their containers."""
    return [f"{IMAGE_NAME}-{service}" for service in services(slot, replicas)]


class DockerRuntime(Runtime):
    """`environment` is what slots get beside what compose.yaml sets: the project's `.env`, secrets of it as files.

    The engine starts slots again by itself, and bounds their logs.
    """

    name = "docker"
    resizable = True

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
        spare = self._beyond(slot, workers)
        if spare:
            self._engine.docker("rm", "--force", *spare)
        self._check(slot, workers, range(workers))
        own = Path(release.models_dir) if release.models_dir else None
        fill(self._models(slot), self._models(models_from) if models_from else own)
        told = {"SLOT_MEMORY": self._settings.slot_memory, f"{slot.upper()}_PORT": str(self._settings.port(slot))}
        told |= {f"{slot.upper()}_IMAGE": image, f"{slot.upper()}_VERSION": release.version}
        self._up(slot, workers, range(workers), told)

    def resize(self, slot: Slot, replicas: int) -> None:
        """Start further ones beside those that run, with their image, the slot's models and the settings of now."""
        running = {name for name, one in self._seen(slot, replicas).items() if one["State"]["Running"]}
        missing = [index for index, name in enumerate(containers(slot, replicas)) if index and name not in running]
        self._check(slot, replicas, missing)
        self._up(slot, replicas, missing, {})

    def trim(self, slot: Slot, *, after_s: float, grace_s: float) -> None:
        """SIGTERM, SIGKILL after `grace_s`, and remove them."""
        spare = self._beyond(slot, self._replicas(slot))
        if spare:
            time.sleep(after_s)
            self._set_policy(spare, kept=False)
            self._engine.stop(*spare, grace_s=grace_s)
            self._engine.docker("rm", "--force", *spare)

    def keep(self, slot: Slot, *, kept: bool) -> None:
        """By the engine's own restart policy."""
        self._set_policy(self._seen(slot), kept=kept)

    def stop(self, slot: Slot, *, grace_s: float) -> None:
        """SIGTERM, and SIGKILL after `grace_s`; the containers stay, for their logs and for `revive`."""
        seen = self._seen(slot)
        self._set_policy(seen, kept=False)
        active = [name for name, one in seen.items() if one["State"]["Running"] or one["State"]["Restarting"]]
        if active:
            self._engine.stop(*active, grace_s=grace_s)

    def observe(self, slot: Slot) -> Observed:
        """What the engine tells. The slot runs while one of its replicas does; `workers` are those that do."""
        seen = list(self._seen(slot).values())
        if not seen:
            return Observed(slot, running=False)
        active = [one for one in seen if one["State"]["Running"] and not one["State"]["Restarting"]]
        return Observed(
            slot,
            running=bool(active),
            version=seen[0]["Config"]["Labels"].get("pikkit.version"),
            workers=len(active) or len(seen),
            pid=int(active[0]["State"]["Pid"]) if active else None,
            kept=all(one["HostConfig"]["RestartPolicy"]["Name"] == _KEPT for one in seen),
            restarts=sum(int(one["RestartCount"]) for one in seen),
        )

    def revive(self, slot: Slot) -> None:
        """Start the slot's containers as they were."""
        names = self._seen(slot)
        if not names:
            raise DeployError(f"nothing is known of what ran in {slot}: use `deploy --version`")
        require_free(*self._ports(slot, len(names)), of=slot)
        self._engine.docker("start", *names)
        self._set_policy(names, kept=True)

    def addresses(self) -> Mapping[Slot, Sequence[str]]:
        """One address a replica, on loopback: containers share the host's network."""
        ports = {slot: self._ports(slot, self._replicas(slot)) for slot in SLOTS}
        return {slot: tuple(f"127.0.0.1:{port}" for port in ports[slot]) for slot in SLOTS}

    def log_lines(self, slot: Slot, last: int) -> Sequence[str]:
        """The end of each container's log, the first replica's last."""
        lines: list[str] = []
        for name in reversed(self._seen(slot)):
            lines += self._engine.docker("logs", "--tail", str(last), name).splitlines()[-last:]
        return lines

    def follow(self, slot: Slot) -> Iterator[str]:
        """Lines of every replica as they come, until the caller has enough."""
        return self._engine.follow(services(slot, self._replicas(slot)))

    def _check(self, slot: Slot, replicas: int, starting: Collection[int]) -> None:
        if replicas > _MOST:
            raise DeployError(f"{replicas} replicas of {slot} are over {_MOST}: start fewer, or more hosts")
        ports = self._ports(slot, replicas)
        require_free(*(ports[index] for index in starting), of=slot)

    def _up(self, slot: Slot, replicas: int, starting: Collection[int], variables: Mapping[str, str]) -> None:
        """Have so many replicas from now on, and start some of them, counted from 0."""
        if starting:
            self._write_settings(slot)
        told = {**self._engine.variables(), **variables, f"{slot.upper()}_REPLICAS": str(replicas)}
        write_json(self._root / REPLICAS, {"services": _further(told)})
        self._engine.up([services(slot, replicas)[index] for index in starting], told)

    def _set_policy(self, names: Collection[str], *, kept: bool) -> None:
        if names:
            self._engine.docker("update", "--restart", _KEPT if kept else _NOT_KEPT, *names)

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

    def _beyond(self, slot: Slot, replicas: int) -> list[str]:
        """Containers of the slot, as the engine knows them, beyond so many replicas."""
        wanted = containers(slot, replicas)
        every = self._engine.docker("ps", "--all", "--filter", f"label=pikkit.slot={slot}", "--format", "{{.Names}}")
        return [name for name in every.split() if name not in wanted]

    def _replicas(self, slot: Slot) -> int:
        return _count(slot, self._engine.variables())

    def _ports(self, slot: Slot, replicas: int) -> list[int]:
        return [self._settings.port(slot) + _APART * index for index in range(replicas)]

    def _seen(self, slot: Slot, replicas: int | None = None) -> dict[str, Mapping[str, Any]]:
        """The containers that there are, by name."""
        found = {name: self._engine.inspect(name) for name in containers(slot, replicas or self._replicas(slot))}
        return {name: seen for name, seen in found.items() if seen is not None}

    def _models(self, slot: Slot) -> Path:
        """The slot's MODEL_DIR, which it reads only: what is put there is loaded by the running service."""
        return self._root / f"slots/{slot}/models"


def _count(slot: Slot, variables: Mapping[str, str]) -> int:
    return int(variables.get(f"{slot.upper()}_REPLICAS", "1"))


def _further(variables: Mapping[str, str]) -> dict[str, Any]:
    """The second and further replicas of all slots, as services of a Compose file (JSON is YAML)."""
    return {
        service: {
            "extends": {"file": str(COMPOSE_FILE), "service": slot},
            "container_name": f"{IMAGE_NAME}-{service}",
            "environment": {"PORT": str(int(variables[f"{slot.upper()}_PORT"]) + _APART * index)},
        }
        for slot in SLOTS
        for index, service in enumerate(services(slot, _count(slot, variables)))
        if index
    }
