"""One look at what goes on without a command: the ramp of a canary, and the time after a promotion."""

from __future__ import annotations

from dataclasses import replace

from deploy.canary.judge import Verdict
from deploy.canary.ramp import Ramp
from deploy.errors import DeployError, UsageError
from deploy.flow import operations
from deploy.flow.phases import set_weight
from deploy.flow.run import run
from deploy.flow.stack import Stack

__all__ = ["look_at_promotion", "look_at_ramp", "pause", "resume"]


def look_at_ramp(stack: Stack, seconds: float) -> str | None:
    """Judge the canary, and do what follows. Must be called under the lock, with nothing interrupted.

    Args:
        stack: the parts.
        seconds: since the last look, as far as somebody looked on.

    Returns:
        What was decided, in words; None where there is no ramp.
    """
    ramp = stack.ramp
    if ramp is None:
        return None
    route = stack.router.get()
    if stack.runtime.observe("canary").version != ramp.version or route is None or not route.canary:
        stack.ramp = None
        return f"the canary {ramp.version} is gone, and its ramp with it"
    ramp = ramp.held(seconds)
    verdict = stack.window.verdict()
    decision = ramp.decide(verdict.outcome)
    if decision == "hold":
        stack.ramp = ramp
        return ramp.words()
    stack.progress.verdict(verdict, ramp.weight)
    _note(stack, "judge", verdict.outcome, ramp, verdict, rows=verdict.words())
    match decision:
        case "abort":
            run(stack, operations.abort(stack))
            said = f"canary {ramp.version} was worse at {ramp.weight}% and was ended"
            return _ended(stack, "failed", ramp, said, verdict)
        case "pause":
            ramp = ramp.stopped("paused", "too little was seen")
        case "wait":
            ramp = ramp.stopped("waiting", "`resume` goes on")
        case _:
            return _onwards(stack, ramp, verdict)
    return _stopped(stack, ramp, verdict)


def pause(stack: Stack) -> str:
    """Hold the ramp where it is; the judge may still end the canary.

    Raises:
        UsageError: there is none.
    """
    ramp = _there(stack).stopped("paused", "by hand")
    stack.ramp = ramp
    return ramp.words()


def resume(stack: Stack) -> str:
    """Go on: from a gate to the next step at once, from a pause with the step as far as it had got.

    Raises:
        UsageError: there is none, or it is not held.
    """
    ramp = _there(stack)
    if ramp.state == "running":
        raise UsageError(f"the ramp is not held: {ramp.words()}")
    if ramp.state == "waiting":
        return _onwards(stack, ramp, stack.window.verdict())
    stack.ramp = ramp = ramp.resumed()
    return ramp.words()


def look_at_promotion(stack: Stack, seconds: float) -> str | None:
    """Compare what was promoted with what was before it; go back when it is worse. As `look_at_ramp`."""
    watch = stack.window.watched()
    if watch is None:
        return None
    watch = replace(watch, held_s=watch.held_s + seconds)
    verdict = stack.window.across(watch)
    failed = verdict.outcome == "fail"
    if not failed and watch.held_s < stack.settings.watch:
        stack.window.keep(watch)
        return None
    stack.window.keep(None)
    stack.journal.write("watch", "fail" if failed else "done", version=watch.version, rows=verdict.words())
    if not failed:
        return f"{watch.version} was watched for {watch.held_s:.0f} s and stays"
    stack.progress.verdict(verdict, 100)
    stack.tell(f"{watch.version} is worse than what was before it: going back")
    run(stack, operations.rollback(stack))
    return f"{watch.version} was worse than what was before it: production went back"


def _onwards(stack: Stack, ramp: Ramp, verdict: Verdict) -> str:
    if ramp.onwards() == "advance":
        ramp = ramp.advanced()
        said = set_weight(stack, ramp.weight)
        stack.ramp = ramp
        _note(stack, "ramp", "advanced", ramp, verdict)
        return said
    if verdict.outcome != "pass":
        return _stopped(stack, ramp.stopped("paused", "the judge can't decide"), verdict)
    try:
        run(stack, operations.promote(stack))
    except DeployError as error:  # the canary stays, and production too
        return _stopped(stack, ramp.stopped("paused", f"the promotion failed: {error}"), verdict)
    return _ended(stack, "promoted", ramp, f"{ramp.version} is production", verdict)


def _stopped(stack: Stack, ramp: Ramp, verdict: Verdict) -> str:
    stack.ramp = ramp
    _note(stack, "ramp", ramp.state, ramp, verdict, error=ramp.why)
    stack.tell(f"ramp of {ramp.words()}")
    return ramp.words()


def _ended(stack: Stack, outcome: str, ramp: Ramp, said: str, verdict: Verdict) -> str:
    stack.ramp = None
    _note(stack, "ramp", outcome, ramp, verdict)
    stack.tell(said)
    return said


def _note(stack: Stack, command: str, outcome: str, ramp: Ramp, verdict: Verdict, **facts: object) -> None:
    stack.journal.write(command, outcome, version=ramp.version, weight=ramp.weight, verdict=verdict.outcome, **facts)


def _there(stack: Stack) -> Ramp:
    ramp = stack.ramp
    if ramp is None:
        raise UsageError("no ramp is under way: `canary --steps 10,25,50 --auto` begins one")
    return ramp
