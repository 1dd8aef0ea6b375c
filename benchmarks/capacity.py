"""`make capacity`: measures what one worker's work costs, simulates what follows from it, and rewrites docs/scaling.md.

`--simulate` takes the costs that were measured last (benchmarks/capacity.json). The document's text is written by hand;
its tables, between the two marks, are this command's.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load.loops import arrivals
from benchmarks.scaling.costs import CONNECTIONS, CURVES, LIMIT, ROUNDS, due_times, measure
from benchmarks.scaling.queueing import Cost, Events, Fleet, one_worker
from tests.support.need import root

__all__ = ["cost_of", "simulated", "tables"]

FIGURES, DOCUMENT = Path("benchmarks/capacity.json"), Path("docs/scaling.md")
BEGIN, END = "<!-- measured and simulated by `make capacity` -->", "<!-- end -->"
WITHIN = 0.15
STEADY = 0.8  # above it a wait multiplies each error of the capacity
PODS, LOAD, SECONDS = 100, 0.7, 10.0
POLICIES = ("in turn", "of two")
PROBE_S, FAILURES = 3.0, 2  # of the pods' readiness, as in deploy/kubernetes
DEFAULT_LIMIT = 256  # MAX_CONCURRENCY
GONE_S = 1.0  # until a pod that died is taken from the list
DRAIN_S = 1.0

Happening = Callable[[Fleet], Events]


def cost_of(curve: Mapping[str, Any], *, together: bool) -> Cost:
    """The simulated worker: at its capacity turns are shared by many, for one client each request has its own."""
    alone = np.array(curve["alone_ms"]) / 1000
    share = 1 / curve["capacity"]
    turn = max(float(alone.mean()) - share, 0.0) / 2  # half of it is the client's and the wire's
    return Cost(
        service=(alone / alone.mean() * (share - turn / LIMIT)).tolist(),
        turn=turn,
        refusal=curve["refusal_us"] / 1e6,
        limit=LIMIT if together else 10**9,
        wire=turn,
        together=together,
    )


def simulated(curve: Mapping[str, Any], *, together: bool) -> list[dict[str, float]]:
    """The points of the measured curve, simulated with the same arrivals."""
    cost, points = cost_of(curve, together=together), []
    for point in curve["points"]:
        rounds = []
        for number in range(ROUNDS):
            due = due_times(point["share"] * curve["capacity"], number)
            seen = one_worker(cost, due, connections=CONNECTIONS, seed=number)
            answered = seen.latencies[~np.isnan(seen.latencies)] * 1000
            p50, p99 = np.percentile(answered, [50, 99]).tolist()
            rounds.append((len(answered) / seen.last, float(answered.mean()), p50, p99, 1 - len(answered) / len(due)))
        middle = np.median(rounds, axis=0).tolist()
        points.append(dict(zip(("goodput", "mean_ms", "p50_ms", "p99_ms", "refused"), middle, strict=True)))
    return points


def _curves(figures: Mapping[str, Any]) -> str:
    lines = []
    for name, case in CURVES.items():
        curve = figures["curves"][name]
        found = simulated(curve, together=case.batch > 0)
        rate = [abs(s["goodput"] / m["goodput"] - 1) for m, s in zip(curve["points"], found, strict=True)]
        wait = [
            abs(s["mean_ms"] / m["mean_ms"] - 1)
            for m, s in zip(curve["points"], found, strict=True)
            if m["share"] <= STEADY
        ]
        lines += [
            f"### One worker, {name}: measured / simulated", "",
            (f"Capacity {curve['capacity']:,.0f} requests a second. What is answered differs by at most "
             f"{100 * max(rate):.0f} %, {_verdict(rate)} the {100 * WITHIN:.0f} % it is held to; the mean wait "
             f"at up to {100 * STEADY:.0f} % load by {100 * max(wait):.0f} %, {_verdict(wait)} them."), "",
            "| load | answered/s | refused | mean ms | p50 ms | p99 ms |", "|---|---|---|---|---|---|",
        ]  # fmt: skip
        for m, s in zip(curve["points"], found, strict=True):
            pairs = [
                f"{m['goodput']:,.0f} / {s['goodput']:,.0f}",
                f"{100 * m['refused']:.0f} / {100 * s['refused']:.0f} %",
            ]
            pairs += [f"{m[key]:.2f} / {s[key]:.2f}" for key in ("mean_ms", "p50_ms", "p99_ms")]
            lines.append(f"| {100 * m['share']:.0f} % | {' | '.join(pairs)} |")
        lines.append("")
    return "\n".join(lines)


def _verdict(deviations: Sequence[float]) -> str:
    return "within" if max(deviations) <= WITHIN else "**outside**"


def _each(pods: Sequence[int], at: float, begin: Callable[[Fleet, int], None], end: Callable[[Fleet, int], None],
          lasts: float, step: float = 0.0) -> Happening:  # fmt: skip
    """Something begins at each of these pods, one after the other, and ends."""

    def happen(fleet: Fleet) -> Events:
        yield fleet.env.timeout(at)
        for pod in pods:
            fleet.env.process(_spell(fleet, pod, begin, end, lasts))
            yield fleet.env.timeout(step)

    return happen


def _spell(
    fleet: Fleet, pod: int, begin: Callable[[Fleet, int], None], end: Callable[[Fleet, int], None], lasts: float
) -> Events:
    begin(fleet, pod)
    yield fleet.env.timeout(lasts)
    end(fleet, pod)


def _set(**values: float | bool) -> Callable[[Fleet, int], None]:
    def change(fleet: Fleet, pod: int) -> None:
        for name, value in values.items():
            setattr(fleet.pods[pod], name, value)

    return change


def _kill(fleet: Fleet, pod: int) -> None:
    fleet.pods[pod].kill()


def _start(fleet: Fleet, pod: int) -> None:
    fleet.pods[pod].start()
    fleet.pods[pod].listed = True


def scenarios(ready_s: float) -> Mapping[str, Sequence[Happening]]:
    """What happens to a hundred pods, by what it is called."""
    unlist, listed = _set(listed=False), _set(listed=True)
    seen_after = PROBE_S * FAILURES
    return {
        "nothing": (),
        "5 at a third of their speed": (_each(range(5), 1, _set(pace=3.0), _set(pace=1.0), SECONDS),),
        "3 that answer every request with an error": (
            _each(range(3), 1, _set(broken=True), _set(broken=False), SECONDS),
            _each(range(3), 1 + seen_after, unlist, listed, SECONDS),
        ),
        "20 killed, one every 0.2 s": (
            _each(range(20), 1, _kill, _start, ready_s, 0.2),
            _each(range(20), 1 + GONE_S, unlist, lambda _fleet, _pod: None, 0, 0.2),
        ),
        "a deploy, 10 at a time": tuple(
            _each(range(10 * n, 10 * n + 10), 0.5 + n, unlist, listed, DRAIN_S) for n in range(8)
        ),
        "a tenth of them away": (_each(range(10), 0.5, unlist, listed, SECONDS),),
    }


def _fleet(figures: Mapping[str, Any]) -> str:
    curve = figures["curves"]["batch of 100"]
    cost = replace(cost_of(curve, together=True), limit=DEFAULT_LIMIT)
    rate = LOAD * PODS * curve["capacity"]
    due = arrivals(rate, round(rate * SECONDS), poisson=True)
    lines = [
        f"### {PODS} pods at {100 * LOAD:.0f} %, batches of 100", "",
        (f"{rate:,.0f} batches a second ({100 * rate / 1e6:.1f} M bets) for {SECONDS:.0f} s, by each pod in turn / by "
         "the one of two random pods that has fewer requests unanswered."), "",
        "| pods | p50 ms | p99 ms | p99.9 ms | errors of a million |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, happenings in scenarios(figures["ready_s"]).items():
        columns = []
        for policy in POLICIES:
            seen = Fleet(cost, due, pods=PODS, policy=policy).run(*happenings)
            bad = 1e6 * float(np.isnan(seen.latencies).mean())
            waits = np.nanpercentile(seen.latencies * 1000, [50, 99, 99.9]).tolist()
            columns.append([*(f"{wait:.1f}" for wait in waits), f"{bad:,.0f}"])
        lines.append(f"| {name} | " + " | ".join(" / ".join(pair) for pair in zip(*columns, strict=True)) + " |")
    return "\n".join(lines)


def _receiver_down(figures: Mapping[str, Any]) -> str:
    """What waits while the receiver is down and how long it takes afterwards; what no simulation is needed for."""
    room, down = 50_000, 600.0
    per_s = figures["alerts"]["per_s"]
    lines = [
        "### A receiver that is down for ten minutes", "",
        f"A pod delivers {per_s:,.0f} alerts a second at most, when it asks Supabase alone.", "",
        "| alerts a second and pod | waiting at the end | lost | caught up after s |", "|---|---|---|---|",
    ]  # fmt: skip
    for rate in (60 / 3600, 1.0, 10.0, 100.0):
        waits = min(rate * down, room)
        caught = f"{waits / (per_s - rate):,.0f}" if per_s > rate else "never"
        lines.append(f"| {rate:.3g} | {waits:,.0f} | {max(rate * down - room, 0):,.0f} | {caught} |")
    return "\n".join(lines)


def _costs(figures: Mapping[str, Any]) -> str:
    lines = ["### What things cost", "", f"{figures['machine']}.", "", "| | CPU µs |", "|---|---|"]
    lines += [f"| {name}, a request | {value:,.0f} |" for name, value in figures["cpu_us"].items()]
    lines += [f"| Nginx, {name}, a request | {value:,.0f} |" for name, value in figures["nginx_us"].items()]
    alerts = figures["alerts"]
    lines += [
        f"| a scrape of one worker | {figures['scrape_us']:,.0f} |",
        f"| an alert, from the bet to Supabase ({alerts['supabase_calls']:.1f} calls) | {alerts['us']:,.0f} |",
        f"| a worker without requests, of a core | {100 * figures['idle_cores']:.1f} % |",
        f"| memory of a worker, MiB (its own: {figures['worker_own_mib']}) | {figures['worker_mib']} |",
        f"| memory of its parent process, MiB | {figures['parent_mib']} |",
        f"| from start to ready, s | {figures['ready_s']:.1f} |",
    ]
    return "\n".join(lines)


def _sizes(figures: Mapping[str, Any]) -> str:
    series: int = figures["scrape_series"]
    singles, batches = (figures["curves"][name]["capacity"] for name in CURVES)
    lines = [
        "### Pods of one worker", "",
        f"At {100 * LOAD:.0f} % of what a worker answers, and one more for every ten, for deploys and deaths.", "",
        "| bets a second | sent one by one | in batches of 100 | Nginx, cores | series to scrape |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    for bets in (1000, 10_000, 100_000, 1_000_000):
        single, many = (max(math.ceil(1.1 * bets / (LOAD * rate)), 2) for rate in (singles, 100 * batches))
        proxies = (bets * figures["nginx_us"]["predict"] / 1e6, bets / 100 * figures["nginx_us"]["batch of 100"] / 1e6)
        cores = " / ".join(f"{cores:.1f}" for cores in proxies)
        lines.append(f"| {bets:,} | {single:,} | {many:,} | {cores} | {single * series:,} / {many * series:,} |")
    return "\n".join(lines)


def tables(figures: Mapping[str, Any]) -> str:
    """All of the document that is measured or simulated."""
    parts = (_costs, _sizes, _curves, _fleet, _receiver_down)
    return "\n\n".join(part(figures).strip() for part in parts)


def main() -> None:
    """Measure, unless told not to; simulate; rewrite the document."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--simulate", action="store_true", help="take the costs that were measured last")
    simulate: bool = asked.parse_args().simulate
    file, document = root() / FIGURES, root() / DOCUMENT
    if not simulate:
        with tempfile.TemporaryDirectory() as name:
            figures = measure(Path(name))
        file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    told = tables(json.loads(file.read_text(encoding="utf-8")))
    text = document.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    document.write_text(f"{before}{BEGIN}\n{told}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    print(told)


if __name__ == "__main__":
    main()
