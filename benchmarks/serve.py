"""`python -m benchmarks.serve [--gates]`: load on one worker of the real service, by wrk.

Prints requests/s, bets/s, p50, p95, p99, start-up and peak memory. What else runs on the
machine takes time from the clock. So `--gates` go by processor time, and by how far p95 lies above the mean latency
(clients / rate, in a closed loop): exits with 1 where the best of TRIES is worse than the targets of an idle machine
with two cores allow, and the half more that a busy one's caches cost.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.comparison.contestants import Case
from benchmarks.comparison.report import ALONE, BATCH, PREDICT
from benchmarks.load.loops import Load, wrk
from benchmarks.load.mix import requests
from tests.support.server import Server

SECONDS, TRIES = 5, 3
GATED = (PREDICT["field"], BATCH["field"])


class Seen(NamedTuple):
    """What clients saw, and how many requests a second of the worker's processor time answers."""

    load: Load
    rate: float


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
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--gates", action="store_true", help="exit with 1 where a target is missed")
    gates: bool = asked.parse_args().gates
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Server(folder, ACCESS_LOG=0):
            pass  # compiles the bytecode; the models are imported, as by `make serve`
        starts = []
        for _ in range(TRIES):
            with Server(folder, ACCESS_LOG=0) as server:
                starts.append((server.ready_after, _spent(psutil.Process(server.pid))))
        ready, start = map(min, zip(*starts, strict=True))
        with Server(folder, ACCESS_LOG=0) as server:
            memory = Memory(server)
            for _ in range(TRIES):
                results = {case: _seen(server, case) for case in (GATED if gates else (ALONE, *GATED))}
                missed = _missed(results, start, memory.peak)
                if not (gates and missed):
                    break
            peak = memory.stop()
    print(f"ready after {ready:.1f} s and {start:.1f} s of processor time (best of {TRIES} starts), "
          f"peak memory of the worker {peak:.0f} MiB\n")  # fmt: skip
    print("| case | clients | requests/s | in a processor's second | bets/s | p50 ms | p95 ms | p99 ms | failed |")
    print("|---|---|---|---|---|---|---|---|---|")
    for case, (load, rate) in results.items():
        rates = f"{load.rate:,.0f} | {rate:,.0f} | {load.rate * case.bets:,.0f}"
        print(f"| {case.title} | {case.clients} | {rates} | {load.p50:.2f} | {load.p95:.2f} | {load.p99:.2f} "
              f"| {load.failed} |")  # fmt: skip
    if gates:
        print("\n".join(missed) or "every target is met")
        sys.exit(bool(missed))


def _seen(server: Server, case: Case) -> Seen:
    asked, worker = requests(case.kind, case.path, batch=case.batch), server.worker()
    wrk(server.url, asked, 4, 1)
    begin = _spent(worker)
    load = wrk(server.url, asked, case.clients, SECONDS)
    spent = _spent(worker) - begin
    time.sleep(0.5)
    return Seen(load, load.rate * SECONDS / spent)


def _spent(process: psutil.Process) -> float:
    """Processor time of a process, of its children and of those of theirs that have ended, in seconds."""
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system + each.children_user + each.children_system for each in times)


def _missed(results: Mapping[Case, Seen], start: float, peak: float) -> list[str]:
    predict, batch = (results[case] for case in GATED)
    mean = 1000 * GATED[0].clients / predict.load.rate
    targets = (
        (predict.rate >= 1300, f"predict: {predict.rate:.0f} requests in a processor's second, below 1,300"),
        (predict.load.p95 < 4 * mean, f"predict: p95 {predict.load.p95:.1f} ms, four times the mean of {mean:.1f} ms"),
        (batch.rate >= 260, f"batch of 100: {batch.rate:.0f} requests in a processor's second, below 260"),
        (start < 6, f"a start takes {start:.1f} s of processor time, not below 6"),
        (peak < 300, f"{peak:.0f} MiB, not below 300"),
        (all(seen.load.failed == 0 for seen in results.values()), "requests failed"),
    )
    return [words for met, words in targets if not met]


if __name__ == "__main__":
    main()
