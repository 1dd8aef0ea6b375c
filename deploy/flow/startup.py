"""`up`: bring back what was in production, with the models that it had; or deploy a first release. And `stop`."""

from __future__ import annotations

import os
from pathlib import Path

from deploy.flow.operations import deploy
from deploy.flow.recovery import recover
from deploy.flow.run import audited, run
from deploy.flow.stack import Stack
from deploy.slot import SLOTS, Slot

__all__ = ["bring_up", "stop_all"]

FIRST_VERSION = "1.0.0"


def bring_up(stack: Stack, *, version: str | None, models: Path | None, workers: int | None) -> None:
    """Leave production running behind the proxy."""
    recover(stack)
    route = stack.router.get()
    if route is None:
        first = version or os.environ.get("APP_VERSION") or FIRST_VERSION
        run(stack, deploy(stack, first, models=models, workers=workers))
        return
    slots: tuple[Slot, ...] = route.targets()
    for slot in slots:
        if not stack.runtime.observe(slot).running:
            _revive(stack, slot)
    stack.router.reconcile(stack.runtime.addresses())
    live = stack.live_version()
    stack.progress.say(f"{route.production} serves {live}")
    if version and version != live:
        run(stack, deploy(stack, version, models=models, workers=workers))


def stop_all(stack: Stack) -> None:
    """The proxy first, so that no client meets a slot that is leaving.

    Raises:
        RouterError: something that is not ours still answers; all else was stopped.
    """
    with audited(stack, "stop", "") as facts:
        facts["slot"] = "all"
        try:
            stack.router.stop(grace_s=stack.settings.stop_grace_s)
        finally:
            for slot in reversed(SLOTS):
                stack.runtime.stop(slot, grace_s=stack.settings.stop_grace_s)


def _revive(stack: Stack, slot: Slot) -> None:
    stack.runtime.revive(slot)
    version = stack.runtime.observe(slot).version
    release = stack.releases.get(version) if version else None
    if release:
        detail = stack.gates.serves(slot, release, stack.settings.ready_timeout_s, own_models=False)
        stack.progress.say(f"{slot} was started with {version}, {detail}")
