"""What is looked at from outside: a bet every so often by way of the proxy, and whether each slot answers at all.

The figures are written as Prometheus text into `metrics/balancer.prom`, which the proxy shows on its status port at
/traffic: they are there as long as the proxy is, and go on from where the supervisor left them only by its counters.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from deploy.canary.traffic import BOUNDS, Counts
from deploy.checks.gates import SMOKE_BET
from deploy.files import write_text
from deploy.flow.stack import Stack
from deploy.slot import SLOTS, Slot

__all__ = ["FILE", "Observation"]

FILE = "nginx/metrics/balancer.prom"
_PROBE_PERIOD_S = 15.0
_WRITE_PERIOD_S = 5.0
_CLASSES = ("2xx", "4xx", "5xx")
_SILENT = 3  # looks in a row without an answer: hung


class Observation:
    """One per supervisor."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._counts = Counts(stack.settings.run_dir / "nginx/logs")
        self._next_probe = 0.0
        self._next_write = 0.0
        self._success = 0
        self._seconds = 0.0
        self._probed = False
        self._silent: dict[Slot, int] = {}

    def look(self) -> None:
        """Whatever is due."""
        now = self._stack.clock.monotonic()
        if now >= self._next_probe:
            self._next_probe = now + _PROBE_PERIOD_S
            self._probe()
            self._ask_slots()
        if now >= self._next_write:
            self._next_write = now + _WRITE_PERIOD_S
            self._counts.read()
            write_text(self._stack.settings.run_dir / FILE, self.text())

    def text(self) -> str:
        """In Prometheus' format."""
        lines = _metric("pikkit_lb_requests_total", "counter", "Requests by slot that answered, and class of status")
        known = dict.fromkeys(product((*SLOTS, "nginx"), _CLASSES), 0)  # at 0, or the first fault would be no increase
        lines += [
            f'pikkit_lb_requests_total{{deployment="{slot}",status="{status}"}} {count}'
            for (slot, status), count in sorted({**known, **self._counts.statuses()}.items())
        ]
        name = "pikkit_lb_upstream_seconds"
        lines += _metric(name, "histogram", "Time that slots took to answer the load balancer, by slot")
        for slot, served in sorted(self._counts.seconds().items()):
            total = 0
            for bound in BOUNDS:
                total += served.seconds[bound]
                le = "+Inf" if bound == BOUNDS[-1] else f"{bound:g}"
                lines.append(f'{name}_bucket{{deployment="{slot}",le="{le}"}} {total}')
            lines.append(f'{name}_count{{deployment="{slot}"}} {total}')
            lines.append(f'{name}_sum{{deployment="{slot}"}} {served.sum_s:.3f}')
        if self._probed:
            lines += _metric("pikkit_probe_success", "gauge", "1 if the last bet through the load balancer was graded")
            lines.append(f"pikkit_probe_success {self._success}")
            lines += _metric("pikkit_probe_duration_seconds", "gauge", "How long that bet took")
            lines.append(f"pikkit_probe_duration_seconds {self._seconds:.4f}")
        lines += _metric("pikkit_slot_answers", "gauge", "1 if a slot that runs answers; 0: it hangs")
        lines += [
            f'pikkit_slot_answers{{deployment="{slot}"}} {int(count < _SILENT)}' for slot, count in self._silent.items()
        ]
        return "\n".join([*lines, ""])

    def _probe(self) -> None:
        stack = self._stack
        if not stack.router.wanted():
            self._probed = False
            return
        begin = stack.clock.monotonic()
        answer: Mapping[str, object] = stack.probe.predict(stack.settings.url, SMOKE_BET) or {}
        self._seconds = stack.clock.monotonic() - begin
        self._success = int("win_probability" in answer)
        self._probed = True

    def _ask_slots(self) -> None:
        stack = self._stack
        route = stack.router.get()
        wanted = route.targets() if route else ()
        for slot in SLOTS:
            if slot not in wanted or not stack.runtime.observe(slot).running:
                self._silent.pop(slot, None)
                continue
            answers = all(stack.probe.health(url) is not None for url in stack.runtime.base_urls(slot))
            self._silent[slot] = 0 if answers else self._silent.get(slot, 0) + 1
            if self._silent[slot] == _SILENT:
                said = f"{slot} runs but has not answered {_SILENT} times in a row: a worker hangs"
                stack.journal.write("supervise", "hangs", slot=slot)
                stack.progress.say(said)
                stack.tell(said)


def _metric(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
