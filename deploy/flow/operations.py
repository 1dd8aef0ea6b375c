"""The commands: each makes a job and picks its table of phases. Nothing is changed here; `run` does, `plan` prints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deploy.canary.ramp import Ramp
from deploy.errors import UsageError
from deploy.flow import lineage
from deploy.flow.job import Job, Operation
from deploy.flow.models import check_not_older
from deploy.flow.phases import CANARY, DEPLOY, PROMOTE, ROLLBACK, SHARE, STOP
from deploy.flow.stack import Stack
from deploy.slot import Slot

__all__ = ["abort", "canary", "deploy", "promote", "rollback", "scale", "stop"]


def deploy(
    stack: Stack,
    version: str,
    *,
    models: Path | None = None,
    workers: int | None = None,
    as_built: bool = False,
    older_models: bool = False,
) -> Operation:
    """Build or reuse the release, and make it production.

    Raises:
        UsageError: neither can be done.
    """
    job = Job("deploy", version, stack.idle_colour(), workers or stack.settings.workers, models=models)
    _look_for(stack, job, as_built=as_built, older_models=older_models)
    known = "reused" if job.release else "to be built"
    return Operation(job, DEPLOY, f"deploy {version} ({known}) into {job.slot}; {_now(stack)}")


def canary(
    stack: Stack,
    version: str | None,
    *,
    models: Path | None = None,
    weight: int = 10,
    ramp: Ramp | None = None,
    as_built: bool = False,
    older_models: bool = False,
) -> Operation:
    """Start a canary with `weight` percent, or change the share of the one that runs; with a ramp, by its steps.

    Raises:
        UsageError: nothing is in production, or no canary runs and no version is named, or it can't be built.
    """
    share = stack.route().weight
    running = stack.runtime.observe("canary")
    runs = running.running and running.version and version in (None, running.version) and models is None
    shown = running.version if runs else version
    if shown is None:
        raise UsageError("no canary runs: name its --version")
    if ramp:
        ramp = replace(ramp, version=shown).at_least(share if runs else 0)
        weight = ramp.weight
    job = Job("canary", shown, "canary", stack.settings.workers, models=models, weight=weight, ramp=ramp)
    if runs:
        return Operation(job, SHARE, f"canary {shown} from {share}% to {weight}%; {_now(stack)}")
    _look_for(stack, job, as_built=as_built, older_models=older_models)
    return Operation(job, CANARY, f"canary {shown} with {weight}%; {_now(stack)}")


def promote(stack: Stack, *, force: bool = False) -> Operation:
    """Make the canary's release production, with the model set that the canary serves now.

    Raises:
        UsageError: no canary runs.
    """
    seen = stack.runtime.observe("canary")
    if not seen.running or seen.version is None:
        raise UsageError("no canary runs: there is nothing to promote")
    workers = stack.runtime.observe(stack.route().production).workers or stack.settings.workers
    job = Job("promote", seen.version, stack.idle_colour(), workers, models_from="canary", forced=force)
    return Operation(job, PROMOTE, f"promote {seen.version} into {job.slot}; {_now(stack)}")


def rollback(stack: Stack, version: str | None = None) -> Operation:
    """Go back to the release before the live one, or to any that is kept. A canary is left as it is.

    Raises:
        UsageError: there is no such release.
    """
    goal = lineage.target(stack, version)
    live = stack.journal.live()
    reject = live.id if live and live.version == stack.live_version() else None
    warm = lineage.warm_slot(stack, goal)
    if warm:
        job = Job("rollback", goal, warm, stack.runtime.observe(warm).workers, reject=reject)
        return Operation(job, ROLLBACK, f"switch back to {goal}, warm in {warm}; {_now(stack)}")
    job = Job("rollback", goal, stack.idle_colour(), stack.settings.workers, reject=reject)
    return Operation(job, DEPLOY, f"start {goal} anew in {job.slot} and switch back; {_now(stack)}")


def abort(stack: Stack) -> Operation:
    """End the canary; production is not touched.

    Raises:
        UsageError: there is none.
    """
    seen = stack.runtime.observe("canary")
    route = stack.router.get()
    if not seen.running and not (route and route.canary):
        raise UsageError("no canary runs: there is nothing to abort (`rollback` is what moves production)")
    job = Job("abort", seen.version or "?", "canary", 1)
    return Operation(job, STOP, f"end canary {job.version}; {_now(stack)}, which stays")


def stop(stack: Stack, slot: Slot, *, force: bool = False) -> Operation:
    """Stop one slot; the one in production only by force.

    Raises:
        UsageError: it is production.
    """
    route = stack.router.get()
    if route and route.production == slot and not force and stack.router.running():
        raise UsageError(f"{slot} is production: stopping it stops the service; `stop` without a slot stops all")
    job = Job("stop", stack.runtime.observe(slot).version or "?", slot, 1)
    return Operation(job, STOP, f"stop {slot}; {_now(stack)}")


def scale(stack: Stack, slot: Slot, workers: int) -> Operation:
    """Give production another number of workers: it is started anew in the other slot, then switched.

    Raises:
        UsageError: the slot does not run, or is not production.
    """
    seen = stack.runtime.observe(slot)
    if not seen.running or seen.version is None:
        raise UsageError(f"{slot} does not run: there is nothing to scale")
    production = stack.route().production
    if slot != production:
        raise UsageError(f"{slot} has no production traffic: scale {production}")
    job = Job("scale", seen.version, stack.idle_colour(), workers, models_from=slot)
    return Operation(job, DEPLOY, f"scale {seen.version} to {workers} by way of {job.slot}; {_now(stack)}")


def _look_for(stack: Stack, job: Job, *, as_built: bool, older_models: bool) -> None:
    """Find the release, or see that it can be built."""
    bets = stack.settings.validate_bets
    if bets and not bets.is_file():
        raise UsageError(f"DEPLOY_VALIDATE_BETS={bets} is no file: name one with settled bets, or leave it out")
    job.older_models = older_models
    job.release = stack.releases.find(job.version, job.models, as_built=as_built)
    if job.release and not older_models:
        check_not_older(stack, job.release)


def _now(stack: Stack) -> str:
    route = stack.router.get()
    return f"now {stack.live_version()} in {route.production}" if route else "nothing is in production"
