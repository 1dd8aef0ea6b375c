"""Runs an operation: each phase on record before it is done, the outcome in the audit log, word of it sent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from deploy.errors import DeployError, GateFailed, RouterError
from deploy.flow.job import Job, Operation
from deploy.flow.stack import Stack
from deploy.journal import journal

__all__ = ["audited", "run"]


def run(stack: Stack, operation: Operation) -> None:
    """Carry it out, under the lock.

    Raises:
        DeployError: a phase failed; what it had started is ended, production is as it was.
    """
    job = operation.job
    with audited(stack, job.command, job.version, job):
        begun = journal.Operation(job.command, job.version, job.slot, "begin", job.reject)
        stack.journal.begin(begun)
        for phase in operation.phases:
            stack.journal.begin(replace(begun, phase=phase.name))
            stack.progress.begin(phase.name, phase.title)
            start = stack.clock.monotonic()
            try:
                detail = phase.run(stack, job)
            except DeployError:
                _abandon(stack, job)
                stack.journal.end()
                raise
            job.seconds[phase.name] = round(stack.clock.monotonic() - start, 3)
            stack.progress.done(phase.name, detail, job.seconds[phase.name])
        stack.journal.end()


@contextlib.contextmanager
def audited(stack: Stack, command: str, version: str, job: Job | None = None) -> Iterator[dict[str, Any]]:
    """Note in the audit log how it ended, and send word; what the block puts into the dict is noted too."""
    before = stack.live_version()
    begin = stack.clock.monotonic()
    outcome = "interrupted"
    facts: dict[str, Any] = {}
    try:
        yield facts
        outcome = "done"
    except GateFailed as error:
        outcome, facts["error"] = "refused", str(error)
        raise
    except DeployError as error:
        outcome, facts["error"] = "failed", str(error)
        raise
    finally:
        seconds = round(stack.clock.monotonic() - begin, 3)
        told = {"from": before, "to": version, "seconds": seconds, **(job.facts() if job else {}), **facts}
        stack.journal.write(command, outcome, **told)
        why = f": {facts['error']}" if "error" in facts else ""
        stack.tell(f"{command} {version} {outcome} (was {before}){why}")


def _abandon(stack: Stack, job: Job) -> None:
    """Stop the candidate, unless it is what production turned out to be."""
    if "claim" not in job.seconds:  # nothing was touched yet
        return
    with contextlib.suppress(RouterError):
        route = stack.router.get()
        if route and (route.production == job.slot or (job.slot == "canary" and route.canary)):
            stack.progress.say(f"{job.slot} has traffic already and is left running")
            return
    stack.runtime.stop(job.slot, grace_s=5)
    stack.progress.say(f"{job.slot} was stopped; production is untouched")
