"""`python -m benchmarks.growth`: what happens to the cost of a bet as everything around it grows, into GROWTH.md.

In process: bets in a batch, leagues and markets, bets in the history, trees. On the real service: connections,
workers, and more load than it takes.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import pickle
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from benchmarks.features import made_up, timed
from benchmarks.load.loops import wrk
from benchmarks.load.mix import BET, one
from pikkit.bets.bet import CATEGORICAL, Bet
from pikkit.features.table import FEATURES
from pikkit.grading.predictor import Predictor
from pikkit.history.history import History, SettledBets
from pikkit.models.conversion import convert
from pikkit.models.loading import MANIFEST, load_engine
from pikkit.models.model_set import Engine, ModelSet
from pikkit.models.user_files import take_copy
from tests.support.need import root
from tests.support.server import Server

NAMES = list(FEATURES)[:26]
NOW = 1.8e9
_COSTS = ("µs, one bet", "µs a bet in 100", "the same, names never seen")
BATCH = [one("/api/v1/batch-predict", {"bets": [BET] * 100})]


def trees(count: int, folder: Path) -> Engine:
    """A win model of so many trees of depth 6, converted as an import converts it."""
    random = np.random.default_rng(1)
    rows = random.random((2000, len(NAMES))).astype(np.float32)
    won = (rows[:, 5] + random.normal(0, 0.4, 2000) > 0.5).astype(int)
    win = xgboost.XGBClassifier(n_estimators=count, max_depth=6, learning_rate=0.02, n_jobs=1).fit(rows, won)
    roi = xgboost.XGBRegressor(n_estimators=2, max_depth=2, n_jobs=1).fit(rows, rows[:, 0])
    source, copied, made = folder / f"{count}-in", folder / f"{count}-copy", folder / f"{count}-out"
    for path in (source, copied):
        path.mkdir()
    (source / "win_probability_model_latest.pkl").write_bytes(pickle.dumps(win))
    (source / "roi_prediction_model_latest.pkl").write_bytes(pickle.dumps(roi))
    metadata = {"timestamp": "20260101_000000", "features": NAMES, "encoders": {name: ["x"] for name in CATEGORICAL}}
    (source / "model_metadata_latest.json").write_text(json.dumps(metadata))
    convert(take_copy(source, copied), made)
    described = json.loads((made / MANIFEST).read_text(encoding="utf-8"))["engines"]
    return load_engine(made, "win", described["win"])


def a_set(engine: Engine, history: History, names: dict[str, list[str]]) -> ModelSet:
    """A model set around an engine; ROI follows from the probability."""
    metadata = {"features": NAMES, "encoders": names}
    manifest = {"version": "x", "tag": "x", "source_sha256": "x", "files": {}}
    return ModelSet(Path(), manifest, metadata=metadata, history=history, win=engine, roi=None)


def bets_of(settled: SettledBets) -> list[Bet]:
    """The same bets, as a request has them."""
    c = settled.bets
    moment = datetime.fromtimestamp(NOW, UTC)
    return [
        Bet(
            **{name: values[i] for name, values in c.categorical()},
            odds=float(c.odds[i]),
            is_live=bool(c.is_live[i]),
            placed_at=moment,
        )
        for i in range(len(settled))
    ]


def cost(models: ModelSet, bets: Sequence[Bet]) -> str:
    """Microseconds of one bet alone, of each in batches of 100, and of each there whose names were never seen."""
    ones = [[bet] for bet in bets[:500]]
    batches = [bets[i : i + 100] for i in range(0, len(bets), 100)]

    def run(predictor: Predictor, groups: Sequence[Sequence[Bet]]) -> None:
        for group in groups:
            predictor.predict(models, group, NOW)

    begin = time.perf_counter()
    predictor = Predictor()
    run(predictor, batches)
    new = (time.perf_counter() - begin) / len(bets)
    one = timed(lambda: run(predictor, ones), 1) / len(ones)
    many = timed(lambda: run(predictor, batches), 1) / len(bets)
    return f"{1e6 * one:.1f} | {1e6 * many:.2f} | {1e6 * new:.2f}"


def in_process(folder: Path) -> Iterator[str]:
    """Tables of what grows inside of a worker."""
    engine = trees(70, folder)
    settled = made_up(27_000)
    names = {name: sorted(set(values)) for name, values in settled.bets.categorical()}
    usual = a_set(engine, History.from_bets(settled), names)
    bets = bets_of(made_up(2000, seed=2))

    yield from _head("Bets in one call", "bets", "µs a bet")
    for n in (1, 2, 5, 10, 25, 50, 100):
        groups = [bets[i : i + n] for i in range(0, 1000, n)]
        predictor = Predictor()

        def predict(predictor: Predictor = predictor, groups: Sequence[Sequence[Bet]] = groups) -> None:
            for group in groups:
                predictor.predict(usual, group, NOW)

        seconds = timed(predict, 1)
        yield f"| {n} | {1e6 * seconds / 1000:.1f} |"

    yield from _head("Leagues and markets, as many of each", "names", *_COSTS)
    for n in (10, 100, 1000, 10_000):
        random = np.random.default_rng(n)
        many = {**names, "league": [f"league {i}" for i in range(n)], "market": [f"market {i}" for i in range(n)]}
        drawn = [
            bet.model_copy(update={"league": f"league {i}", "market": f"market {j}"})
            for bet, i, j in zip(bets, random.integers(0, n, 2000), random.integers(0, n, 2000), strict=True)
        ]
        figures = cost(a_set(engine, usual.history, many), drawn)
        yield f"| {n:,} | {figures} |"

    yield from _head("Settled bets in the history", "bets", *_COSTS, "s to build")
    for n in (0, 1000, 10_000, 100_000, 1_000_000):
        past = made_up(n, seed=3) if n else None
        begin = time.perf_counter()
        history = History.from_bets(past) if past else History.empty()
        built = time.perf_counter() - begin
        figures = cost(a_set(engine, history, names), bets)
        yield f"| {n:,} | {figures} | {built:.2f} |"

    yield from _head("Trees", "trees", *_COSTS)
    for n in (50, 200, 500, 1000, 2000):
        figures = cost(a_set(trees(n, folder), usual.history, names), bets)
        yield f"| {n:,} | {figures} |"


def on_the_service(folder: Path) -> Iterator[str]:
    """Tables of what grows outside: connections, workers, load."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    with Server(folder, ACCESS_LOG=0) as server:
        os.sched_setaffinity(0, {max(cores)})
        yield from _head("Connections, predict, one worker on a core of its own", "connections", "requests/s", "p50 ms",
                         "p95 ms", "failed")  # fmt: skip
        for n in (1, 4, 16, 64, 256):
            time.sleep(0.5)  # what the clients before left behind is answered
            load = wrk(server.url, [one("/api/v1/predict", BET)], n, 3)
            yield f"| {n} | {load.rate:,.0f} | {load.p50:.2f} | {load.p95:.2f} | {load.failed} |"
    os.sched_setaffinity(0, cores)
    yield from _head(f"Workers, batches of 100 by 8 clients, {len(cores)} cores with wrk on them too", "workers",
                     "bets/s", "p95 ms")  # fmt: skip
    for n in (1, 2):
        with Server(folder, ACCESS_LOG=0, WORKERS=n) as server:
            wrk(server.url, BATCH, 8, 1)
            load = wrk(server.url, BATCH, 8, 4)
            yield f"| {n} | {100 * load.rate:,.0f} | {load.p95:.2f} |"
    os.sched_setaffinity(0, {min(cores)})
    with Server(folder, ACCESS_LOG=0, MAX_CONCURRENCY=16) as server:
        os.sched_setaffinity(0, {max(cores)})
        yield from _head("More load than it takes: batches of 100, MAX_CONCURRENCY=16; seen by one more client",
                         "clients", "accepted", "their p95 ms", "refused (503)", "their p95 ms")  # fmt: skip
        for n in (8, 32, 128):
            yield f"| {n} | {_overloaded(server, n)} |"
    os.sched_setaffinity(0, cores)


def _overloaded(server: Server, clients: int) -> str:
    load = threading.Thread(target=wrk, args=(server.url, BATCH, clients, 4))
    load.start()
    time.sleep(0.5)
    body = BATCH[0].partition(b"\r\n\r\n")[2]
    seen: dict[int, list[float]] = {200: [], 503: []}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    until = time.monotonic() + 3
    while time.monotonic() < until:
        begin = time.perf_counter()
        connection.request("POST", "/api/v1/batch-predict", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200 or answer.headers["retry-after"] == "1"
        seen[answer.status].append(1000 * (time.perf_counter() - begin))
        time.sleep(0.01)
    load.join()
    return " | ".join(f"{len(times)} | {_p95(times)}" for times in seen.values())


def _p95(times: Sequence[float]) -> str:
    return f"{statistics.quantiles(times, n=20)[-1]:.1f}" if len(times) > 1 else "-"


def _head(title: str, *columns: str) -> Iterator[str]:
    yield f"\n### {title}\n"
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)


def main() -> None:
    """Measure all, print, write."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    lines: list[str] = [
        "# Cost as work grows",
        "",
        "Made by `make bench-growth`. Names and prices vary from bet to bet.",
    ]
    with tempfile.TemporaryDirectory() as name:
        parts: Any
        for parts in (in_process(Path(name)), on_the_service(Path(name))):
            for line in parts:
                print(line, flush=True)
                lines.append(line)
    (root() / "benchmarks/GROWTH.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
