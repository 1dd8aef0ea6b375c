"""File-based discovery for Prometheus: only the slots that run, so that a stopped slot is not down."""

from __future__ import annotations

from deploy.flow.stack import Machine
from deploy.slot import SLOTS

__all__ = ["write_targets"]

_FILE = "targets/pikkit.json"


def write_targets(machine: Machine) -> None:
    """Write `targets/pikkit.json` if it changed: replicas of running slots with `deployment` and `version`."""
    addresses = machine.runtime.addresses()
    groups = []
    for slot in SLOTS:
        seen = machine.runtime.observe(slot)
        if seen.running:
            labels = {"deployment": slot, "version": seen.version or "unknown"}
            groups.append({"targets": list(addresses.get(slot, ())), "labels": labels})
    if machine.disk.read_json(_FILE) != groups:
        machine.disk.write_json(_FILE, groups)
