"""The parts that phases work with, put together, and the few verbs that several phases share."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deploy.canary.sample import Sample, active_requests
from deploy.checks.gates import Gates
from deploy.checks.probe import HttpProbe
from deploy.checks.validation import validate_models
from deploy.clock import Clock
from deploy.disk import Disk
from deploy.errors import DeployError, UsageError
from deploy.flow.phases import Job
from deploy.flow.progress import Progress
from deploy.journal.audit import AuditLog
from deploy.journal.lock import Lock
from deploy.journal.state import State, StateFile
from deploy.proxy.port import Router
from deploy.release.release import Release, ReleaseStore
from deploy.settings import DeploySettings
from deploy.slot import COLOURS, SLOTS, Colour, Slot, other_colour
from deploy.slots.port import ResizableRuntime, Runtime

__all__ = ["Machine"]

ROOT = Path(__file__).resolve().parents[2]
_QUIET_READS = 3
_DRAIN_POLL_S = 0.1


@dataclass(slots=True)
class Machine:
    """Made in one place (`deploy.compose`); tests make it with fakes."""

    settings: DeploySettings
    disk: Disk
    runtime: Runtime
    router: Router
    releases: ReleaseStore
    probe: HttpProbe
    state_file: StateFile
    audit: AuditLog
    clock: Clock
    progress: Progress

    def close(self) -> None:
        """Let go of connections."""
        self.probe.close()

    def lock(self, command: str) -> Lock:
        """The stack's lock, for a command in words."""
        return Lock(self.disk.root / "lock.json", command, say=self.progress.say)

    @property
    def gates(self) -> Gates:
        """The gates over this runtime."""
        return Gates(self.runtime, self.probe, self.clock)

    def resizable(self) -> ResizableRuntime:
        """The runtime, where it can have more or fewer replicas while a slot runs."""
        if isinstance(self.runtime, ResizableRuntime):
            return self.runtime
        raise DeployError(f"a slot of the runtime {self.runtime.name} is started anew for that")

    def trim(self, slot: Slot, *, grace_s: float) -> None:
        """End the replicas that the slot has no longer, once the proxy sends nothing there."""
        self.resizable().trim(slot, after_s=self.router.lag_s, grace_s=grace_s)

    def state(self) -> State:
        """The state on disk; rebuilt from what runs when it was lost."""
        state = self.state_file.load()
        if state is None:
            state = self.rebuilt()
        return state

    def rebuilt(self) -> State:
        """The state as far as it can be seen: the healthy other colour is what there is to go back to."""
        route = self.router.get()
        if route is None:
            return State()
        other = other_colour(route.production)
        seen = self.runtime.observe(other)
        # Only what once was production is kept: neither a candidate nor a release that was rejected.
        if seen.kept and self.gates.fit(other, seen.version) is None:
            return State(previous=other, previous_version=seen.version)
        return State()

    def validated(self, release: Release) -> str:
        """Judge the release's models on settled bets, where DEPLOY_VALIDATE_BETS names some.

        Raises:
            GateFailed: they did not pass.
        """
        if self.settings.validate_bets is None:
            return ""
        route = self.router.get()
        version = self.runtime.observe(route.production).version if route else None
        production = self.releases.get(version) if version else None
        return f", {validate_models(release, self.settings.validate_bets, production, ROOT)}"

    def drain(self, slot: Slot) -> str:
        """Wait until the slot's own gauge says that nothing is in progress.

        The slot is not stopped here, so running out of time breaks nothing: it is told, and the slot stays warm.
        """
        begin = self.clock.monotonic()
        quiet = 0
        while quiet < _QUIET_READS:
            text = self._metrics(slot)
            active = active_requests(text) if text is not None else None
            if active is None:
                if not self.runtime.observe(slot).running:
                    return f"{slot} does not run"
                active = 1.0  # can't be told: wait rather than believe
            quiet = quiet + 1 if active <= 0 else 0
            if quiet < _QUIET_READS:
                if self.clock.monotonic() - begin > self.settings.drain_timeout_s:
                    return f"{slot} still has {active:.0f} requests after {self.settings.drain_timeout_s:g} s"
                self.clock.sleep(_DRAIN_POLL_S)
        return f"{slot} is quiet after {self.clock.monotonic() - begin:.1f} s"

    def set_weight(self, weight: int, *, new_salt: bool = False) -> str:
        """Give the canary `weight` percent; the judge counts from here on."""
        route = self.router.get()
        if route is None:
            raise UsageError("nothing is in production to share traffic with: `deploy --version` first")
        if new_salt:
            route = replace(route, salt=secrets.token_hex(3))
        self.router.reconcile(self.runtime.addresses())
        self.router.set(route.moved(weight=weight, canary=True, spare=route.spare))
        self.mark_baseline()
        return f"canary gets {weight}%"

    def mark_baseline(self) -> None:
        """Remember the counters of both sides as they are now."""
        route = self.router.get()
        if route is None or not route.canary:
            return
        samples = {slot: self.sample(slot) for slot in (route.production, "canary")}
        self.disk.write_json(
            "baseline.json",
            {
                "production": route.production,
                "restarts": self.runtime.observe("canary").restarts,
                "samples": {slot: sample.to_json() for slot, sample in samples.items() if sample},
            },
        )

    def since_baseline(self, slot: Slot) -> Sample | None:
        """What the slot did since; None when it can't be told."""
        now = self.sample(slot)
        raw = (self._baseline().get("samples") or {}).get(slot)
        if now is None or raw is None:
            return None
        return now.since(Sample.from_json(raw))

    def restarts_since_baseline(self) -> int:
        """How often the canary had to be started again."""
        return self.runtime.observe("canary").restarts - int(self._baseline().get("restarts", 0))

    def sample(self, slot: Slot) -> Sample | None:
        """The slot's counters; None when it doesn't answer."""
        text = self._metrics(slot)
        return Sample.from_metrics(text) if text is not None else None

    def _metrics(self, slot: Slot) -> str | None:
        """Of all replicas, as one text; None where one doesn't answer."""
        texts = [self.probe.metrics(url) for url in self.runtime.base_urls(slot)]
        known = [text for text in texts if text is not None]
        return "\n".join(known) if len(known) == len(texts) else None

    def served_models(self, slot: Slot) -> str | None:
        """The sha256 of the model set that the slot serves now."""
        return (self.probe.model_info(self.runtime.base_urls(slot)[0]) or {}).get("sha256")

    def served_version(self, slot: Slot) -> str | None:
        """The name (timestamp) of the model set that the slot serves now."""
        return (self.probe.health(self.runtime.base_urls(slot)[0]) or {}).get("model_timestamp")

    def hot_reloaded(self, slot: Slot, release: Release) -> bool:
        """Whether the slot serves another set than the one that its release was built with."""
        if release.models_sha256:
            return self.served_models(slot) != release.models_sha256
        return self.served_version(slot) != release.models_version

    def check_models(self, release: Release) -> None:
        """A new release must not bring back an older model set than the one that was hot-reloaded meanwhile.

        Raises:
            UsageError: it would.
        """
        route = self.router.get()
        version = self.runtime.observe(route.production).version if route else None
        live = self.releases.get(version) if version else None
        if route is None or live is None or not self.runtime.observe(route.production).running:
            return
        served = self.served_version(route.production)
        if served and self.hot_reloaded(route.production, live) and release.models_version < served:
            raise UsageError(
                f"{route.production} serves model set {served}, loaded after release {live.version} was built; "
                f"{release.version} has the older {release.models_version}: build it with the new set (--models), "
                "or say --older-models"
            )

    def forget_previous(self, slot: Slot) -> None:
        """The slot is about to be freed: rollback can only start its release anew from now on."""
        state = self.state()
        if state.previous == slot:
            self.state_file.save(replace(state, previous=None))

    def remember_previous(self, job: Job) -> None:
        """What `rollback` goes back to after this job. A release that was rejected is no such thing."""
        state = self.state()
        if job.previous and job.previous_version != state.rejected:
            state = replace(state, previous=job.previous, previous_version=job.previous_version)
        if state.rejected == job.version:
            state = replace(state, rejected=None)
        self.state_file.save(state)

    def reject(self, version: str | None) -> None:
        """After a rollback there is nothing further to go back to."""
        self.state_file.save(replace(self.state(), previous=None, previous_version=None, rejected=version))

    def in_use(self) -> dict[Slot, str]:
        """Versions of the slots that run."""
        seen = {slot: self.runtime.observe(slot) for slot in SLOTS}
        return {slot: found.version for slot, found in seen.items() if found.running and found.version}

    def prune(self) -> Sequence[str]:
        """Delete old releases, but never one in use, the rollback target, or the newest few."""
        state = self.state()
        needed = {*self.in_use().values(), state.previous_version}
        route = self.router.get()
        if route:
            needed |= {self.runtime.observe(colour).version for colour in COLOURS}
        spare = [release.version for release in self.releases.releases() if release.version not in needed]
        pruned = spare[self.settings.keep_releases :]
        for version in pruned:
            self.releases.delete(version)
        return pruned

    def idle_colour(self) -> Colour:
        """The colour that is not production; blue at first."""
        route = self.router.get()
        return other_colour(route.production) if route else "blue"

    def production(self) -> Colour:
        """The colour that is.

        Raises:
            UsageError: none is.
        """
        route = self.router.get()
        if route is None:
            raise UsageError("nothing is in production: `python -m deploy up` or `deploy --version V` first")
        return route.production

    def _baseline(self) -> Mapping[str, Any]:
        data = self.disk.read_json("baseline.json")
        return data if isinstance(data, dict) else {}
