"""`python -m benchmarks.alerts`: what alerts cost a prediction, as a ratio to the same service with alerts off.

One request in twenty raises one, as with the grades that models give; `--all` has every request raise one.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests.support.receiver import StandIn
from tests.support.server import Server

REPEATS, REQUESTS, CLIENTS = 5, 1500, 8
EVERY = "--all" in sys.argv
A_BET = {"sport": "Basketball", "league": "NBA", "market": "1st Half Spread"}


async def _load(url: str, first: int) -> list[float]:
    times: list[float] = []
    numbers = iter(range(first, first + REQUESTS))

    async def client(http: httpx.AsyncClient) -> None:
        for number in numbers:
            raises = EVERY or number % 20 == 0
            bet = {**A_BET, "institution_name": f"Book {number}" if raises else "Book", "odds": 150}
            begin = time.perf_counter()
            answer = await http.post("/api/v1/predict", json=bet)
            times.append(time.perf_counter() - begin)
            assert answer.status_code == 200

    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        await asyncio.gather(*(client(http) for _ in range(CLIENTS)))
    return times


def main() -> None:
    """Interleaved runs with alerts on and off; medians of p50 and p95, and their ratios."""
    found: dict[str, list[tuple[float, float]]] = {"on": [], "off": []}
    with tempfile.TemporaryDirectory() as name, StandIn() as receiver:
        folders = {mode: Path(name) / mode for mode in found}
        for folder in folders.values():
            folder.mkdir()
        # Unknown books lower the confidence: grades are as generous here as it takes to raise an alert each time.
        easy: dict[str, float] = {"GRADE_B_ROI": -50, "GRADE_B_CONFIDENCE": 0, "ACCESS_LOG": 0}
        url = f"{receiver.url}/webhook/x"
        with (
            Server(folders["on"], ALERTS_ENABLED="true", N8N_WEBHOOK_URL=url, **easy) as on,  # type: ignore[arg-type]
            Server(folders["off"], **easy) as off,  # type: ignore[arg-type]
        ):
            servers = {"on": on, "off": off}
            for repeat in range(REPEATS):
                for mode, server in servers.items():
                    times = sorted(asyncio.run(_load(server.url, repeat * REQUESTS)))
                    found[mode].append((times[len(times) // 2], times[int(len(times) * 0.95)]))
        raised = len(receiver.calls)
    for i, percentile in enumerate(("p50", "p95")):
        on_ms, off_ms = (1000 * statistics.median(run[i] for run in found[mode]) for mode in ("on", "off"))
        print(f"{percentile}: {on_ms:.2f} ms with alerts, {off_ms:.2f} ms without, ratio {on_ms / off_ms:.2f}")
    print(f"{raised} alerts were delivered meanwhile")


if __name__ == "__main__":
    main()
