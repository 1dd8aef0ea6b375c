"""`python -m benchmarks.serve [--gates]`: load on one worker of the real service, by wrk.

Prints requests/s, bets/s, p50, p95, p99, start-up and peak memory. `--gates` exits with 1 where the targets of an
idle machine with two cores are missed.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.comparison.contestants import Case
from benchmarks.comparison.report import ALONE, BATCH, PREDICT
from benchmarks.load.loops import Load, wrk
from benchmarks.load.mix import requests
from tests.support.server import Server

SECONDS = 5
GATED = (PREDICT["field"], BATCH["field"])


class Memory:
    """Peak resident memory of the worker, in MiB, sampled while it serves."""

    def __init__(self, server: Server) -> None:
        self._worker = server.worker()
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
    """Load and print; with `--gates` the two cases alone that the targets are about, and whether they are met."""
    gates = "--gates" in sys.argv
    results: dict[Case, Load] = {}
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
            for case in GATED if gates else (ALONE, *GATED):
                asked = requests(case.kind, case.path, batch=case.batch)
                wrk(server.url, asked, 4, 1)
                results[case] = wrk(server.url, asked, case.clients, SECONDS)
                time.sleep(0.5)
            peak = memory.stop()
    print(f"ready after {ready:.1f} s (quickest of three starts), peak memory of the worker {peak:.0f} MiB\n")
    print("| case | clients | requests/s | bets/s | p50 ms | p95 ms | p99 ms | failed |")
    print("|---|---|---|---|---|---|---|---|")
    for case, load in results.items():
        rates = f"{load.rate:,.0f} | {load.rate * case.bets:,.0f}"
        print(f"| {case.title} | {case.clients} | {rates} | {load.p50:.2f} | {load.p95:.2f} | {load.p99:.2f} "
              f"| {load.failed} |")  # fmt: skip
    missed = _missed(results, ready, peak)
    if gates:
        print("\n".join(missed) or "every target is met")
        sys.exit(bool(missed))


def _missed(results: Mapping[Case, Load], ready: float, peak: float) -> list[str]:
    predict, batch = (results[case] for case in GATED)
    targets = (
        (predict.rate >= 2000, f"predict: {predict.rate:.0f} requests/s, below 2,000"),
        (predict.p95 < 15, f"predict: p95 {predict.p95:.1f} ms, not below 15"),
        (batch.rate >= 400, f"batch of 100: {batch.rate:.0f} requests/s, below 400"),
        (ready < 3, f"ready after {ready:.1f} s, not below 3"),
        (peak < 300, f"{peak:.0f} MiB, not below 300"),
        (all(load.failed == 0 for load in results.values()), "requests failed"),
    )
    return [words for met, words in targets if not met]


if __name__ == "__main__":
    main()
