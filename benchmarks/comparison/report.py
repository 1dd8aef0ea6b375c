"""What the measurements say, as Markdown and as a picture: tables, and which targets are met."""

from __future__ import annotations

import math
import operator
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.comparison.contestants import NEAR, Case, Contestant
from benchmarks.comparison.latency import PERCENTS, SLOW_MS, Stalls, Waits
from benchmarks.comparison.starts import Starts
from benchmarks.load.mix import KINDS

__all__ = ["BEHIND", "LIMIT", "OWN", "OWN_CASES", "SHARED_CASES", "Results"]

OWN, BEHIND = "this service", "this service behind Nginx"
LIMIT, TUNED, NAIVE = (rival.name for rival in NEAR)
_PREDICT, _BATCH = "/api/v1/predict", "/api/v1/batch-predict"
ALONE = Case("predict", _PREDICT, "field", 1)
PREDICT = {kind: Case("predict", _PREDICT, kind, 16) for kind in KINDS}
BATCH = {kind: Case("batch of 100", _BATCH, kind, 8, batch=100) for kind in KINDS}
SHARED_CASES = (ALONE, *PREDICT.values(), *BATCH.values())
GET = Case("GET", _PREDICT, "field", 16, query=True)
LEGACY = Case("legacy GET", "/ml-predict", "field", 16, query=True)
LEGACY_BATCH = Case("legacy batch of 100", "/batch-predict", "field", 8, batch=100)
EXPLAIN = Case("explain", f"{_PREDICT}?explain=true", "field", 16)
UNPRICED = {clients: Case("batch of 100", _BATCH, "unpriced", clients, batch=100) for clients in (1, 8)}
PRICED_ALONE = Case("batch of 100", _BATCH, "prices", 1, batch=100)
OWN_CASES = (GET, LEGACY, EXPLAIN, LEGACY_BATCH, PRICED_ALONE, *UNPRICED.values())
WORKERS = Case("batch of 100", _BATCH, "field", 16, batch=100)


@dataclass(frozen=True)
class Results:
    """All that one run measured."""

    contestants: Sequence[Contestant]
    waits: Sequence[Waits]
    stalls: Stalls
    starts: Starts
    workers: Mapping[int, Contestant]

    def markdown(self) -> str:
        """Targets first, then every table."""
        parts = [self._targets(), *self._rates(), self._routes(), self._open(), self._rest()]
        return "\n\n".join(parts)

    def _of(self, name: str) -> Contestant:
        return next(one for one in self.contestants if one.name == name)

    def _ratio(self, case: Case, other: str) -> float:
        return self._of(OWN).rate(case) / self._of(other).rate(case)

    def _targets(self) -> str:
        own = self._of(OWN)

        def within(case: Case, of: Case) -> float:
            return own.rate(case) / own.rate(of)

        busy = next(w for w in self.waits if (w.name, w.share, w.poisson) == (OWN, 0.8, False))
        away = f"but for {self.stalls.held_up:,} while the machine's cores were taken away"
        least = (
            ("predict, of the limit", 0.36, self._ratio(PREDICT["field"], LIMIT)),
            ("predict, of hand-tuned FastAPI", 2.6, self._ratio(PREDICT["field"], TUNED)),
            ("batches of 100, of hand-tuned FastAPI", 1.2, self._ratio(BATCH["field"], TUNED)),
            ("GET, of POST", 0.8, within(GET, PREDICT["field"])),
            ("legacy GET, of POST", 0.8, within(LEGACY, PREDICT["field"])),
            ("legacy batches, of batches", 0.8, within(LEGACY_BATCH, BATCH["field"])),
            ("all with `market_prices`, of the field's", 0.7, within(PREDICT["prices"], PREDICT["field"])),
            ("the same in batches", 0.7, within(BATCH["prices"], BATCH["field"])),
            ("batches with `market_prices`, of the very same without", 0.67, within(PRICED_ALONE, UNPRICED[1])),
            ("the same where 8 clients' batches share model calls", 0.67, within(BATCH["prices"], UNPRICED[8])),
            ("`explain`, of without", 0.4, within(EXPLAIN, PREDICT["field"])),
        )
        most = (
            ("p99 at 80 % load, of p50", 4.0, busy.ms(99) / busy.ms(50)),
            (f"requests above {SLOW_MS} ms of {self.stalls.requests:,}, {away}", 0, self.stalls.slow),
            ("failed ones of these", 0, self.stalls.failed),
            ("MiB that the worker grew in these, from the first swap to the last", 5, self.stalls.growth_mib),
            ("memory of the worker, MiB (what it shares with none)", 140, own.own_mib),
            ("ready after s", 2, statistics.median(self.starts.ready_s)),
            ("first answer, of the hundredth", 2, self.starts.ratio("predict")),
            ("first explained answer, of the hundredth", 2, self.starts.ratio("explain")),
        )
        lines = ["## Targets", "", "Field mix, one worker.", "", "| | wanted | seen | |", "|---|---|---|---|"]
        for words, met_by, rows in (("≥", operator.ge, least), ("≤", operator.le, most)):
            for what, wanted, seen in rows:
                met = "met" if met_by(seen, wanted) else "**missed**"
                lines.append(f"| {what} | {words} {wanted:g} | {_figure(seen)} | {met} |")
        return "\n".join(lines)

    def _rates(self) -> list[str]:
        tables = []
        for title, cases in (("One bet a request, 16 clients", PREDICT), ("Batches of 100, 8 clients", BATCH)):
            field = cases["field"]
            lines = [
                f"## {title}", "",
                "| requests/s | " + " | ".join(KINDS) + " | field: of the limit | bets/s | p50 ms | p99 ms | CPU µs |",
                "|---" * (len(KINDS) + 6) + "|",
            ]  # fmt: skip
            for one in self.contestants:
                rates = [f"{one.rate(case):,.0f} ± {100 * one.spread(case):.0f} %" for case in cases.values()]
                loads = one.loads[field]
                more = [
                    f"{100 * one.rate(field) / self._of(LIMIT).rate(field):.0f} %",
                    f"{one.rate(field) * field.bets:,.0f}",
                    f"{statistics.median(load.p50 for load in loads):.2f}",
                    f"{statistics.median(load.p99 for load in loads):.2f}",
                    f"{statistics.median(one.cpu_us[field]) / field.bets:,.1f}",
                ]
                lines.append(f"| {one.name} | {' | '.join(rates + more)} |")
            tables.append("\n".join(lines))
        return tables

    def _routes(self) -> str:
        own = self._of(OWN)
        lines = [
            "## Other routes of this service, field mix", "",
            "| | clients | requests/s | CPU µs/bet |", "|---|---|---|---|",
        ]  # fmt: skip
        for case in (PREDICT["field"], GET, LEGACY, EXPLAIN, BATCH["field"], LEGACY_BATCH):
            rate, cpu = f"{own.rate(case):,.0f} ± {100 * own.spread(case):.0f} %", statistics.median(own.cpu_us[case])
            lines.append(f"| {case.title} | {case.clients} | {rate} | {cpu / case.bets:,.1f} |")
        return "\n".join(lines)

    def _open(self) -> str:
        lines = [
            "## What a caller waits, field mix, one bet a request", "",
            ("An open loop: requests are due evenly, or by chance as independent callers send them (Poisson), at a "
             "share of what 16 clients got through; a wait counts from when the request was due. The limit is asked at "
             "this service's rates: what its callers wait is the part of the machine and of who asks."), "",
            "| | load | due | " + " | ".join(f"p{percent:g} ms" for percent in PERCENTS) + " |",
            "|---|---|---|" + "---|" * len(PERCENTS),
        ]  # fmt: skip
        for waits in self.waits:
            figures = " | ".join(f"{waits.ms(percent):.2f}" for percent in PERCENTS)
            due = "by chance" if waits.poisson else "evenly"
            lines.append(f"| {waits.name} | {100 * waits.share:.0f} % | {due} | {figures} |")
        s = self.stalls
        told = (
            f"{s.slow + s.held_up:,} took more than {SLOW_MS} ms, {s.held_up:,} of them while the hypervisor ran "
            "something else on this machine's cores, as the system counts it (steal). Of all others the longest took "
            f"{s.worst_ms:.0f} ms; {s.failed} failed. A server with a constant answer, at the same rate and with "
            f"nothing else going on, such times left out as well: {s.floor_slow} of "
            f"{s.requests // 10:,}, the longest {s.floor_worst_ms:.0f} ms"
        )
        going_on = "sets are converted on the same core and swapped, scrapes and logs go on"
        lines += ["", f"{s.requests:,} requests at half the load while {going_on}: {told}."]
        return "\n".join(lines)

    def _rest(self) -> str:
        lines = [
            "## One client, start, memory", "",
            "| | p50 ms | p99 ms | first answer after s | largest process MiB |", "|---|---|---|---|---|",
        ]  # fmt: skip
        for one in self.contestants:
            loads = one.loads[ALONE]
            p50, p99 = (statistics.median(values) for values in ([x.p50 for x in loads], [x.p99 for x in loads]))
            lines.append(f"| {one.name} | {p50:.2f} | {p99:.2f} | {one.start_s:.1f} | {one.memory_mib:.0f} |")
        lines += ["", "## Workers, batches of 100, both cores with wrk on them too", "",
                  "| workers | bets/s | cores that they used |", "|---|---|---|"]  # fmt: skip
        for number, one in self.workers.items():
            rate = one.rate(WORKERS)
            cores = rate * statistics.median(one.cpu_us[WORKERS]) / 1e6
            lines.append(f"| {number} | {100 * rate:,.0f} ± {100 * one.spread(WORKERS):.0f} % | {cores:.2f} |")
        return "\n".join(lines)

    def picture(self) -> str:
        """Bets per second of each, for single bets and for batches, as SVG; the scale is logarithmic."""
        bars = []
        top = 60
        for case in (PREDICT["field"], BATCH["field"]):
            bars.append(
                f'<text x="10" y="{top}" font-weight="bold">{case.title}, {case.clients} clients: bets/s</text>'
            )
            for one in sorted(self.contestants, key=lambda one: -one.rate(case)):
                top += 22
                rate = one.rate(case) * case.bets
                width = 80 * math.log10(max(rate, 10)) - 80
                colour = "#2f6f4f" if one.name.startswith("this") else "#9aa5b1"
                bars.append(
                    f'<text x="290" y="{top}" text-anchor="end">{one.name}</text>'
                    f'<rect x="300" y="{top - 12}" width="{width:.0f}" height="15" fill="{colour}"/>'
                    f'<text x="{306 + width:.0f}" y="{top}">{rate:,.0f}</text>'
                )
            top += 44
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="800" height="{top}" font-family="sans-serif" '
            'font-size="13"><rect width="100%" height="100%" fill="white"/>'
            '<text x="10" y="26" font-size="16">What one core grades, different bets (logarithmic)</text>'
            + "".join(bars) + "</svg>\n"
        )  # fmt: skip


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.2f}"
