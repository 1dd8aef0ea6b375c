"""`plan`: the phases that a command would go through, and where. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.errors import UsageError
from deploy.flow.phases import CANARY, DEPLOY, PROMOTE, ROLLBACK, WITHDRAW, Phase
from deploy.flow.stack import Machine

__all__ = ["COMMANDS", "plan"]

COMMANDS = ("deploy", "canary", "promote", "rollback")


def plan(machine: Machine, command: str, version: str | None) -> Sequence[str]:
    """Lines that say what would happen.

    Raises:
        UsageError: the command has no phases, or could not be carried out now.
    """
    phases, about = _choose(machine, command, version)
    width = max(len(phase.name) for phase in phases)
    return [about, *(f"  {number}. {phase.name:<{width}}  {phase.title}" for number, phase in enumerate(phases, 1))]


def _choose(machine: Machine, command: str, version: str | None) -> tuple[Sequence[Phase], str]:
    route = machine.router.get()
    canary = machine.runtime.observe("canary")
    state = machine.state()
    live = machine.runtime.observe(route.production).version if route else None
    now = f"now {live} in {route.production}" if route else "nothing is in production"
    if command == "deploy":
        known = "reused" if version and machine.releases.get(version) else "to be built"
        return DEPLOY, f"deploy {version} ({known}) into {machine.idle_colour()}; {now}"
    if command == "canary":
        return CANARY, f"canary {version} beside {machine.production()}; {now}"
    if command == "promote":
        if not canary.running:
            raise UsageError("no canary runs: there is nothing to promote")
        return PROMOTE, f"promote {canary.version} into {machine.idle_colour()}; {now}"
    if command == "rollback":
        if canary.running or (route and route.canary):
            return WITHDRAW, f"end canary {canary.version}; {now}, which stays"
        if state.previous_version is None:
            raise UsageError(f"there is no release to go back to; {now}")
        if state.previous and machine.gates.fit(state.previous, state.previous_version) is None:
            return ROLLBACK, f"switch back to {state.previous_version}, warm in {state.previous}; {now}"
        return DEPLOY, f"start {state.previous_version} anew in {machine.idle_colour()} and switch; {now}"
    raise UsageError(f"{command!r} has no plan: use one of {', '.join(COMMANDS)}")
