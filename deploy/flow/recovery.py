"""What is done beside operations: `up`, `stop`, and what an interrupted command left, at whatever phase.

What is seen decides; the journal says where to look.
"""

from __future__ import annotations

import os
from pathlib import Path

from deploy.flow import lineage
from deploy.flow.job import Job
from deploy.flow.operations import deploy
from deploy.flow.phases import SWITCHED, withdraw
from deploy.flow.run import audited, run
from deploy.flow.stack import Stack
from deploy.journal.journal import Operation
from deploy.slot import SLOTS, Colour, Slot, colour_named, other_colour

__all__ = ["bring_up", "explain", "recover", "stop_all"]

FIRST_VERSION = "1.0.0"


def explain(operation: Operation | None) -> str | None:
    """The interrupted command in words; None when there is none."""
    if operation is None:
        return None
    return f"`{operation.command}` of {operation.version} into {operation.slot} was interrupted at {operation.phase}"


def recover(stack: Stack) -> None:
    """Finish what had switched already; undo what had not. Production is never touched."""
    operation = stack.journal.operation()
    if operation is not None:
        stack.progress.say(f"{explain(operation)}: {_settle(stack, operation)}")
        stack.journal.end()
        stack.journal.write("recover", "done", interrupted=explain(operation))
    lineage.reconcile(stack)


def _settle(stack: Stack, operation: Operation) -> str:
    slot = operation.slot
    if slot == "canary":
        return _settle_canary(stack, operation)
    route = stack.router.get()
    if route and route.production == slot:
        return _settle_switched(stack, operation, colour_named(slot))
    if operation.command in ("stop", "rollback") or operation.phase in ("begin", "judge", "build"):
        return f"{slot} is as it was"  # not claimed yet
    stack.runtime.stop(slot, grace_s=5)
    return f"{slot} never got traffic and was stopped"


def _settle_canary(stack: Stack, operation: Operation) -> str:
    route = stack.router.get()
    if route and route.canary and operation.command == "canary" and stack.runtime.observe("canary").running:
        stack.runtime.keep("canary", kept=True)
        return f"the canary goes on at {route.weight}%"
    withdraw(stack, "canary")
    stack.ramp = None
    stack.runtime.stop("canary", grace_s=5)
    return "the canary was stopped"


def _settle_switched(stack: Stack, operation: Operation, production: Colour) -> str:
    workers = stack.runtime.observe(production).workers
    job = Job(operation.command, operation.version, production, workers, reject=operation.reject)
    job.previous = other_colour(production)
    for phase in SWITCHED:
        phase.run(stack, job)
    return f"{production} had become production and stays it"


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
    stack.router.reconcile()
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
