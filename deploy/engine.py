"""The container engine by its command lines: `docker`, and Compose 2."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from deploy.errors import DeployError, UsageError
from deploy.files import read_text, write_text
from deploy.processes import run

__all__ = ["COMPOSE_FILE", "IMAGE_NAME", "SETTINGS", "Engine"]

COMPOSE_FILE = Path(__file__).with_name("compose.yaml")
SETTINGS = "slot.env"
"""What slots get from the project's `.env` but for its secrets, which are files: `docker inspect` shows it."""
IMAGE_NAME = "pikkit-ml-api"
"""Of the images, and how the names of containers begin."""
_NONE = COMPOSE_FILE.with_name("none.env")
_VARIABLES = "compose.env"
_PROJECT = "pikkit"
_TIMEOUT_S = 180


class Engine:
    """The engine that `docker` reaches with this environment; its containers read the folder `root`."""

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        host = environment.get("DOCKER_HOST", "unix://")
        if not host.startswith(("unix://", "fd://")):
            raise UsageError(
                f"DOCKER_HOST is {host!r}, another machine's engine: run `python -m deploy` on that machine "
                "(deploy/pipeline/ship.sh does, by ssh)"
            )
        self._root = root
        self._environment = dict(environment)

    def variables(self) -> dict[str, str]:
        """What Compose was last told, by whoever."""
        lines = (read_text(self._root / _VARIABLES) or "").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def up(self, service: str, variables: Mapping[str, str]) -> None:
        """Create and start a service's container anew, as told from now on; returns at once.

        Raises:
            DeployError: it can't be started.
        """
        merged = {**self.variables(), **variables, "RUN_DIR": str(self._root)}
        told = self._root / SETTINGS
        merged["SLOT_ENV_FILE"] = str(told) if told.exists() else str(_NONE)  # Compose reads it here
        write_text(self._root / _VARIABLES, "".join(f"{name}={value}\n" for name, value in merged.items()))
        if self._ask("compose", "version").returncode:
            raise UsageError("there is no Compose: install the plugin docker-compose-plugin (Compose 2)")
        line = ["compose", "--project-name", _PROJECT, "--file", str(COMPOSE_FILE)]
        line += ["--env-file", str(self._root / _VARIABLES)]
        self.docker(*line, "up", "--detach", "--no-deps", "--force-recreate", "--no-build", service)

    def check_home(self) -> None:
        """See that what runs there is of this stack: two that share names would undo each other's work.

        Raises:
            UsageError: it reads another folder.
        """
        line = ["ps", "--no-trunc", "--format", "{{.Names}} {{.Mounts}}"]
        line += ["--filter", "name=^/?pikkit-ml-api-", "--filter", "name=^/?pikkit-nginx-lb$"]
        for running in (self._found(*line) or "").splitlines():
            container, _, mounts = running.partition(" ")
            folders = [Path(mount) for mount in mounts.split(",") if mount.startswith("/")]
            strange = next((path for path in folders if not path.is_relative_to(self._root)), None)
            if strange:
                raise UsageError(
                    f"{container} reads {strange}, so it is of another stack than {self._root}: set "
                    "DEPLOY_RUN_DIR to that stack's folder, or stop it"
                )

    def inspect(self, container: str) -> Mapping[str, Any] | None:
        """What the engine knows of a container; None when there is none."""
        told = self._found("container", "inspect", container)
        seen: Mapping[str, Any] | None = json.loads(told)[0] if told is not None else None
        return seen

    def has_image(self, tag: str) -> bool:
        """Whether the engine holds the image."""
        return self._found("image", "inspect", tag) is not None

    def docker(self, *arguments: str) -> str:
        """Run the client; gives what it printed, error output included.

        Raises:
            DeployError: it failed.
        """
        said = self._ask(*arguments)
        if said.returncode:
            last = "; ".join((said.stderr or said.stdout).strip().splitlines()[-4:])
            raise DeployError(f"`docker {' '.join(arguments[-3:])}` failed: {last}")
        return said.stdout + said.stderr

    def stop(self, container: str, *, grace_s: float) -> None:
        """The container's stop signal, and SIGKILL after `grace_s`."""
        self.docker("stop", "--time", str(max(1, round(grace_s))), container)

    def follow(self, container: str) -> Generator[str, None, None]:
        """Lines that the container writes from now on, until the caller has enough."""
        line = ["docker", "logs", "--follow", "--tail", "0", container]
        with subprocess.Popen(
            line, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as client:
            try:
                yield from (text.rstrip("\n") for text in client.stdout or ())
            finally:
                client.terminate()

    def _found(self, *arguments: str) -> str | None:
        """What the client tells; None when there is no such thing, of which an engine that is silent is no proof."""
        said = self._ask(*arguments)
        if said.returncode and "no such" not in said.stderr.lower():
            raise DeployError(f"the engine does not answer: {said.stderr.strip()[-300:]}")
        return None if said.returncode else said.stdout

    def _ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        try:
            return run(["docker", *arguments], environment=self._environment, timeout_s=_TIMEOUT_S)
        except DeployError as error:
            if isinstance(error.__cause__, OSError):
                raise UsageError(f"{error}: install Docker") from error
            raise
