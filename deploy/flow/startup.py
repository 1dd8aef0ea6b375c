"""`up`: bring back what was in production, with the models that it had; or deploy a first release."""

from __future__ import annotations

import os
from pathlib import Path

from deploy.flow.operations import Operations
from deploy.flow.stack import Machine
from deploy.slot import Slot

__all__ = ["bring_up"]

FIRST_VERSION = "1.0.0"


def bring_up(
    machine: Machine, operations: Operations, *, version: str | None, models: Path | None, workers: int | None
) -> None:
    """Leave production running behind the proxy."""
    operations.recover()
    route = machine.router.get()
    if route is None:
        first = version or os.environ.get("APP_VERSION") or FIRST_VERSION
        operations.deploy(first, models, workers)
        return
    slots: tuple[Slot, ...] = route.targets()
    for slot in slots:
        if not machine.runtime.observe(slot).running:
            _revive(machine, slot)
    machine.router.reconcile(machine.runtime.addresses())
    live = machine.runtime.observe(route.production)
    machine.progress.say(f"{route.production} serves {live.version}")
    if version and version != live.version:
        operations.deploy(version, models, workers)


def _revive(machine: Machine, slot: Slot) -> None:
    machine.runtime.revive(slot, kept=True)
    version = machine.runtime.observe(slot).version
    release = machine.releases.get(version) if version else None
    if release:
        detail = machine.gates.serves(slot, release, machine.settings.ready_timeout_s, own_models=False)
        machine.progress.say(f"{slot} was started with {version}, {detail}")
