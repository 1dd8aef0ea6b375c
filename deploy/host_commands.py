"""How a command gets to a host: argument lists and environments. Pure builders; another module runs them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.errors import UsageError
from deploy.inventory import Host
from deploy.ssh_connection import UNATTENDED

__all__ = ["SHIPPED", "checked_commit", "host_argv", "host_environment"]

SHIPPED = frozenset({"up", "deploy", "canary"})
"""Commands that may build or start a release: the host's clone is brought to the commit first."""

_SSH_OPTIONS = (
    *UNATTENDED,
    "ClearAllForwardings=yes",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
)


def checked_commit(commit: str) -> str:
    """The commit, if it is a whole one.

    Raises:
        UsageError: it is not 40 hex digits.
    """
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise UsageError(f"--commit {commit!r} is not a commit: write its 40 hex digits (`git rev-parse HEAD`)")
    return commit


def host_argv(
    host: Host, entry: Sequence[str], arguments: Sequence[str], *, commit: str = "", connect_s: int = 20
) -> list[str]:
    """The argument list that runs `python -m deploy ARGUMENTS` on the host.

    Args:
        host: of the inventory.
        entry: the command line of this checkout, for local hosts.
        arguments: of the command.
        commit: what the host's clone is brought to first; empty: it stays where it is.
        connect_s: longest wait for a connection, seconds.
    """
    if host.local:
        return [*entry, *arguments]
    options = [part for option in (*_SSH_OPTIONS, f"ConnectTimeout={connect_s}") for part in ("-o", option)]
    if host.key:
        options += ["-i", str(Path(host.key).expanduser()), "-o", "IdentitiesOnly=yes"]
    if host.known_hosts:
        options += ["-o", f'UserKnownHostsFile="{Path(host.known_hosts).expanduser()}"']
    return ["ssh", *options, "-p", str(host.port), f"{host.user}@{host.address}", _script(host, arguments, commit)]


def host_environment(host: Host, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of that process: a local host's settings go over those of the caller."""
    return {**environment, **host.env} if host.local else dict(environment)


def _script(host: Host, arguments: Sequence[str], commit: str) -> str:
    steps = ["set -eu", f"cd {shlex.quote(host.folder)}"]
    if commit:
        steps += [
            f"git fetch --quiet origin {commit}",
            f"git checkout --quiet --detach {commit}",
            "make --silent .venv/.installed",
        ]
    settings = [f"{name}={value}" for name, value in host.env.items()]
    steps.append("exec " + shlex.join(["env", *settings, ".venv/bin/python", "-m", "deploy", *arguments]))
    return "; ".join(steps)
