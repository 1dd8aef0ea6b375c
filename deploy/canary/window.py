"""The time that the judge looks at: from the moment that both sides got their share, and for a while after a promotion.

In that while, what clients are answered is compared with what they were before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from deploy.canary.judge import Row, Verdict, judge, judge_answers
from deploy.canary.sample import Sample, Served, served
from deploy.checks.probe import Probe
from deploy.clock import Clock
from deploy.journal.journal import Journal
from deploy.proxy.nginx import Router
from deploy.settings import DeploySettings
from deploy.slot import Colour, Slot
from deploy.slots.port import Runtime

__all__ = ["Watch", "Window"]

_BASELINE, _WATCH = "baseline", "watch"


@dataclass(frozen=True, slots=True)
class _Baseline:
    """What both sides had counted `at`, seconds since the epoch."""

    at: float
    production: Slot
    restarts: int
    samples: Mapping[Slot, Sample]


@dataclass(frozen=True, slots=True)
class Watch:
    """`since` and `until` bound the time that the release before was compared in, as seconds since the epoch."""

    version: str
    slot: Colour
    before: Colour
    since: float
    until: float
    restarts: int
    held_s: float = 0.0


@dataclass
class Window:
    """Kept in the journal, so that any command and the supervisor judge the same time."""

    settings: DeploySettings
    runtime: Runtime
    router: Router
    probe: Probe
    journal: Journal
    clock: Clock

    def open(self) -> None:
        """Begin now, if there is a canary to be compared."""
        route = self.router.get()
        if route is None or not route.canary:
            return
        seen = {slot: self.counters(slot) for slot in route.targets()}
        samples = {slot: sample for slot, sample in seen.items() if sample}
        restarts = self.runtime.observe("canary").restarts
        self.journal.put(_BASELINE, _Baseline(self.clock.now(), route.production, restarts, samples))

    def verdict(self) -> Verdict:
        """The judge, on everything since then."""
        told: _Baseline | None = self.journal.fact(_BASELINE, _Baseline)
        route = self.router.get()
        if told is None or route is None or told.production != route.production:
            return _undecided("what was counted from is not on record: `canary --weight` begins anew")
        answered = self._answered(told.at)
        canary = self._since("canary", told, answered)
        if canary is None:
            return Verdict("fail", (Row("metrics", "", "no answer", "the canary answers", "fail"),))
        production = self._since(route.production, told, answered)
        if production is None:
            return _undecided("production is comparable")
        restarts = self.runtime.observe("canary").restarts - told.restarts
        return judge(production, canary, self.settings, restarts=restarts)

    def watch(self, version: str, slot: Colour) -> None:
        """Watch a promotion from the switch on; not at all where DEPLOY_WATCH is 0."""
        route = self.router.get()
        told: _Baseline | None = self.journal.fact(_BASELINE, _Baseline)
        watch = None
        if route and told and self.settings.watch and route.production != slot:
            restarts = self.runtime.observe(slot).restarts
            watch = Watch(version, slot, route.production, told.at, self.clock.now(), restarts)
        self.keep(watch)

    def watched(self) -> Watch | None:
        """The watch of the release that is live; None when there is none."""
        watch: Watch | None = self.journal.fact(_WATCH, Watch)
        live = self.journal.live()
        return watch if watch and live and (live.version, live.slot) == (watch.version, watch.slot) else None

    def keep(self, watch: Watch | None) -> None:
        """Put it on record; None ends it."""
        self.journal.put(_WATCH, watch)

    def across(self, watch: Watch) -> Verdict:
        """The judge on 5xx, 4xx, latency and restarts: after the promotion against before it."""
        before = Sample(served=self._answered(watch.since, watch.until).get(watch.before, {}))
        after = Sample(served=self._answered(watch.until).get(watch.slot, {}))
        restarts = self.runtime.observe(watch.slot).restarts - watch.restarts
        return judge_answers(before, after, self.settings, restarts=restarts)

    def counters(self, slot: Slot) -> Sample | None:
        """The slot's counters; None when it doesn't answer."""
        text = self.probe.metrics(self.runtime.base_url(slot))
        return Sample.from_metrics(text) if text is not None else None

    def _answered(self, since: float, until: float = math.inf) -> dict[str, dict[str, Served]]:
        return served(self.settings.run_dir / "nginx/logs", since, until, self.settings.judge_client_requests)

    def _since(self, slot: Slot, told: _Baseline, answered: dict[str, dict[str, Served]]) -> Sample | None:
        now, earlier = self.counters(slot), told.samples.get(slot)
        return replace(now.since(earlier), served=answered.get(slot, {})) if now and earlier else None


def _undecided(rule: str) -> Verdict:
    return Verdict("inconclusive", (Row("metrics", "no answer", "", rule, "inconclusive"),))
