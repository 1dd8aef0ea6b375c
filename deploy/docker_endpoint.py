"""Which engine `docker` is told to use: DOCKER_HOST, else a context. Another machine's is reached by ssh only."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from deploy.errors import UsageError

__all__ = ["SshEndpoint", "ask_context", "endpoint"]

_NAME = re.compile(r"[A-Za-z0-9_.:][A-Za-z0-9_.:%-]*")


@dataclass(frozen=True, slots=True)
class SshEndpoint:
    """An engine behind ssh; `socket` is its socket on that machine, None where that machine's own `docker` knows."""

    address: str
    user: str | None = None
    port: int | None = None
    socket: str | None = None

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"ssh://{user}{self.address}{port}"


def endpoint(environment: Mapping[str, str], ask: Callable[[str], str]) -> SshEndpoint | None:
    """The engine that `docker` would use; None when it is this machine's.

    Args:
        environment: of the command.
        ask: tells the endpoint of a context.

    Raises:
        UsageError: it can't be used.
    """
    host = environment.get("DOCKER_HOST")
    if host:
        return _parsed(host, "DOCKER_HOST")
    context = environment.get("DOCKER_CONTEXT") or _current_context(environment)
    if context in ("", "default"):
        return None
    return _parsed(ask(context), f"the endpoint of Docker context {context!r}")


def ask_context(name: str) -> str:
    """The endpoint of a context, as `docker` knows it.

    Raises:
        UsageError: there is no such context, or no `docker`.
    """
    command = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}", name]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError(f"docker can't be run ({error}): install Docker's client") from error
    if said.returncode:
        raise UsageError(f"Docker context {name!r}: {said.stderr.strip()}: `docker context ls` lists them")
    return said.stdout.strip()


def _current_context(environment: Mapping[str, str]) -> str:
    """What `docker context use` has left."""
    folder = environment.get("DOCKER_CONFIG") or Path(environment.get("HOME") or Path.home()) / ".docker"
    try:
        config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(config.get("currentContext") or "") if isinstance(config, dict) else ""


def _parsed(value: str, name: str) -> SshEndpoint | None:
    example = "ssh://USER@HOST (`docker context create NAME --docker host=ssh://USER@HOST`)"
    url = urlsplit(value)
    if url.scheme in ("unix", "fd"):
        return None
    if url.scheme != "ssh":
        why = {
            "tcp": "an engine by TCP takes no files, and whoever reaches the port owns the machine",
            "npipe": "slots share a Linux host's network, which Docker for Windows has not",
        }.get(url.scheme, "it is neither unix:// nor ssh://")
        raise UsageError(f"{name} is {value!r}: {why}: use {example}, or this machine's socket")
    try:
        port = url.port
    except ValueError as error:
        raise UsageError(f"{name} is {value!r}: {error}: use {example}") from error
    address, user = url.hostname or "", unquote(url.username) if url.username else None
    if not _NAME.fullmatch(address) or (user is not None and not _NAME.fullmatch(user)):
        raise UsageError(f"{name} is {value!r}, which names no host to log in to: use {example}")
    if url.password or url.query or url.fragment:
        raise UsageError(f"{name} is {value!r}: ssh asks for no password here, use a key: {example}")
    return SshEndpoint(address, user, port, url.path if url.path not in ("", "/") else None)
