"""What `status` and `history` show: observed, then put into words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from deploy.flow.recovery import explain
from deploy.flow.stack import Machine
from deploy.slot import SLOTS, Slot
from deploy.watch.supervisor import supervisor_process

__all__ = ["history_table", "status", "status_table"]


def status(machine: Machine) -> dict[str, Any]:
    """Everything there is to know, as JSON-able data. Changes nothing."""
    route = machine.router.get()
    state = machine.state()
    at_work = machine.lock("status").holder()
    supervisor = supervisor_process(machine.settings.run_dir)
    return {
        "url": machine.settings.url,
        "proxy": "running" if machine.router.running() else "stopped",
        "route": route.name if route else None,
        "production": route.production if route else None,
        "canary_weight": route.weight if route and route.canary else None,
        "slots": {slot: _slot(machine, slot) for slot in SLOTS},
        "rollback_to": state.previous_version,
        "rollback_slot": state.previous,
        "rejected": state.rejected,
        "ramp": list(state.ramp),
        "interrupted": explain(state) if state.operation and not at_work else None,
        "at_work": f"{at_work}, phase {state.operation.phase}" if at_work and state.operation else None,
        "locked_by": str(at_work) if at_work else None,
        "state_file": "ok" if machine.state_file.load() else "lost or damaged: shown is what runs",
        "supervisor": supervisor.pid if supervisor else None,
    }


def _slot(machine: Machine, slot: Slot) -> dict[str, Any]:
    seen = machine.runtime.observe(slot)
    route = machine.router.get()
    found: dict[str, Any] = {
        "role": _role(machine, slot),
        "running": seen.running,
        "version": seen.version,
        "pid": seen.pid,
        "workers": seen.workers,
        "restarts": seen.restarts,
        "health": None,
        "models": None,
        "models_note": None,
    }
    if not seen.running:
        if route and route.production == slot:
            found["health"] = "dead"
        return found
    url, *others = machine.runtime.base_urls(slot)
    health = machine.probe.health(url)
    info = machine.probe.model_info(url) or {}
    ready = all(machine.probe.ready(replica) for replica in (url, *others))
    found["health"] = (health or {}).get("status", "no answer") if ready else "not ready"
    found["models"] = (health or {}).get("model_timestamp") or str(info.get("sha256"))[:12]
    found["models_sha256"] = info.get("sha256")
    release = machine.releases.get(seen.version) if seen.version else None
    if release and health and machine.hot_reloaded(slot, release):
        found["models_note"] = f"hot-reloaded; the release's own is {release.models_version}"
    return found


def _role(machine: Machine, slot: Slot) -> str:
    route = machine.router.get()
    state = machine.state()
    if route and route.production == slot:
        return "production"
    if route and slot == "canary" and route.canary:
        return f"canary {route.weight}%"
    if state.previous == slot:
        return "rollback target"
    return "idle"


def status_table(data: Mapping[str, Any]) -> Table:
    """For people."""
    table = Table(title=f"{data['url']}  proxy {data['proxy']}  route {data['route']}", title_justify="left")
    for name in ("slot", "role", "version", "health", "models", "workers", "pid", "restarts"):
        table.add_column(name)
    for slot, seen in data["slots"].items():
        models = str(seen["models"] or "")
        if seen["models_note"]:
            models += f" ({seen['models_note']})"
        health = seen["health"] or ("running" if seen["running"] else "stopped")
        table.add_row(
            slot,
            seen["role"],
            seen["version"] or "",
            health,
            models,
            str(seen["workers"] or ""),
            str(seen["pid"] or ""),
            str(seen["restarts"] or ""),
        )
    return table


def history_table(entries: Sequence[Mapping[str, Any]]) -> Table:
    """The audit log, for people."""
    table = Table()
    for name in ("at (UTC)", "who", "command", "from", "to", "outcome", "seconds", "notes"):
        table.add_column(name)
    for entry in entries:
        notes = str(entry.get("error") or entry.get("interrupted") or entry.get("slot") or "")
        if entry.get("verdict"):
            notes = f"verdict {entry['verdict']}. {'; '.join(entry.get('rows', []))}"
        at = datetime.fromisoformat(str(entry["at"])).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(
            at,
            str(entry.get("who", "")),
            str(entry.get("command", "")),
            str(entry.get("from") or ""),
            str(entry.get("to") or entry.get("version") or ""),
            str(entry.get("outcome", "")),
            str(entry.get("seconds", "")),
            notes,
        )
    return table
