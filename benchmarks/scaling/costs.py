"""What one worker's work costs, measured: the figures that docs/scaling.md and the simulation stand on.

CPU in microseconds a request, memory in MiB; the curve of one worker under requests that come by chance.
"""

from __future__ import annotations

import itertools
import os
import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from benchmarks.comparison.contestants import Case, Contestant, cpu_s, nginx
from benchmarks.comparison.report import ALONE, BATCH, GET, LEGACY, PREDICT
from benchmarks.load.loops import Opened, arrivals, open_loop
from benchmarks.load.mix import BET, one, requests
from tests.support.receiver import Call, StandIn
from tests.support.server import Server

__all__ = ["CURVES", "SHARES", "due_times", "measure"]

ROUNDS = 3
SHARES = (0.3, 0.5, 0.7, 0.8, 0.9, 1.1, 1.3)
SECONDS = 2.0
CONNECTIONS = 64
CURVES: Mapping[str, Case] = {"predict": PREDICT["field"], "batch of 100": BATCH["field"]}
LIMIT = 16  # of the worker whose curves are measured, so that batches are refused beyond it
_SERVERS, _CLIENT = {0}, {1}
_COSTED = (*PREDICT.values(), *BATCH.values(), ALONE, GET, LEGACY)
_SCRAPE = Case("scrape", "/metrics", "field", 1, query=True)
_ALERTS = 300
_HIGH = {**BET, "market": "1st Half Spread", "odds": 150, "institution_name": "Book"}
_PATIENCE_S = 20.0
_COUNTS = {0: 4000, 100: 600}  # requests of one client that its times are taken from


def due_times(rate: float, number: int) -> Any:
    """When the requests of one point of a curve are due; measured and simulated alike."""
    return arrivals(rate, round(rate * SECONDS), poisson=True, seed=number)


def measure(folder: Path) -> dict[str, Any]:
    """Everything, in about four minutes."""
    figures: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    }
    os.sched_setaffinity(0, _SERVERS)
    with ExitStack() as stack:
        places = [folder / name for name in ("costs", "curves")]
        for place in places:
            place.mkdir()
        server = stack.enter_context(Server(places[0], ACCESS_LOG=0))
        limited = stack.enter_context(Server(places[1], ACCESS_LOG=0, MAX_CONCURRENCY=LIMIT))
        url, proxy = stack.enter_context(nginx(server.url, folder))
        os.sched_setaffinity(0, _CLIENT)
        figures |= {"ready_s": round(server.ready_after, 1), **_costs(server, url, proxy)}
        figures["curves"] = {name: _curve(limited.url, case) for name, case in CURVES.items()}
    figures["alerts"] = _alerts(folder, figures["cpu_us"]["predict, unseen"])
    os.sched_setaffinity(0, _SERVERS | _CLIENT)
    return figures


def _costs(server: Server, proxied: str, proxy: int) -> dict[str, Any]:
    own = Contestant("own", server.url, [server.pid], server.ready_after)
    nginx_alone = Contestant("nginx", proxied, [proxy], 0.0)
    for _ in range(ROUNDS):
        for case in (*_COSTED, _SCRAPE):
            own.measure(case)
        for case in CURVES.values():
            nginx_alone.measure(case)
    before = cpu_s([server.pid])
    time.sleep(3)
    idle = (cpu_s([server.pid]) - before) / 3
    parent, worker = psutil.Process(server.pid), server.worker()
    cpu = {_named(case): round(statistics.median(own.cpu_us[case]), 1) for case in _COSTED}
    return {
        "cpu_us": cpu,
        "nginx_us": {name: round(statistics.median(nginx_alone.cpu_us[case]), 1) for name, case in CURVES.items()},
        "scrape_series": sum(not line.startswith("#") for line in httpx.get(f"{server.url}/metrics").text.splitlines()),
        "scrape_us": round(statistics.median(own.cpu_us[_SCRAPE])),
        "idle_cores": round(idle, 4),
        "worker_mib": round(worker.memory_info().rss / 2**20),
        "worker_own_mib": round(worker.memory_full_info().uss / 2**20),
        "parent_mib": round(parent.memory_info().rss / 2**20),
    }


def _named(case: Case) -> str:
    return f"{case.title}, {case.kind}" + (", one client" if case is ALONE else "")


def _closed(url: str, asked: Sequence[bytes], count: int, connections: int) -> Opened:
    """All are due at once: the open loop as a closed one."""
    return open_loop(url, itertools.cycle(asked), np.zeros(count), connections=connections)


def _curve(url: str, case: Case) -> dict[str, Any]:
    """The worker's capacity, its times for one client, and what it does at shares of its capacity."""
    asked = requests(case.kind, case.path, batch=case.batch)
    count = _COUNTS[case.batch]
    _closed(url, asked, count // 4, 1)
    alone, rates, full = [], [], []
    for _ in range(ROUNDS):
        alone += np.diff(np.sort(_closed(url, asked, count, 1).latencies)).tolist()
        seen = _closed(url, asked, 2 * count, LIMIT)
        rates.append(2 * count / seen.seconds)
        seen = _closed(url, asked, 4 * count, CONNECTIONS)
        full.append((4 * count - seen.failed, seen.failed, seen.seconds))
    capacity = statistics.median(rates)
    answered, refused, seconds = np.median(full, axis=0).tolist()
    points = []
    for share in SHARES:
        rounds = []
        for number in range(ROUNDS):
            due = due_times(share * capacity, number)
            rounds.append(_point(open_loop(url, itertools.cycle(asked), due, connections=CONNECTIONS)))
        points.append(
            {"share": share, **{name: round(statistics.median(r[name] for r in rounds), 3) for name in rounds[0]}}
        )
    return {
        "capacity": round(capacity, 1),
        "refusal_us": round(1e6 * max(seconds - answered / capacity, 0) / refused, 1) if refused else 0.0,
        "alone_ms": [round(float(np.percentile(alone, percent)), 4) for percent in np.linspace(0.5, 99.5, 100)],
        "points": points,
    }


def _point(seen: Opened) -> dict[str, float]:
    count = len(seen.latencies)
    return {
        "goodput": (count - seen.failed) / seen.seconds,
        "mean_ms": float(np.nanmean(seen.latencies)),
        "p50_ms": seen.ms(50),
        "p99_ms": seen.ms(99),
        "refused": seen.failed / count,
    }


def _alerts(folder: Path, plain_us: float) -> dict[str, float]:
    """CPU that an alert costs from the bet to the receiver, how fast they are delivered, what Supabase is asked."""
    key = "sb_secret_of_a_stand_in_0123456789"
    easy = {"GRADE_B_ROI": -50, "GRADE_B_CONFIDENCE": 0, "ALERTS_PER_HOUR": 0, "ACCESS_LOG": 0}

    def table(call: Call) -> tuple[int, dict[str, str], bytes]:
        return (200, {}, b"[]") if call.method == "GET" else (201, {}, b'[{"alert_id": "x"}]')

    place = folder / "alerts"
    place.mkdir()
    with StandIn(answer=table) as supabase:
        settings: dict[str, Any] = {
            "SUPABASE_URL": supabase.url,
            "SUPABASE_SERVICE_KEY": key,
            "ALERTS_ENABLED": "true",
            **easy,
        }
        os.sched_setaffinity(0, _SERVERS)
        with Server(place, **settings) as server:
            os.sched_setaffinity(0, _CLIENT)
            bets = ({**_HIGH, "event": f"A {n} @ B"} for n in range(_ALERTS))
            before, begin = cpu_s([server.pid]), time.monotonic()
            seen = open_loop(
                server.url, (one("/api/v1/predict", bet) for bet in bets), np.zeros(_ALERTS), connections=4
            )
            assert seen.failed == 0
            calls, still = -1, time.monotonic()
            while time.monotonic() - begin < _PATIENCE_S and time.monotonic() - still < 5:
                if len(supabase.calls) != calls:
                    calls, still = len(supabase.calls), time.monotonic()
                time.sleep(0.05)
            used = cpu_s([server.pid]) - before
    delivered = len({call.json["alert_id"] for call in supabase.calls if call.method == "POST"})
    return {
        "us": round(1e6 * used / max(delivered, 1) - plain_us),
        "delivered": delivered,
        "per_s": round(delivered / (still - begin), 1),
        "supabase_calls": round(len(supabase.calls) / max(delivered, 1), 2),
    }
