"""The procedures as tables of phases. A phase is on record before it is done; `plan` prints the same tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import DeployError, RouterError
from deploy.proxy.route import Route
from deploy.release.release import Release
from deploy.slot import Colour, Slot, colour_named

if TYPE_CHECKING:
    from deploy.flow.stack import Machine

__all__ = ["CANARY", "DEPLOY", "PROMOTE", "RESIZE", "ROLLBACK", "WITHDRAW", "Job", "Phase"]


@dataclass(slots=True)
class Job:
    """What the phases of one command hand on to each other."""

    command: str
    version: str
    slot: Slot
    workers: int
    workers_before: int = 0
    kept: bool = True
    models: Path | None = None
    models_from: Slot | None = None
    weight: int = 0
    as_built: bool = False
    older_models: bool = False
    release: Release | None = None
    previous: Colour | None = None
    previous_version: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def built(self) -> Release:
        """The release, once it is built or found."""
        if self.release is None:
            raise DeployError(f"{self.version} was not built yet: this is a fault of the phase table")
        return self.release

    def colour(self) -> Colour:
        """The slot as a colour."""
        return colour_named(self.slot)


@dataclass(frozen=True, slots=True)
class Phase:
    """`run` does it and returns what it found, in words."""

    name: str
    title: str
    run: Callable[[Machine, Job], str]


def _build(machine: Machine, job: Job) -> str:
    existing = machine.releases.get(job.version)
    if existing and job.models is None and job.as_built:
        job.release = existing
    else:
        job.release = machine.releases.build(job.version, job.models)
    if job.command in ("deploy", "canary") and not job.older_models:
        machine.check_models(job.release)
    words = "reused" if existing else "built"
    if job.command in ("deploy", "canary"):
        words += machine.validated(job.release)
    return f"{job.release.tag} {words}, code {job.release.tree[:12]}, models {job.release.models_version}"


def _claim(machine: Machine, job: Job) -> str:
    route = machine.router.get()
    if route and (route.spare == job.slot or (job.slot == "canary" and route.canary)):
        machine.router.set(route.moved())
        machine.drain(job.slot)
    if machine.runtime.observe(job.slot).running:
        machine.forget_previous(job.slot)
        machine.runtime.stop(job.slot, grace_s=machine.settings.stop_grace_s)
        return f"{job.slot} freed"
    machine.runtime.stop(job.slot, grace_s=0)  # what an interrupted command may have left
    return f"{job.slot} is free"


def _start(machine: Machine, job: Job) -> str:
    machine.runtime.start(job.slot, job.built(), workers=job.workers, models_from=job.models_from)
    return f"{job.built().tag} in {job.slot} with {job.workers} worker{'s' if job.workers > 1 else ''}"


def _wait(machine: Machine, job: Job) -> str:
    own = job.models_from is None
    return machine.gates.serves(job.slot, job.built(), machine.settings.ready_timeout_s, own_models=own)


def _smoke(machine: Machine, job: Job) -> str:
    release = job.built()
    if job.models_from and machine.hot_reloaded(job.slot, release):
        return machine.gates.answers(job.slot)  # a hot-reloaded set was carried over: the golden bets are not its
    return machine.gates.predicts(job.slot, release)


def _warm(machine: Machine, job: Job) -> str:
    return machine.gates.warm(job.slot, machine.settings.warmup_requests)


def _switch(machine: Machine, job: Job) -> str:
    colour = job.colour()
    before = machine.router.get()
    begin = machine.clock.monotonic()
    if before is None:
        route = Route(generation=1, production=colour)
        machine.router.reconcile(machine.runtime.addresses())
        machine.router.set(route)
    else:
        machine.router.reconcile(machine.runtime.addresses())
        keep_canary = before.canary and job.command != "promote"
        job.previous = before.production if before.production != colour else None
        job.previous_version = machine.runtime.observe(job.previous).version if job.previous else None
        spare = job.previous if job.previous and machine.runtime.observe(job.previous).running else None
        if spare and job.command == "rollback":
            spare = None  # never stand in with the release that was just found bad
        route = before.moved(
            production=colour, weight=before.weight if keep_canary else 0, canary=keep_canary, spare=spare
        )
        machine.router.set(route)
    live = machine.router.get()
    if live != route:
        raise RouterError(f"the proxy tells route {live and live.name}, not {route.name}: see its error log")
    return f"{colour} is production, read back after {(machine.clock.monotonic() - begin) * 1000:.0f} ms"


def _expose(machine: Machine, job: Job) -> str:
    return machine.set_weight(job.weight, new_salt=True)


def _withdraw(machine: Machine, _: Job) -> str:
    route = machine.router.get()
    if route and route.canary:
        machine.router.set(route.moved(spare=route.spare))
        return "weight 0, the canary is closed"
    return "the canary had no traffic"


def _drain(machine: Machine, job: Job) -> str:
    slots: list[Slot] = [job.previous] if job.previous else []
    if job.command == "promote" or job.slot == "canary":
        slots.append("canary")
    return "; ".join(machine.drain(slot) for slot in slots) or "nothing to drain"


def _retire(machine: Machine, job: Job) -> str:
    machine.runtime.keep(job.slot, kept=True)
    if job.command == "promote":
        machine.runtime.stop("canary", grace_s=machine.settings.stop_grace_s)
    machine.remember_previous(job)
    machine.router.finalize()
    pruned = machine.prune()
    kept = f"{job.previous} stays warm with {job.previous_version}" if job.previous else "no release before this one"
    return f"{kept}{'; pruned ' + ', '.join(pruned) if pruned else ''}"


def _keep(machine: Machine, job: Job) -> str:
    machine.runtime.keep(job.slot, kept=True)
    return "the canary is started again when it dies"


def _check(machine: Machine, job: Job) -> str:
    fault = machine.gates.fit(job.slot, job.version)
    if fault:
        raise DeployError(f"{fault}: can't go back to it at once")
    return f"{job.slot} is warm with {job.version}"


def _reject(machine: Machine, job: Job) -> str:
    machine.runtime.keep(job.slot, kept=True)
    if job.previous:
        machine.runtime.keep(job.previous, kept=False)
    machine.reject(job.previous_version)
    return f"{job.previous_version} is rejected; {job.previous} is left as it is for a look at it"


def _stop_canary(machine: Machine, _: Job) -> str:
    machine.runtime.stop("canary", grace_s=machine.settings.stop_grace_s)
    machine.router.finalize()
    return "canary stopped"


def _find(machine: Machine, job: Job) -> str:
    job.release = machine.releases.get(job.version)
    if job.release is None:
        raise DeployError(f"release {job.version} is gone: deploy another version")
    return f"{job.release.tag}, which {job.slot} runs"


def _resize(machine: Machine, job: Job) -> str:
    machine.resizable().resize(job.slot, job.workers)
    return f"{job.slot} has {job.workers}, before {job.workers_before}"


def _share(machine: Machine, job: Job) -> str:
    machine.router.reconcile(machine.runtime.addresses())
    machine.runtime.keep(job.slot, kept=job.kept)
    machine.mark_baseline()  # a replica's counters come and go with it
    return f"the proxy shares out to {job.workers}, read back"


def _trim(machine: Machine, job: Job) -> str:
    machine.trim(job.slot, grace_s=machine.settings.stop_grace_s)
    return f"{max(0, job.workers_before - job.workers)} ended"


_GATES = (
    Phase("wait", "wait until it serves this version and model set", _wait),
    Phase("smoke", "predict the golden bets", _smoke),
    Phase("warm", "warm it up", _warm),
)
_CANDIDATE = (
    Phase("build", "find the release, or build it", _build),
    Phase("claim", "free the idle slot", _claim),
    Phase("start", "start the release in it", _start),
    *_GATES,
)
DEPLOY = (
    *_CANDIDATE,
    Phase("switch", "make it production, and read that back", _switch),
    Phase("drain", "wait for requests in flight in the old slot", _drain),
    Phase("retire", "keep the old slot warm for rollback, prune releases", _retire),
)
PROMOTE = DEPLOY
CANARY = (
    *_CANDIDATE,
    Phase("keep", "have it supervised", _keep),
    Phase("expose", "give it its share of the clients", _expose),
)
RESIZE = (
    Phase("find", "find the release that runs", _find),
    Phase("resize", "start what is to be added", _resize),
    *_GATES,
    Phase("share", "share the requests out to them, and read that back", _share),
    Phase("trim", "end what is left over, once nothing goes there", _trim),
)
ROLLBACK = (
    Phase("check", "see that the old slot is fit", _check),
    Phase("switch", "make it production, and read that back", _switch),
    Phase("drain", "wait for requests in flight in the slot that was left", _drain),
    Phase("reject", "never go back to the release that was left", _reject),
)
WITHDRAW = (
    Phase("withdraw", "take the canary's share to 0", _withdraw),
    Phase("drain", "wait for its requests in flight", _drain),
    Phase("stop", "stop the canary", _stop_canary),
)
