"""Deployments in figures: switch time, rollback time, latency that Nginx adds, dropped requests.

`python -m benchmarks.switch` prints a Markdown table. It starts a stack of its own on free ports, with stub
services that answer at once, so that what is measured is the deploy module and Nginx and not a model.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from deploy.flow import operations
from tests.support.deploy_load import Tally, load
from tests.support.deploy_rig import Rig

SWITCHES = 100
SECONDS = 5.0


def main() -> None:
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder, Rig(Path(folder), DEPLOY_ACCESS_LOG="false") as rig:
        rig.release("1", "2")
        rig.do(operations.deploy, "1")
        rig.do(operations.deploy, "2")
        direct, proxied = measure(rig.port + 2, 4), measure(rig.port, 4)
        switches, tally = switch_under_load(rig)
        command = timed(lambda: rig.run("rollback"))
        deploy = timed(lambda: rig.do(operations.deploy, "2"))
        within = timed(lambda: rig.do(operations.rollback))
    p50, p95 = (quantile(proxied, q) - quantile(direct, q) for q in (0.5, 0.95))
    rows = [
        ("switch under load, set to read back, p50", f"{statistics.median(switches) * 1000:.1f} ms"),
        ("switch under load, worst", f"{max(switches) * 1000:.1f} ms"),
        ("rollback, whole command with the start of Python and drain", f"{command:.2f} s"),
        ("rollback, without the start of Python", f"{within:.2f} s"),
        ("deploy of a built release, gates and drain included", f"{deploy:.2f} s"),
        ("latency added by Nginx, 4 clients, p50", f"{p50 * 1000:.2f} ms"),
        ("latency added by Nginx, 4 clients, p95", f"{p95 * 1000:.2f} ms"),
        (f"dropped requests, 64 clients, {len(switches)} switches", f"{tally.failed} of {tally.requests:,}"),
    ]
    print("| What | Figure |\n|---|---|")
    for name, figure in rows:
        print(f"| {name} | {figure} |")


def measure(port: int, clients: int) -> Tally:
    """Load for a few seconds."""
    tally = Tally()

    async def run() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(load(port, tally, stop, clients=clients))
        await asyncio.sleep(SECONDS)
        stop.set()
        await running

    asyncio.run(run())
    return tally


def switch_under_load(rig: Rig) -> tuple[list[float], Tally]:
    """Seconds of each switch, and what clients saw meanwhile. Ends with green as production."""
    tally, router = Tally(), rig.stack().router
    taken: list[float] = []

    async def run() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(load(rig.port, tally, stop, clients=64))
        for number in range(SWITCHES):
            route = router.get()
            assert route is not None
            begin = time.perf_counter()
            await asyncio.to_thread(router.set, route.moved(production="green" if number % 2 else "blue", spare=None))
            taken.append(time.perf_counter() - begin)
            await asyncio.sleep(0.1)
        stop.set()
        await running

    asyncio.run(run())
    return taken, tally


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def quantile(tally: Tally, q: float) -> float:
    """Of the latencies, in seconds."""
    return sorted(tally.seconds)[int(q * len(tally.seconds))]


if __name__ == "__main__":
    main()
