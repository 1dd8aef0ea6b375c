"""The procedures as tables of phases. A phase is on record before it is done; `plan` prints the same tables."""

from __future__ import annotations

import secrets

from deploy.canary.judge import Verdict
from deploy.errors import CanaryFailed, DeployError, Inconclusive, RouterError
from deploy.flow import lineage
from deploy.flow.job import Job, Phase
from deploy.flow.models import check_not_older, validated
from deploy.flow.stack import Stack
from deploy.proxy.route import Route
from deploy.slot import Slot, colour_named

__all__ = [
    "CANARY",
    "DEPLOY",
    "PROMOTE",
    "ROLLBACK",
    "SHARE",
    "STOP",
    "SWITCHED",
    "set_weight",
    "withdraw",
]


def _build(stack: Stack, job: Job) -> str:
    new = job.command in ("deploy", "canary")  # else it is one that ran before, of whatever code
    found = job.release if new else stack.releases.get(job.version)
    job.release = found or stack.releases.build(job.version, job.models)
    if new and not found and not job.older_models:
        check_not_older(stack, job.release)
    words = f"{'reused' if found else 'built'}{validated(stack, job.release) if new else ''}"
    return f"{job.release.tag} {words}, code {job.release.tree[:12]}, models {job.release.models_version}"


def _claim(stack: Stack, job: Job) -> str:
    drained = f"{_drained(stack, job.slot)}, " if withdraw(stack, job.slot) else ""
    if stack.runtime.observe(job.slot).running:
        stack.runtime.stop(job.slot, grace_s=stack.settings.stop_grace_s)
        return f"{drained}{job.slot} freed"
    stack.runtime.stop(job.slot, grace_s=0)  # what an interrupted command may have left
    return f"{job.slot} is free"


def _start(stack: Stack, job: Job) -> str:
    stack.runtime.start(job.slot, job.built(), workers=job.workers, models_from=job.models_from)
    return f"{job.built().tag} in {job.slot} with {job.workers} worker{'s' if job.workers > 1 else ''}"


def _wait(stack: Stack, job: Job) -> str:
    own = job.models_from is None
    return stack.gates.serves(job.slot, job.built(), stack.settings.ready_timeout_s, own_models=own)


def _smoke(stack: Stack, job: Job) -> str:
    release = job.built()
    if job.models_from and stack.gates.hot_reloaded(job.slot, release):
        return stack.gates.answers(job.slot)  # a hot-reloaded set was carried over: the golden bets are not its
    return stack.gates.predicts(job.slot, release)


def _warm(stack: Stack, job: Job) -> str:
    return stack.gates.warm(job.slot, stack.settings.warmup_requests)


def _judge(stack: Stack, job: Job) -> str:
    verdict: Verdict = stack.window.verdict()
    job.verdict = verdict
    route = stack.router.get()
    stack.progress.verdict(verdict, route.weight if route else 0)
    if verdict.outcome == "fail" and not job.forced:
        raise CanaryFailed("the canary is worse than production: `abort` ends it, `promote --force` ignores it")
    if verdict.outcome == "inconclusive" and not job.forced:
        raise Inconclusive("too little was seen of the canary: wait for traffic, or `promote --force`")
    return f"{verdict.outcome}{', by force' if job.forced and verdict.outcome != 'pass' else ''}"


def _switch(stack: Stack, job: Job) -> str:
    colour = colour_named(job.slot)
    before = stack.router.get()
    begin = stack.clock.monotonic()
    stack.router.reconcile()
    if before is None:
        route = Route(generation=1, production=colour)
    else:
        job.previous = before.production if before.production != colour else None
        spare = job.previous if job.previous and stack.runtime.observe(job.previous).running else None
        if job.command == "rollback":
            spare = None  # never stand in with the release that was just found bad
        route = (before.closed() if job.command == "promote" else before).moved(production=colour, spare=spare)
    if job.command == "promote":
        stack.window.watch(job.version, colour)
    else:
        stack.window.keep(None)  # of a release that is left: it would be judged by that watch when it comes back
    stack.router.set(route)
    live = stack.router.get()
    if live != route:
        raise RouterError(f"the proxy tells route {live and live.name}, not {route.name}: see its error log")
    return f"{colour} is production, read back after {(stack.clock.monotonic() - begin) * 1000:.0f} ms"


def _record(stack: Stack, job: Job) -> str:
    released = lineage.planned(stack, job.version, job.slot, job.workers, back=job.command == "rollback")
    stack.journal.record(released, reject=job.reject)
    stack.runtime.keep(job.slot, kept=True)
    if job.previous:
        stack.runtime.keep(job.previous, kept=job.command != "rollback")
    stack.window.open()  # a canary that runs is compared with this release from now on
    back = stack.journal.previous()
    return f"`rollback` goes to {back.version}" if back else "no release before this one"


def _drain(stack: Stack, job: Job) -> str:
    slots: list[Slot] = [job.previous] if job.previous else []
    if job.command == "promote":
        slots.append("canary")
    return "; ".join(_drained(stack, slot) for slot in slots) or "nothing to drain"


def _drained(stack: Stack, slot: Slot) -> str:
    return stack.gates.drained(slot, stack.settings.drain_timeout_s)


def _retire(stack: Stack, job: Job) -> str:
    if job.command == "promote":
        stack.runtime.stop("canary", grace_s=stack.settings.stop_grace_s)
        stack.ramp = None
    stack.router.finalize()
    pruned = lineage.prune(stack)
    warm = stack.runtime.observe(job.previous) if job.previous else None
    stays = f"{job.previous} stays warm with {warm.version}" if warm and warm.running else "nothing stays warm"
    if job.command == "rollback" and warm:
        stays = f"{warm.version} is rejected; {job.previous} is left as it is for a look at it"
    return f"{stays}{'; pruned ' + ', '.join(pruned) if pruned else ''}"


def _keep(stack: Stack, job: Job) -> str:
    stack.runtime.keep(job.slot, kept=True)
    return "the canary is started again when it dies"


def _share(stack: Stack, job: Job) -> str:
    return set_weight(stack, job.weight, new_salt=job.release is not None)


def _ramp(stack: Stack, job: Job) -> str:
    stack.ramp = job.ramp
    return job.ramp.words() if job.ramp else "no ramp: the share stays until it is changed"


def _check(stack: Stack, job: Job) -> str:
    fault = stack.gates.fit(job.slot, job.version)
    if fault:
        raise DeployError(f"{fault}: can't go back to it at once")
    return f"{job.slot} is warm with {job.version}"


def _withdraw(stack: Stack, job: Job) -> str:
    if job.slot == "canary":
        stack.ramp = None
    return f"{job.slot} gets nothing any more" if withdraw(stack, job.slot) else f"{job.slot} had no share"


def _quiet(stack: Stack, job: Job) -> str:
    route = stack.router.get()
    return "it is production: not waited for" if route and route.production == job.slot else _drained(stack, job.slot)


def _stop(stack: Stack, job: Job) -> str:
    stack.runtime.stop(job.slot, grace_s=stack.settings.stop_grace_s)
    stack.router.finalize()
    return f"{job.slot} stopped"


def withdraw(stack: Stack, slot: Slot) -> bool:
    """Have the slot get nothing, neither as canary nor as stand-in; whether it could have got something."""
    route = stack.router.get()
    if route and slot == "canary" and route.canary:
        stack.router.set(route.closed())
    elif route and route.spare == slot:
        stack.router.set(route.moved(spare=None))
    else:
        return False
    return True


def set_weight(stack: Stack, weight: int, *, new_salt: bool = False) -> str:
    """Give the canary `weight` percent; the judge counts from here on."""
    route = stack.route()
    salt = secrets.token_hex(3) if new_salt else route.salt
    stack.router.reconcile()
    stack.router.set(route.moved(weight=weight, canary=True, salt=salt))
    stack.window.open()
    return f"canary gets {weight}%"


_GATES = (
    Phase("wait", "wait until it serves this version and model set", _wait),
    Phase("smoke", "predict the golden bets", _smoke),
    Phase("warm", "warm it up", _warm),
)
_CANDIDATE = (
    Phase("build", "find the release, or build it", _build),
    Phase("claim", "free the slot", _claim),
    Phase("start", "start the release in it", _start),
    *_GATES,
)
SWITCHED = (
    Phase("record", "note what is live and what is before it", _record),
    Phase("drain", "wait for requests in flight in the old slot", _drain),
    Phase("retire", "keep the old slot warm, prune releases", _retire),
)
_LIVE = (Phase("switch", "make it production, and read that back", _switch), *SWITCHED)
DEPLOY = (*_CANDIDATE, *_LIVE)
PROMOTE = (Phase("judge", "compare the canary with production", _judge), *DEPLOY)
ROLLBACK = (Phase("check", "see that the old slot is fit", _check), *_LIVE)
_RAMP = Phase("ramp", "leave the ramp to the supervisor", _ramp)
CANARY = (
    *_CANDIDATE,
    Phase("keep", "have it supervised", _keep),
    Phase("expose", "give it its share of the clients", _share),
    _RAMP,
)
SHARE = (Phase("share", "change its share of the clients", _share), _RAMP)
STOP = (
    Phase("withdraw", "send it nothing any more", _withdraw),
    Phase("drain", "wait for its requests in flight", _quiet),
    Phase("stop", "stop it", _stop),
)
