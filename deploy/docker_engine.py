"""The container engine by its command lines: `docker`, and Compose in the version that is there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.errors import DeployError, UsageError
from deploy.files import write_text

__all__ = ["COMPOSE_FILE", "Engine"]

COMPOSE_FILE = Path(__file__).with_name("compose.yaml")
_PROJECT = "pikkit"
_TIMEOUT_S = 180


class Engine:
    """The engine that `docker` reaches; it must be this machine's, as slots and gates meet on loopback."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._compose: list[str] | None = None

    def variables(self) -> dict[str, str]:
        """What Compose was last told."""
        try:
            lines = (self._run_dir / "compose.env").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {}
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def up(self, service: str, variables: Mapping[str, str]) -> None:
        """Create and start the container of a service anew; returns at once.

        Raises:
            DeployError: it can't be started.
        """
        merged = {**self.variables(), **variables}
        self._run_dir.mkdir(parents=True, exist_ok=True)
        write_text(self._run_dir / "compose.env", "".join(f"{name}={value}\n" for name, value in merged.items()))
        line = [*self._compose_command(), "--project-name", _PROJECT, "--file", str(COMPOSE_FILE)]
        line += ["--env-file", str(self._run_dir / "compose.env"), "up", "--detach", "--no-deps", "--force-recreate"]
        self.run(*line, "--no-build", service)

    def inspect(self, container: str) -> Mapping[str, Any] | None:
        """What the engine knows of a container; None when there is none."""
        said = self._ask("docker", "container", "inspect", container)
        return json.loads(said.stdout)[0] if said.returncode == 0 else None

    def has_image(self, tag: str) -> bool:
        """Whether the engine holds the image."""
        return self._ask("docker", "image", "inspect", tag).returncode == 0

    def docker(self, *arguments: str) -> str:
        """Run the client; gives what it printed.

        Raises:
            DeployError: it failed.
        """
        return self.run("docker", *arguments)

    def run(self, *command: str) -> str:
        """Run a command line of the engine; gives what it printed, error output included."""
        said = self._ask(*command)
        if said.returncode:
            last = "; ".join((said.stderr or said.stdout).strip().splitlines()[-4:])
            raise DeployError(f"`{Path(command[0]).name} {' '.join(command[-3:])}` failed: {last}")
        return said.stdout + said.stderr

    def _ask(self, *command: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        except OSError as error:
            raise UsageError(f"{command[0]} can't be run ({error.strerror}): install Docker") from error
        except subprocess.TimeoutExpired as error:
            raise DeployError(f"`{' '.join(command[:3])} …` was not done after {_TIMEOUT_S} s") from error

    def _compose_command(self) -> list[str]:
        if self._compose is None:
            if os.environ.get("DOCKER_HOST", "unix:").partition(":")[0] != "unix":
                raise UsageError("DOCKER_HOST is another machine's: run `python -m deploy` on that machine")
            if self._ask("docker", "compose", "version").returncode == 0:
                self._compose = ["docker", "compose"]
            elif shutil.which("docker-compose"):
                self._compose = ["docker-compose"]
            else:
                raise UsageError("there is no Compose: install the plugin docker-compose-plugin, or docker-compose")
        return self._compose
