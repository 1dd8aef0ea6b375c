"""What Prometheus is told: which slots there are, and what is seen of them from outside.

That is a bet every so often by way of the proxy, and whether each slot answers at all.

The figures are written as Prometheus text into `metrics/balancer.prom`, which the proxy shows on its status port at
/traffic: they are there as long as the proxy is, and go on from where the supervisor left them only by its counters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from deploy.canary.sample import BOUNDS, LOG, lines_of
from deploy.checks.gates import SMOKE_BET
from deploy.files import Tail, read_json, write_json, write_text
from deploy.flow.stack import Stack
from deploy.slot import SLOTS, Slot

__all__ = ["FILE", "Observation", "write_targets"]

FILE = "nginx/metrics/balancer.prom"
_TARGETS = "targets/pikkit.json"
_CLASSES = ("2xx", "4xx", "5xx")
_NOBODY = "nginx"
"""Of answers of the proxy's own."""
_SILENT = 3  # looks in a row without an answer: hung


class Observation:
    """One per supervisor."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._tail = Tail(stack.settings.run_dir / "nginx/logs" / LOG)
        self._silent: dict[Slot, int] = {}
        self._registry = own = CollectorRegistry()
        self._requests = Counter(
            "pikkit_lb_requests",
            "Requests by slot that answered, and class of status",
            ["deployment", "status"],
            registry=own,
        )
        for slot, status in product((*SLOTS, _NOBODY), _CLASSES):  # at 0, or the first fault would be no increase
            self._requests.labels(slot, status)
        self._seconds = Histogram(
            "pikkit_lb_upstream_seconds",
            "Time that slots took to answer the load balancer, by slot",
            ["deployment"],
            buckets=BOUNDS,
            registry=own,
        )
        self._success = Gauge(
            "pikkit_probe_success", "1 if the last bet through the load balancer was graded", registry=own
        )
        self._duration = Gauge("pikkit_probe_duration_seconds", "How long that bet took", registry=own)
        self._answers = Gauge(
            "pikkit_slot_answers", "1 if a slot that runs answers; 0: it hangs", ["deployment"], registry=own
        )

    def count(self) -> None:
        """Count the requests of the log since the last look, and write all figures down."""
        for line in lines_of(self._tail.read()):
            self._requests.labels(line.slot, f"{line.status // 100}xx").inc()
            if line.slot != _NOBODY:
                self._seconds.labels(line.slot).observe(line.seconds)
        write_text(self._stack.settings.run_dir / FILE, self.text())

    def text(self) -> str:
        """In Prometheus' format, without when each counter was made, which says nothing."""
        lines = generate_latest(self._registry).decode().splitlines(keepends=True)
        return "".join(line for line in lines if "_created" not in line)

    def probe(self) -> None:
        """Send a bet by way of the proxy, and ask each slot that should answer."""
        self._ask_slots()
        stack = self._stack
        if not stack.router.wanted():
            self._success.set(math.nan)  # neither good nor bad
            return
        begin = stack.clock.monotonic()
        answer: Mapping[str, object] = stack.probe.predict(stack.settings.url, SMOKE_BET) or {}
        self._duration.set(stack.clock.monotonic() - begin)
        self._success.set("win_probability" in answer)

    def _ask_slots(self) -> None:
        stack = self._stack
        route = stack.router.get()
        wanted = route.targets() if route else ()
        for slot in SLOTS:
            if slot not in wanted or not stack.runtime.observe(slot).running:
                if self._silent.pop(slot, None) is not None:
                    self._answers.remove(slot)
                continue
            answers = stack.probe.health(stack.runtime.base_url(slot)) is not None
            self._silent[slot] = 0 if answers else self._silent.get(slot, 0) + 1
            self._answers.labels(slot).set(self._silent[slot] < _SILENT)
            if self._silent[slot] == _SILENT:
                said = f"{slot} runs but has not answered {_SILENT} times in a row: a worker hangs"
                stack.journal.write("supervise", "hangs", slot=slot)
                stack.progress.say(said)
                stack.tell(said)


def write_targets(stack: Stack) -> None:
    """Write `targets/pikkit.json` if it changed: slots that run or should, so that a dead one is down."""
    route = stack.router.get()
    wanted = route.targets() if route and stack.router.wanted() else ()
    groups = []
    for slot in SLOTS:
        seen = stack.runtime.observe(slot)
        if seen.running or seen.kept or slot in wanted:
            labels = {"deployment": slot, "version": seen.version or "unknown"}
            groups.append({"targets": [stack.settings.slot_address(slot)], "labels": labels})
    path = stack.settings.run_dir / _TARGETS
    if read_json(path) != groups:
        write_json(path, groups)
