"""What `status` and `history` show: observed, then put into words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from deploy.flow.recovery import explain
from deploy.flow.stack import Stack
from deploy.proxy.route import Route
from deploy.slot import SLOTS, Slot
from deploy.slots.port import Observed
from deploy.watch.supervisor import supervisor_process

__all__ = ["condition", "history_table", "status_data", "status_table"]

HEALTHY, IMPAIRED, DOWN, EMPTY = 0, 20, 21, 22


def status_data(stack: Stack) -> dict[str, Any]:
    """Everything there is to know, as JSON-able data. Changes nothing."""
    route = stack.router.get()
    operation = stack.journal.operation()
    owner = stack.lock("status").holder()
    at_work = owner if owner and owner.command != "supervise" else None
    supervisor = supervisor_process(stack.settings.run_dir)
    previous = stack.journal.previous()
    ramp = stack.ramp
    data: dict[str, Any] = {
        "url": stack.settings.url,
        "proxy": "running" if stack.router.running() else "stopped",
        "route": route.name if route else None,
        "production": route.production if route else None,
        "canary_weight": route.weight if route and route.canary else None,
        "slots": {slot: _slot(stack, slot, route) for slot in SLOTS},
        "rollback_to": previous.version if previous else None,
        "rejected": next((found.version for found in stack.journal.releases() if found.rejected), None),
        "ramp": ramp.words() if ramp else None,
        "interrupted": explain(operation) if not owner else None,
        "at_work": f"{at_work}, phase {operation.phase}" if at_work and operation else None,
        "locked_by": str(at_work) if at_work else None,
        "journal": stack.journal.fault or "ok",
        "supervisor": supervisor.pid if supervisor else None,
    }
    return {**data, "faults": _faults(data)}


def condition(data: Mapping[str, Any]) -> int:
    """The exit code of `status`."""
    if data["production"] is None:
        return EMPTY
    if data["proxy"] != "running" or data["slots"][data["production"]]["health"] not in ("healthy", "degraded"):
        return DOWN
    return IMPAIRED if data["faults"] else HEALTHY


def _faults(data: Mapping[str, Any]) -> list[str]:
    """What is not as it should be, in words."""
    if data["production"] is None:
        return ["nothing was deployed yet: `python -m deploy up`"]
    faults = []
    production = data["slots"][data["production"]]
    canary = data["slots"]["canary"]
    if data["proxy"] != "running":
        faults.append("the load balancer does not run: `python -m deploy up`")
    if production["health"] != "healthy":
        faults.append(f"production ({data['production']}) is {production['health']}")
    if data["canary_weight"] is not None and canary["health"] != "healthy":
        faults.append(f"the canary is {canary['health']}")
    if data["interrupted"]:
        faults.append(f"{data['interrupted']}: the next command goes on from there")
    if data["supervisor"] is None:
        faults.append("no supervisor runs, so nothing is started again: `python -m deploy up`")
    if data["journal"] != "ok":
        faults.append(data["journal"])
    return faults


def _slot(stack: Stack, slot: Slot, route: Route | None) -> dict[str, Any]:
    seen = stack.runtime.observe(slot)
    found: dict[str, Any] = {"role": _role(stack, seen, route)}
    found |= {name: getattr(seen, name) for name in ("running", "version", "pid", "workers", "restarts")}
    if not seen.running:
        dead = "dead" if route and slot in route.targets() else None
        return {**found, "health": dead, "models": None, "models_note": None}
    url = stack.runtime.base_url(slot)
    health, info = stack.probe.health(url) or {}, stack.probe.model_info(url) or {}
    found["health"] = health.get("status", "no answer") if stack.probe.ready(url) else "not ready"
    found["models"] = health.get("model_timestamp") or str(info.get("sha256"))[:12]
    found["models_sha256"] = info.get("sha256")
    release = stack.releases.get(seen.version) if seen.version else None
    other = release and health and stack.gates.hot_reloaded(slot, release)
    found["models_note"] = f"hot-reloaded; the release's own is {release.models_version}" if release and other else None
    return found


def _role(stack: Stack, seen: Observed, route: Route | None) -> str:
    if route and route.production == seen.slot:
        return "production"
    if seen.slot == "canary":
        return f"canary {route.weight}%" if route and route.canary else "idle"
    previous = stack.journal.previous()
    return "rollback target" if previous and seen.running and seen.version == previous.version else "idle"


def status_table(data: Mapping[str, Any]) -> Table:
    """For people."""
    title = f"{data['url']}  proxy {data['proxy']}  route {data['route']}"
    names = ("role", "version", "health", "models", "workers", "pid", "restarts")
    table = Table("slot", *names, title=title, title_justify="left")
    for slot, seen in data["slots"].items():
        health = seen["health"] or ("running" if seen["running"] else "stopped")
        note = f" ({seen['models_note']})" if seen["models_note"] else ""
        shown = {**seen, "health": health, "models": f"{seen['models'] or ''}{note}"}
        table.add_row(slot, *(str(shown[name] or "") for name in names))
    return table


def history_table(entries: Sequence[Mapping[str, Any]]) -> Table:
    """The audit log, for people."""
    table = Table("at (UTC)", "who", "command", "from", "to", "outcome", "seconds", "notes")
    for entry in entries:
        notes = entry.get("error") or entry.get("interrupted") or entry.get("slot")
        if entry.get("verdict"):
            notes = f"verdict {entry['verdict']}. {'; '.join(entry.get('rows', []))}"
        at = datetime.fromisoformat(str(entry["at"])).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        told = [entry.get(name) for name in ("who", "command", "from", "to", "outcome", "seconds")]
        told[3] = told[3] or entry.get("version")
        table.add_row(at, *(str("" if cell is None else cell) for cell in (*told, notes)))
    return table
