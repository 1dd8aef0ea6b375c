"""The time that the judge looks at: from the moment that both sides got their present share of the clients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from deploy.canary.judge import Row, Verdict, judge, judge_answers
from deploy.canary.sample import Sample
from deploy.canary.traffic import Served, served
from deploy.checks.probe import Probe
from deploy.clock import Clock
from deploy.journal.journal import Journal
from deploy.proxy.nginx import Router
from deploy.settings import DeploySettings
from deploy.slot import Slot
from deploy.slots.port import Runtime

__all__ = ["Window"]

_FACT = "baseline"


@dataclass(frozen=True, slots=True)
class _Baseline:
    """What both sides had counted `at`, seconds since the epoch."""

    at: float
    production: Slot
    restarts: int
    samples: Mapping[Slot, Sample]


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
        self.journal.put(_FACT, _Baseline(self.clock.now(), route.production, restarts, samples))

    def verdict(self) -> Verdict:
        """The judge, on everything since then."""
        told: _Baseline | None = self.journal.fact(_FACT, _Baseline)
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

    def across(self, before: tuple[Slot, float], after: tuple[Slot, float], restarts: int) -> Verdict:
        """The judge on what clients were answered before and after a promotion: by which slot, since when."""
        earlier = self._answered(before[1], after[1]).get(before[0], {})
        later = self._answered(after[1]).get(after[0], {})
        return judge_answers(Sample(served=earlier), Sample(served=later), self.settings, restarts=restarts)

    def opened_at(self) -> float | None:
        """When it began, seconds since the epoch."""
        told: _Baseline | None = self.journal.fact(_FACT, _Baseline)
        return told.at if told else None

    def counters(self, slot: Slot) -> Sample | None:
        """The slot's counters; None when it doesn't answer."""
        text = self.probe.slot_metrics(self.runtime, slot)
        return Sample.from_metrics(text) if text is not None else None

    def _answered(self, since: float, until: float = math.inf) -> dict[str, dict[str, Served]]:
        return served(self.settings.run_dir / "nginx/logs", since, until, self.settings.judge_client_requests)

    def _since(self, slot: Slot, told: _Baseline, answered: dict[str, dict[str, Served]]) -> Sample | None:
        now, earlier = self.counters(slot), told.samples.get(slot)
        return replace(now.since(earlier), served=answered.get(slot, {})) if now and earlier else None


def _undecided(rule: str) -> Verdict:
    return Verdict("inconclusive", (Row("metrics", "no answer", "", rule, "inconclusive"),))
