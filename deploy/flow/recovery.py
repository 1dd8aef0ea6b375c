"""After a command was interrupted, at whatever phase: what is seen decides; the journal says where to look."""

from __future__ import annotations

from dataclasses import replace

from deploy.flow.phases import Job
from deploy.flow.stack import Machine
from deploy.journal.state import Operation, State
from deploy.slot import Slot

__all__ = ["explain", "recover", "unresize"]


def explain(state: State) -> str | None:
    """The interrupted command in words; None when there is none."""
    operation = state.operation
    if operation is None:
        return None
    return f"`{operation.command}` of {operation.version} into {operation.slot} was interrupted at {operation.phase}"


def recover(machine: Machine) -> None:
    """Finish what had switched already; undo what had not. Production is never touched."""
    if machine.state_file.load() is None:
        rebuilt = machine.rebuilt()
        if machine.state_file.exists():
            machine.progress.say("the state file was damaged: rebuilt from what runs")
        machine.state_file.save(rebuilt)
    state = machine.state()
    operation = state.operation
    if operation is None:
        return
    machine.progress.say(f"{explain(state)}: {_settle(machine, state)}")
    machine.state_file.save(replace(machine.state(), operation=None))
    machine.audit.write("recover", "done", interrupted=explain(state))


def unresize(machine: Machine, slot: Slot, replicas: int) -> str:
    """Give the slot as many replicas as it had, and the proxy their addresses."""
    machine.resizable().resize(slot, replicas)
    machine.router.reconcile(machine.runtime.addresses())
    machine.trim(slot, grace_s=5)
    return f"{slot} has {replicas} replica{'s' if replicas > 1 else ''} as before, and what was added is ended"


def _settle(machine: Machine, state: State) -> str:
    operation = state.operation
    route = machine.router.get()
    if operation is None:
        return "nothing to do"
    if operation.workers_before:
        return _settle_resized(machine, operation)
    if operation.slot == "canary":
        return _settle_canary(machine)
    if route and route.production == operation.slot:
        return _settle_switched(machine, state)
    if operation.slot == state.previous:  # it was not claimed yet
        return f"{operation.slot} is still warm for a rollback"
    machine.runtime.stop(operation.slot, grace_s=5)
    return f"{operation.slot} never got traffic and was stopped"


def _settle_resized(machine: Machine, operation: Operation) -> str:
    slot = operation.slot
    if operation.phase != "trim":
        return unresize(machine, slot, operation.workers_before)
    machine.trim(slot, grace_s=machine.settings.stop_grace_s)
    return f"{slot} has its new number of replicas, and what was left over is ended"


def _settle_canary(machine: Machine) -> str:
    route = machine.router.get()
    if route and route.canary and machine.runtime.observe("canary").running:
        machine.runtime.keep("canary", kept=True)
        return f"the canary goes on at {route.weight}%"
    if route and route.canary:
        machine.router.set(route.moved(spare=route.spare))
    machine.runtime.stop("canary", grace_s=5)
    return "the canary was stopped"


def _settle_switched(machine: Machine, state: State) -> str:
    operation = state.operation
    route = machine.router.get()
    if operation is None or route is None:
        return "nothing to do"
    machine.runtime.keep(route.production, kept=True)
    other = "green" if route.production == "blue" else "blue"
    seen = machine.runtime.observe("green" if other == "green" else "blue")
    if operation.command == "rollback":
        machine.reject(seen.version)
    elif seen.running:
        job = Job(operation.command, operation.version, route.production, 1)
        job.previous, job.previous_version = ("green" if other == "green" else "blue"), seen.version
        machine.remember_previous(job)
    if operation.command == "promote":
        machine.runtime.stop("canary", grace_s=machine.settings.stop_grace_s)
    return f"{route.production} had become production and stays it"
