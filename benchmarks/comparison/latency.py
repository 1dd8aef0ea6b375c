"""What a caller waits at a given load, by an open loop: at shares of the capacity, and over 200,000 requests."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.comparison.contestants import NEAR, Case, Contestant, running
from benchmarks.load.loops import Opened, arrivals, open_loop
from benchmarks.load.mix import get, one
from tests.support.need import root
from tests.support.server import Server

__all__ = ["SHARES", "Stalls", "Waits", "at_shares", "stalls"]

SHARES = (0.5, 0.8, 0.95)
PERCENTS = (50.0, 99.0, 99.9)
SLOW_MS = 50
RELOADS = 4
_RELOAD = one("/api/v1/reload-models", {})
_SCRAPE = get("/metrics")


@dataclass
class Waits:
    """Milliseconds by percent, of each round, at one share of the capacity."""

    name: str
    share: float
    poisson: bool
    rounds: list[tuple[float, ...]] = field(default_factory=list)

    def add(self, seen: Opened) -> None:
        """One more round."""
        self.rounds.append(tuple(seen.ms(percent) for percent in PERCENTS))

    def ms(self, percent: float) -> float:
        """The median of the rounds."""
        return statistics.median(each[PERCENTS.index(percent)] for each in self.rounds)


def at_shares(
    contestants: Sequence[Contestant], case: Case, rates: Mapping[str, float], rounds: int, seconds: float
) -> list[Waits]:
    """Every contestant at its own shares of `rates`, due evenly and by chance, in interleaved rounds."""
    found = [Waits(one.name, share, poisson) for share in SHARES for poisson in (False, True) for one in contestants]
    urls = {one.name: one for one in contestants}
    for number in range(rounds):
        for waits in found:
            rate, contestant = waits.share * rates[waits.name], urls[waits.name]
            due = arrivals(rate, round(rate * seconds), poisson=waits.poisson, seed=number)
            waits.add(open_loop(contestant.url, itertools.cycle(contestant.requests(case)), due))
    return found


@dataclass(frozen=True)
class Stalls:
    """How many of so many requests took longer than 50 ms.

    `held_up`: those besides that waited while the hypervisor ran something else on this machine's cores.
    `growth_mib`: of the worker since the first swap, which brings what every further one needs.
    `floor_slow`, `floor_worst_ms`: of a tenth as many, at the same rate, by a server with a constant answer.
    """

    requests: int
    slow: int
    held_up: int
    worst_ms: float
    failed: int
    growth_mib: float
    floor_slow: int
    floor_worst_ms: float


def stalls(
    folder: Path, requests: Sequence[bytes], rate: float, count: int, *, servers: set[int], client: set[int]
) -> Stalls:
    """Load a service of its own while much else goes on.

    A new model set is put in place four times and converted on the service's own core, Prometheus scrapes each second,
    the access log is on, as production writes it, and the prediction log turns its files over.
    """
    models = folder / "models"
    shutil.copytree(root() / "models", models)
    memory: list[float] = []
    reloads = {count * (2 * n + 1) // (2 * RELOADS) for n in range(RELOADS)}
    os.sched_setaffinity(0, servers)
    with Server(folder, MODEL_DIR=models, PREDICTION_LOG="true", LOG_FORMAT="json") as server:
        os.sched_setaffinity(0, client)
        worker = server.worker()

        def stream() -> Iterator[bytes]:
            for number, request in zip(range(count), itertools.cycle(requests), strict=False):
                if number == count // RELOADS:
                    memory.append(worker.memory_info().rss / 2**20)
                if number in reloads:
                    _release(models, number)
                    yield _RELOAD
                else:
                    yield _SCRAPE if number % round(rate) == 0 else request

        due = arrivals(rate, count, poisson=False)
        seen = open_loop(server.url, stream(), due)
        memory.append(worker.memory_info().rss / 2**20)
    asked = np.delete(np.arange(count), list(reloads))  # converting a set is what its caller waits for
    latencies, held_up = seen.latencies[asked], seen.held_up(due)[asked]
    with running(NEAR[0], folder) as limit:
        due = arrivals(rate, count // 10, poisson=False)
        beside = open_loop(limit.url, itertools.cycle(requests), due)
    floor = beside.latencies[~beside.held_up(due)]
    return Stalls(
        count,
        int((latencies[~held_up] > SLOW_MS).sum()),
        int((latencies[held_up] > SLOW_MS).sum()),
        float(np.nanmax(latencies[~held_up])),
        seen.failed,
        memory[1] - memory[0],
        int((floor > SLOW_MS).sum()),
        float(np.nanmax(floor)),
    )


def _release(models: Path, number: int) -> None:
    """A set of another name."""
    file = models / "model_metadata_latest.json"
    metadata = json.loads(file.read_text())
    minutes, seconds = divmod(number % 3600, 60)
    metadata["timestamp"] = f"20260102_00{minutes:02d}{seconds:02d}"
    file.write_text(json.dumps(metadata))
