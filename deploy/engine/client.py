"""The container engine by its command lines: `docker`, and Compose in the version that is there."""

from __future__ import annotations

import contextlib
import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.engine.replicas import replica_services
from deploy.errors import DeployError, UsageError
from deploy.files import read_text, write_json, write_text

__all__ = ["COMPOSE_FILE", "SECRETS", "Engine"]

COMPOSE_FILE = Path(__file__).parents[1] / "compose.yaml"
SECRETS = "slot.env"
"""What slots get from the project's `.env`: a file of this machine with mode 0600."""
_NONE = COMPOSE_FILE.with_name("none.env")  # /dev/null is no file to Compose 1
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
        self._compose: list[str] | None = None

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
        secrets = self._root / SECRETS
        merged["SLOT_ENV_FILE"] = str(secrets) if secrets.exists() else str(_NONE)  # Compose reads it here
        text = "".join(f"{name}={value}\n" for name, value in merged.items())
        told = self._root / _VARIABLES
        write_text(told, text)
        line = [*self._compose_command(), "--project-name", _PROJECT, "--file", str(COMPOSE_FILE)]
        more = replica_services(merged, str(COMPOSE_FILE))
        if more["services"]:
            write_json(self._root / _REPLICAS, more)
            line += ["--file", str(self._root / _REPLICAS)]
        line += ["--env-file", str(told), "up", "--detach", "--no-deps", "--force-recreate", "--no-build"]
        if services:
            self.run(*line, *services)

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

    def follow(self, containers: Sequence[str]) -> Generator[str, None, None]:
        """Lines that containers write from now on, until the caller has enough; of several, each after its name."""
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        with contextlib.ExitStack() as stack:
            for name in containers:
                client = subprocess.Popen(
                    ["docker", "logs", "--follow", "--tail", "0", name],
                    env=self._environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
                stack.enter_context(client)
                stack.callback(client.terminate)
                prefix = f"{name} | " if len(containers) > 1 else ""
                threading.Thread(target=_pass_on, args=(client, prefix, lines), daemon=True).start()
            ended = 0
            while ended < len(containers):
                line = lines.get()
                if line is None:
                    ended += 1
                else:
                    yield line

    def _missing(self, said: subprocess.CompletedProcess[str]) -> None:
        """An engine that does not answer must not be taken for one that has nothing.

        Raises:
            DeployError: it is not that there is no such thing.
        """
        if "no such" not in said.stderr.lower():
            raise DeployError(f"the engine does not answer: {said.stderr.strip()[-300:]}")

    def _ask(self, *command: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                command, env=self._environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
            )
        except OSError as error:
            raise UsageError(f"{command[0]} can't be run ({error.strerror}): install Docker") from error
        except subprocess.TimeoutExpired as error:
            raise DeployError(f"`{' '.join(command[:3])} …` was not done after {_TIMEOUT_S} s") from error

    def _compose_command(self) -> list[str]:
        if self._compose is None:
            if self._ask("docker", "compose", "version").returncode == 0:
                self._compose = ["docker", "compose"]
            elif shutil.which("docker-compose"):
                self._compose = ["docker-compose"]
            else:
                raise UsageError("there is no Compose: install the plugin docker-compose-plugin, or docker-compose")
        return self._compose


def _pass_on(client: subprocess.Popen[str], prefix: str, lines: queue.SimpleQueue[str | None]) -> None:
    with contextlib.suppress(ValueError):  # closed under the reader: enough was seen
        for line in client.stdout or ():
            lines.put(prefix + line.rstrip("\n"))
    lines.put(None)
