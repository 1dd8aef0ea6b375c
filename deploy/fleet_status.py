"""The state of all hosts from what each said about itself. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from deploy.errors import Unreachable
from deploy.host_process import Output
from deploy.inventory import Host

__all__ = ["HostStatus", "fleet_problems", "fleet_status", "fleet_table", "read_status"]

_UNREACHABLE = 255
"""Exit code of ssh itself when it got no further than the connection."""


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One host. Everything is None that could not be seen; `canary_weight` is a percent."""

    name: str
    place: str
    reachable: bool
    production: str | None = None
    canary: str | None = None
    canary_weight: int | None = None
    health: str | None = None
    rollback_to: str | None = None
    problems: tuple[str, ...] = ()

    @property
    def routed(self) -> tuple[str | None, str | None, int | None]:
        """What clients get: the version in production, the canary's, and its weight."""
        return self.production, self.canary, self.canary_weight

    def words(self) -> str:
        """The same for people."""
        if self.production is None:
            return "nothing in production" if self.reachable else "can't be seen"
        canary = f", canary {self.canary} at {self.canary_weight}%" if self.canary else ""
        return f"{self.production} in production{canary}"


def read_status(host: Host, output: Output, seconds: float) -> HostStatus:
    """Understand what `status --json` said; `seconds` is how long was waited."""
    last = next((line for line in reversed(output.stderr.splitlines()) if line.strip()), "")
    if output.code is None:
        return HostStatus(host.name, host.place, reachable=False, problems=(f"no answer within {seconds:g} s",))
    if output.code == Unreachable.exit_code or (output.code == _UNREACHABLE and not host.local):
        return HostStatus(host.name, host.place, reachable=False, problems=(f"unreachable: {last.strip()}",))
    try:
        data = json.loads(output.stdout)
        return _understood(host, data)
    except (ValueError, KeyError, TypeError):
        told = f"`status` ended with {output.code}: {last.strip() or 'no output that can be read'}"
        return HostStatus(host.name, host.place, reachable=True, problems=(told,))


def _understood(host: Host, data: dict[str, Any]) -> HostStatus:
    slot = data["production"]
    production = data["slots"][slot] if slot else {"version": None, "health": None}
    weight = data["canary_weight"]
    problems = []
    if data["proxy"] != "running":
        problems.append(f"proxy {data['proxy']}")
    if not slot:
        problems.append("nothing in production")
    elif production["health"] != "healthy":
        problems.append(f"production ({slot}) is {production['health'] or 'not running'}")
    if data["interrupted"]:
        problems.append(f"interrupted: {data['interrupted']}")
    if data["state_file"] != "ok" and slot:
        problems.append(f"state file {data['state_file']}")
    return HostStatus(
        host.name,
        host.place,
        reachable=True,
        production=production["version"],
        canary=data["slots"]["canary"]["version"] if weight is not None else None,
        canary_weight=weight,
        health=production["health"],
        rollback_to=data["rollback_to"],
        problems=tuple(problems),
    )


def fleet_problems(seen: Sequence[HostStatus]) -> list[str]:
    """Each with its host in front; hosts that differ in what they serve are a problem too."""
    problems = [f"{host.name}: {problem}" for host in seen for problem in host.problems]
    served: dict[str, list[str]] = {}
    for host in seen:
        if host.production:
            served.setdefault(host.words(), []).append(host.name)
    if len(served) > 1:
        differ = "; ".join(f"{words} on {', '.join(names)}" for words, names in served.items())
        problems.append(f"hosts differ: {differ}")
    return problems


def fleet_status(seen: Sequence[HostStatus]) -> dict[str, Any]:
    """For programs."""
    problems = fleet_problems(seen)
    hosts = [{**asdict(host), "problems": list(host.problems)} for host in seen]
    return {"ok": not problems, "problems": problems, "hosts": hosts}


def fleet_table(seen: Sequence[HostStatus]) -> Table:
    """For people."""
    table = Table()
    for name in ("host", "place", "production", "canary", "health", "rollback to"):
        table.add_column(name)
    for host in seen:
        canary = f"{host.canary} at {host.canary_weight}%" if host.canary else ""
        health = host.health or ("-" if host.reachable else "unreachable")
        table.add_row(host.name, host.place, host.production or "", canary, health, host.rollback_to or "")
    return table
