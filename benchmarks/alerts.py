"""`python -m benchmarks.alerts`: what alerts cost a prediction, as a ratio to the same service with alerts off.

One request in twenty raises one, as with the grades that models give; `--all` has every request raise one; `--locked`
none, while another process holds the outbox.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx

from tests.support.receiver import StandIn
from tests.support.server import Server

ROUNDS, REQUESTS, CLIENTS = 12, 1000, 8
SHARES = (0.5, 0.95, 0.99)
A_BET = {"sport": "Basketball", "league": "NBA", "market": "1st Half Spread"}


async def _load(urls: Mapping[str, str], first: int, every: int) -> dict[str, list[float]]:
    """Seconds of each request by mode; each is sent to both in turn, so that what else the machine does hits both.

    One in `every` raises an alert; 0: none.
    """
    times: dict[str, list[float]] = {mode: [] for mode in urls}
    numbers = iter(range(first, first + REQUESTS))

    async def client() -> None:
        async with AsyncExitStack() as stack:
            https = {
                mode: await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=30))
                for mode, url in urls.items()
            }
            for number in numbers:
                raises = every > 0 and number % every == 0
                bet = {**A_BET, "institution_name": f"Book {number}" if raises else "Book", "odds": 150}
                for mode in sorted(urls, reverse=number % 2 == 0):
                    begin = time.perf_counter()
                    answer = await https[mode].post("/api/v1/predict", json=bet)
                    times[mode].append(time.perf_counter() - begin)
                    assert answer.status_code == 200

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return times


def main() -> None:
    """Rounds with alerts on and off, request by request in turn; the median of their ratios, and half of them."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--all", action="store_true", help="every request raises one")
    asked.add_argument("--locked", action="store_true", help="none does, while another process holds the outbox")
    options = asked.parse_args()
    locked: bool = options.locked
    every = 0 if locked else 1 if options.all else 20
    found: dict[str, list[tuple[float, ...]]] = {"on": [], "off": []}
    with tempfile.TemporaryDirectory() as name, StandIn() as receiver:
        folders = {mode: Path(name) / mode for mode in found}
        for folder in folders.values():
            folder.mkdir()
        # Unknown books lower the confidence: grades are as generous here as it takes to raise an alert each time.
        easy: dict[str, Any] = {"ACCESS_LOG": 0, **({} if locked else {"GRADE_B_ROI": -50, "GRADE_B_CONFIDENCE": 0})}
        url = f"{receiver.url}/webhook/x"
        with (
            Server(folders["on"], ALERTS_ENABLED="true", N8N_WEBHOOK_URL=url, **easy) as on,
            Server(folders["off"], **easy) as off,
        ):
            urls = {"on": on.url, "off": off.url}
            if locked:
                blocker = sqlite3.connect(folders["on"] / "data/alerts.sqlite3", isolation_level=None)
                blocker.execute("BEGIN EXCLUSIVE")
            for number in range(ROUNDS + 1):
                for mode, times in asyncio.run(_load(urls, number * REQUESTS, every)).items():
                    if number:  # the first one warms up
                        times.sort()
                        found[mode].append(tuple(times[int(len(times) * share)] for share in SHARES))
        raised = len(receiver.calls)
    for i, percentile in enumerate(SHARES):
        on_ms, off_ms = (1000 * statistics.median(run[i] for run in found[mode]) for mode in ("on", "off"))
        ratios = [on[i] / off[i] for on, off in zip(found["on"], found["off"], strict=True)]
        low, ratio, high = statistics.quantiles(ratios, n=4)
        print(
            f"p{100 * percentile:.0f}: {on_ms:.2f} ms with alerts, {off_ms:.2f} ms without; ratio {ratio:.2f}, "
            f"the median of {ROUNDS} rounds, half of them from {low:.2f} to {high:.2f}"
        )
    print(f"{raised} alerts were delivered meanwhile")


if __name__ == "__main__":
    main()
