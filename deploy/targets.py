"""File-based discovery for Prometheus: only the slots that run, so that a stopped slot is not down."""

from __future__ import annotations

from pathlib import Path

from deploy.files import read_json, write_json
from deploy.machine import Machine
from deploy.route import SLOTS

__all__ = ["write_targets"]


def write_targets(machine: Machine) -> Path:
    """Write `targets/pikkit.json` if it changed: replicas of running slots with `deployment` and `version`."""
    addresses = machine.runtime.addresses()
    groups = []
    for slot in SLOTS:
        seen = machine.runtime.observe(slot)
        if seen.running:
            labels = {"deployment": slot, "version": seen.version or "unknown"}
            groups.append({"targets": list(addresses.get(slot, ())), "labels": labels})
    path = machine.settings.run_dir / "targets" / "pikkit.json"
    if read_json(path) != groups:
        write_json(path, groups)
    return path
