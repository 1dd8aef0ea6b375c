"""`python -m benchmarks.serve [--gates]`: load on one worker of the real service, by wrk.

Prints requests/s, bets/s, p50, p95, p99, start-up and peak memory. `--gates` exits with 1 where the targets of an
idle machine with two cores are missed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support.server import Server

BET = {"sport": "Basketball", "league": "NBA", "market": "Moneyline", "institution_name": "DraftKings", "odds": -110}
SECONDS = 5
CASES = (
    ("predict", "/api/v1/predict", BET, 1, (1, 16, 64)),
    ("batch of 100", "/api/v1/batch-predict", {"bets": [BET] * 100}, 100, (1, 8)),
)


@dataclass(frozen=True)
class Result:
    """What wrk says of one case; latencies in milliseconds."""

    name: str
    clients: int
    per_second: float
    p50: float
    p95: float
    p99: float
    failed: int


def wrk(url: str, body: object, clients: int, seconds: int = SECONDS) -> tuple[float, dict[int, float], int]:
    """Requests per second, latency by percentile in milliseconds, failed requests."""
    program = shutil.which("wrk")
    if program is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    script = (
        'wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\n'
        f"wrk.body = {json.dumps(json.dumps(body))}\n"
        "done = function(summary, latency, requests)\n"
        '  io.write(string.format("RATE %f\\n", summary.requests / (summary.duration / 1e6)))\n'
        "  for _, p in pairs({50, 95, 99}) do\n"
        '    io.write(string.format("P%d %f\\n", p, latency:percentile(p) / 1000))\n'
        "  end\n"
        "  local e = summary.errors\n"
        '  io.write(string.format("FAILED %d\\n", e.connect + e.read + e.write + e.status + e.timeout))\n'
        "end\n"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = [program, "-t1", f"-c{clients}", f"-d{seconds}", "-s", file.name, url]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = float(re.findall(r"RATE ([\d.]+)", text)[0])
    percentiles = {int(p): float(value) for p, value in re.findall(r"P(\d+) ([\d.]+)", text)}
    return rate, percentiles, int(re.findall(r"FAILED (\d+)", text)[0])


class Memory:
    """Peak resident memory of the worker, in MiB, sampled while it serves."""

    def __init__(self, server: Server) -> None:
        family = psutil.Process(server.pid).children(recursive=True)
        self._worker = max(family, key=lambda process: process.memory_info().rss)
        self.peak = 0.0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ending.wait(0.2):
            self.peak = max(self.peak, self._worker.memory_info().rss / 2**20)

    def stop(self) -> float:
        """The peak so far."""
        self._ending.set()
        self._thread.join()
        return self.peak


def main() -> None:
    """Run all cases, or with `--gates` those of many clients, which the targets are about, and print them."""
    gates = "--gates" in sys.argv
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Server(folder, ACCESS_LOG=0):
            pass  # compiles the bytecode; the models are imported, as by `make serve`
        starts = []
        for _ in range(2):
            with Server(folder, ACCESS_LOG=0) as server:
                starts.append(server.ready_after)
        with Server(folder, ACCESS_LOG=0) as server:
            ready = min(*starts, server.ready_after)  # what else runs on the machine only makes it slower
            memory = Memory(server)
            results = []
            for title, path, body, _, clients in CASES:
                wrk(server.url + path, body, 4, 1)
                for c in clients[1:] if gates else clients:
                    rate, p, failed = wrk(server.url + path, body, c)
                    results.append(Result(title, c, rate, p[50], p[95], p[99], failed))
                    time.sleep(0.5)
            peak = memory.stop()
    print(f"ready after {ready:.1f} s (quickest of three starts), peak memory of the worker {peak:.0f} MiB\n")
    print("| case | clients | requests/s | bets/s | p50 ms | p95 ms | p99 ms | failed |")
    print("|---|---|---|---|---|---|---|---|")
    size = {title: bets for title, _, _, bets, _ in CASES}
    for r in results:
        figures = [f"{r.per_second:,.0f}", f"{r.per_second * size[r.name]:,.0f}", f"{r.p50:.2f}", f"{r.p95:.2f}"]
        print(f"| {r.name} | {r.clients} | {' | '.join(figures)} | {r.p99:.2f} | {r.failed} |")
    missed = _missed(results, ready, peak)
    if gates:
        print("\n".join(missed) or "every target is met")
        sys.exit(bool(missed))


def _missed(results: list[Result], ready: float, peak: float) -> list[str]:
    predict = next(r for r in results if (r.name, r.clients) == ("predict", 16))
    batch = next(r for r in results if (r.name, r.clients) == ("batch of 100", 8))
    targets = (
        (predict.per_second >= 2000, f"predict: {predict.per_second:.0f} requests/s, below 2,000"),
        (predict.p95 < 15, f"predict: p95 {predict.p95:.1f} ms, not below 15"),
        (batch.per_second >= 400, f"batch of 100: {batch.per_second:.0f} requests/s, below 400"),
        (ready < 3, f"ready after {ready:.1f} s, not below 3"),
        (peak < 300, f"{peak:.0f} MiB, not below 300"),
        (all(r.failed == 0 for r in results), "requests failed"),
    )
    return [words for met, words in targets if not met]


if __name__ == "__main__":
    main()
