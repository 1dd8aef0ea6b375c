"""The container engine by its command lines: `docker`, and Compose 2."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.engine.replicas import replica_services
from deploy.errors import DeployError, UsageError
from deploy.files import read_text, write_json, write_text
from deploy.processes import run

__all__ = ["COMPOSE_FILE", "SETTINGS", "Engine"]

COMPOSE_FILE = Path(__file__).parents[1] / "compose.yaml"
SETTINGS = "slot.env"
"""What slots get from the project's `.env` but for its secrets, which are files: `docker inspect` shows it."""
_NONE = COMPOSE_FILE.with_name("none.env")
_VARIABLES = "compose.env"
_REPLICAS = "compose.replicas.json"
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

    def up(self, services: Sequence[str], variables: Mapping[str, str]) -> None:
        """Create and start the containers of services anew, as told from now on; returns at once.

        Raises:
            DeployError: it can't be started.
        """
        merged = {**self.variables(), **variables, "RUN_DIR": str(self._root)}
        told = self._root / SETTINGS
        merged["SLOT_ENV_FILE"] = str(told) if told.exists() else str(_NONE)  # Compose reads it here
        text = "".join(f"{name}={value}\n" for name, value in merged.items())
        write_text(self._root / _VARIABLES, text)
        write_json(self._root / _REPLICAS, replica_services(merged, str(COMPOSE_FILE)))
        if services:
            self.run(*self._compose(), "up", "--detach", "--no-deps", "--force-recreate", "--no-build", *services)

    def check_home(self) -> None:
        """See that what runs there is of this stack: two that share names would undo each other's work.

        Raises:
            UsageError: it reads another folder.
        """
        line = ["docker", "ps", "--no-trunc", "--format", "{{.Names}} {{.Mounts}}"]
        said = self._ask(*line, "--filter", "name=^/?pikkit-ml-api-", "--filter", "name=^/?pikkit-nginx-lb$")
        if said.returncode:
            self._missing(said)
        for running in said.stdout.splitlines():
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
        said = self._ask("docker", "container", "inspect", container)
        if said.returncode:
            self._missing(said)
            return None
        seen: Mapping[str, Any] = json.loads(said.stdout)[0]
        return seen

    def has_image(self, tag: str) -> bool:
        """Whether the engine holds the image."""
        said = self._ask("docker", "image", "inspect", tag)
        if said.returncode:
            self._missing(said)
        return said.returncode == 0

    def docker(self, *arguments: str) -> str:
        """Run the client; gives what it printed.

        Raises:
            DeployError: it failed.
        """
        return self.run("docker", *arguments)

    def stop(self, *containers: str, grace_s: float) -> None:
        """Each container's stop signal, and SIGKILL after `grace_s`."""
        self.docker("stop", "--time", str(max(1, round(grace_s))), *containers)

    def run(self, *command: str) -> str:
        """Run a command line of the engine; gives what it printed, error output included."""
        said = self._ask(*command)
        if said.returncode:
            last = "; ".join((said.stderr or said.stdout).strip().splitlines()[-4:])
            raise DeployError(f"`{Path(command[0]).name} {' '.join(command[-3:])}` failed: {last}")
        return said.stdout + said.stderr

    def follow(self, services: Sequence[str]) -> Generator[str, None, None]:
        """Lines that the containers of services write from now on, until the caller has enough."""
        prefix = [] if len(services) > 1 else ["--no-log-prefix"]
        line = [*self._compose(), "logs", "--follow", "--tail", "0", "--no-color", *prefix, *services]
        with subprocess.Popen(
            line, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as client:
            try:
                yield from (text.rstrip("\n") for text in client.stdout or ())
            finally:
                client.terminate()

    def _missing(self, said: subprocess.CompletedProcess[str]) -> None:
        """An engine that does not answer must not be taken for one that has nothing.

        Raises:
            DeployError: it is not that there is no such thing.
        """
        if "no such" not in said.stderr.lower():
            raise DeployError(f"the engine does not answer: {said.stderr.strip()[-300:]}")

    def _ask(self, *command: str) -> subprocess.CompletedProcess[str]:
        try:
            return run(command, environment=self._environment, timeout_s=_TIMEOUT_S)
        except DeployError as error:
            if isinstance(error.__cause__, OSError):
                raise UsageError(f"{error}: install Docker") from error
            raise

    def _compose(self) -> list[str]:
        """The command line of Compose, with all files and variables as they were last told."""
        if self._ask("docker", "compose", "version").returncode:
            raise UsageError("there is no Compose: install the plugin docker-compose-plugin (Compose 2)")
        line = ["docker", "compose", "--project-name", _PROJECT, "--file", str(COMPOSE_FILE)]
        if (self._root / _REPLICAS).exists():
            line += ["--file", str(self._root / _REPLICAS)]
        return [*line, "--env-file", str(self._root / _VARIABLES)]
