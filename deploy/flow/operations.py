"""The commands: each picks a table of phases, runs it, and leaves a state that the next command understands."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.canary.judge import Row, Verdict, judge
from deploy.errors import CanaryFailed, DeployError, GateFailed, Inconclusive, RouterError, UsageError
from deploy.flow.phases import CANARY, DEPLOY, PROMOTE, RESIZE, ROLLBACK, WITHDRAW, Job, Phase
from deploy.flow.recovery import recover, unresize
from deploy.flow.stack import Machine
from deploy.journal.state import Operation
from deploy.slot import Slot
from deploy.slots.port import ResizableRuntime

__all__ = ["Operations", "Ramp"]

_ALL = 100


@dataclass(frozen=True, slots=True)
class Ramp:
    """Weights in percent, and the seconds at each before the judge is asked."""

    steps: tuple[int, ...]
    interval_s: float


class Operations:
    """Every method must be called under the lock; `owner` is the pid that stands in the state."""

    def __init__(self, machine: Machine, owner: int) -> None:
        self._machine = machine
        self._owner = owner

    def deploy(
        self,
        version: str,
        models: Path | None = None,
        workers: int | None = None,
        *,
        as_built: bool = False,
        older_models: bool = False,
    ) -> None:
        """Build or reuse the release, and make it production."""
        self.recover()
        slot = self._machine.idle_colour()
        job = Job(
            "deploy",
            version,
            slot,
            self._workers(workers),
            models=models,
            as_built=as_built,
            older_models=older_models,
        )
        self._run(job, DEPLOY)

    def canary(
        self,
        version: str | None,
        models: Path | None,
        weight: int,
        ramp: Ramp | None,
        *,
        as_built: bool = False,
        older_models: bool = False,
    ) -> None:
        """Start a canary with `weight` percent, or change the weight of the one that runs; then ramp."""
        self.recover()
        machine = self._machine
        machine.production()
        running = machine.runtime.observe("canary")
        if running.running and version in (None, running.version) and models is None:
            with self._audited("canary", running.version or "?", {}):
                machine.progress.say(machine.set_weight(weight))
        elif version is None:
            raise UsageError("no canary runs: name its --version")
        else:
            first = ramp.steps[0] if ramp else weight
            job = Job(
                "canary",
                version,
                "canary",
                self._workers(None),
                models=models,
                weight=first,
                as_built=as_built,
                older_models=older_models,
            )
            self._run(job, CANARY)
        if ramp:
            self._ramp(ramp)

    def promote(self, *, force: bool = False) -> None:
        """Make the canary's release production, with the model set that the canary serves now."""
        self.recover()
        machine = self._machine
        seen = machine.runtime.observe("canary")
        if not seen.running or seen.version is None:
            raise UsageError("no canary runs: there is nothing to promote")
        verdict = self.verdict()
        route = machine.router.get()
        machine.progress.verdict(verdict, route.weight if route else 0)
        if verdict.outcome == "fail" and not force:
            raise CanaryFailed("the canary is worse than production: `rollback` ends it, `promote --force` ignores it")
        if verdict.outcome == "inconclusive" and not force:
            raise Inconclusive("too little was seen of the canary: wait for traffic, or `promote --force`")
        workers = machine.runtime.observe(machine.production()).workers or machine.settings.workers
        job = Job("promote", seen.version, machine.idle_colour(), workers, models_from="canary", as_built=True)
        self._run(job, PROMOTE, verdict=verdict, forced=force)

    def rollback(self) -> None:
        """End the canary if there is one; else go back to the release before this one."""
        self.recover()
        machine = self._machine
        route = machine.router.get()
        canary = machine.runtime.observe("canary")
        if (route and route.canary) or canary.running:
            self.withdraw("rollback", canary.version or "?")
            return
        production = machine.production()
        state = machine.state()
        if state.previous is None and state.previous_version is None:
            live = machine.runtime.observe(production).version
            raise UsageError(f"there is no release to go back to: {live} stays in production")
        slot, version = state.previous, state.previous_version
        if slot and version and slot != production and machine.gates.fit(slot, version) is None:
            workers = machine.runtime.observe(slot).workers
            self._run(Job("rollback", version, slot, workers), ROLLBACK)
            return
        if version is None or machine.releases.get(version) is None:
            raise UsageError(f"release {version} is gone: deploy another version")
        machine.progress.say(f"no warm slot has {version}: starting it anew")
        left = machine.runtime.observe(production).version
        job = Job("rollback", version, machine.idle_colour(), self._workers(None), as_built=True)
        self._run(job, DEPLOY)
        machine.reject(left)

    def withdraw(self, command: str, version: str) -> None:
        """Weight 0, drain, stop."""
        self._run(Job(command, version, "canary", 1), WITHDRAW)

    def stop(self, slot: Slot, *, force: bool = False) -> None:
        """Stop one slot; the one in production only by force."""
        self.recover()
        machine = self._machine
        route = machine.router.get()
        if route and route.production == slot and not force and machine.router.running():
            raise UsageError(f"{slot} is production: stopping it stops the service; `stop` without a slot stops all")
        if slot == "canary":
            self.withdraw("stop", machine.runtime.observe("canary").version or "?")
            return
        with self._audited("stop", machine.runtime.observe(slot).version or "?", {"slot": slot}):
            if route and route.spare == slot:
                machine.router.set(route.moved(weight=route.weight, canary=route.canary))
            machine.forget_previous(slot)
            if route and route.production != slot:
                machine.progress.say(machine.drain(slot))
            machine.runtime.stop(slot, grace_s=machine.settings.stop_grace_s)

    def stop_all(self) -> None:
        """The proxy first, so that no client meets a slot that is leaving."""
        machine = self._machine
        with self._audited("stop", "", {"slot": "all"}):
            machine.router.stop(grace_s=machine.settings.stop_grace_s)
            for slot in ("canary", "blue", "green"):
                machine.runtime.stop(slot, grace_s=machine.settings.stop_grace_s)

    def scale(self, slot: Slot, workers: int) -> None:
        """Give a slot another number of workers: in place where they are replicas.

        Elsewhere production is started anew in the other slot, then switched.
        """
        self.recover()
        machine = self._machine
        seen = machine.runtime.observe(slot)
        if not seen.running or seen.version is None:
            raise UsageError(f"{slot} does not run: there is nothing to scale")
        if isinstance(machine.runtime, ResizableRuntime):
            before = len(machine.runtime.base_urls(slot))
            job = Job("scale", seen.version, slot, workers, before, seen.kept, models_from=slot, as_built=True)
            self._run(job, RESIZE)
            return
        if slot != machine.production():
            raise UsageError(f"{slot} has no production traffic: scale {machine.production()}")
        job = Job("scale", seen.version, machine.idle_colour(), workers, models_from=slot, as_built=True)
        self._run(job, DEPLOY)

    def recover(self) -> None:
        """Put in order what an interrupted command left."""
        recover(self._machine)

    def verdict(self) -> Verdict:
        """The judge, on everything since the canary got its present weight."""
        machine = self._machine
        production = machine.since_baseline(machine.production())
        canary = machine.since_baseline("canary")
        if canary is None:
            fault = Row("metrics", "", "no answer", "the canary answers", "fail")
            return Verdict("fail", (fault,))
        if production is None:
            fault = Row("metrics", "no answer", "", "production is comparable", "inconclusive")
            return Verdict("inconclusive", (fault,))
        restarts = machine.restarts_since_baseline()
        return judge(production, canary, machine.settings, restarts=restarts)

    def _ramp(self, ramp: Ramp) -> None:
        machine = self._machine
        version = machine.runtime.observe("canary").version or "?"
        for number, weight in enumerate(ramp.steps):
            if weight == _ALL:
                break  # production would have no traffic to be compared with: all of it is what promote gives
            machine.state_file.save(replace(machine.state(), ramp=ramp.steps[number:]))
            if number:
                machine.progress.say(machine.set_weight(weight))
            machine.clock.sleep(ramp.interval_s)
            verdict = self.verdict()
            machine.progress.verdict(verdict, weight)
            facts = {"version": version, "weight": weight, "verdict": verdict.outcome, "rows": _words(verdict)}
            machine.audit.write("judge", verdict.outcome, **facts)
            if verdict.outcome == "fail":
                machine.state_file.save(replace(machine.state(), ramp=()))
                self.withdraw("canary", version)
                raise CanaryFailed(f"canary {version} is worse than production at {weight}%: it was stopped")
            if verdict.outcome == "inconclusive":
                raise Inconclusive(
                    f"canary {version} stays at {weight}%: too little was seen. Go on with `canary --weight`, "
                    "`promote`, or `rollback`"
                )
        machine.state_file.save(replace(machine.state(), ramp=()))
        self.promote()

    def _run(self, job: Job, phases: Sequence[Phase], verdict: Verdict | None = None, *, forced: bool = False) -> None:
        machine = self._machine
        facts: dict[str, object] = {"slot": job.slot}
        if verdict:
            facts |= {"verdict": verdict.outcome, "rows": _words(verdict), "forced": forced}
        begun = machine.clock.now()
        with self._audited(job.command, job.version, facts, job):
            for phase in phases:
                operation = Operation(
                    job.command, job.version, job.slot, phase.name, begun, self._owner, job.workers_before
                )
                machine.state_file.save(replace(machine.state(), operation=operation))
                machine.progress.begin(phase.name, phase.title)
                start = machine.clock.monotonic()
                try:
                    detail = phase.run(machine, job)
                except DeployError:
                    if phases is not ROLLBACK and phases is not WITHDRAW:
                        self._abandon(job)
                    machine.state_file.save(replace(machine.state(), operation=None))
                    raise
                job.seconds[phase.name] = round(machine.clock.monotonic() - start, 3)
                machine.progress.done(phase.name, detail, job.seconds[phase.name])
            machine.state_file.save(replace(machine.state(), operation=None))

    def _abandon(self, job: Job) -> None:
        """Stop the candidate, unless it is what production turned out to be."""
        machine = self._machine
        if job.workers_before:
            machine.progress.say(unresize(machine, job.slot, job.workers_before))
            return
        with contextlib.suppress(RouterError):
            route = machine.router.get()
            if route and (route.production == job.slot or (job.slot == "canary" and route.canary)):
                machine.progress.say(f"{job.slot} has traffic already and is left running")
                return
        machine.runtime.stop(job.slot, grace_s=5)
        machine.progress.say(f"{job.slot} was stopped; production is untouched")

    @contextlib.contextmanager
    def _audited(self, command: str, version: str, facts: dict[str, object], job: Job | None = None) -> Iterator[None]:
        machine = self._machine
        route = machine.router.get()
        before = machine.runtime.observe(route.production).version if route else None
        begin = machine.clock.monotonic()
        outcome = "interrupted"
        try:
            yield
            outcome = "done"
        except GateFailed as error:
            outcome, facts["error"] = "refused", str(error)
            raise
        except DeployError as error:
            outcome, facts["error"] = "failed", str(error)
            raise
        finally:
            seconds = round(machine.clock.monotonic() - begin, 3)
            more = {"phases": job.seconds} if job else {}
            machine.audit.write(
                command, outcome, **{"from": before, "to": version, "seconds": seconds, **more, **facts}
            )

    def _workers(self, given: int | None) -> int:
        return given or self._machine.settings.workers


def _words(verdict: Verdict) -> list[str]:
    return [f"{row.metric}: {row.production} / {row.canary}, {row.outcome}" for row in verdict.rows]
