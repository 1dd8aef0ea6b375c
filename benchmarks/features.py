"""Features in figures: one bet against a hundred, and reading, history and training rows of 27,000 bets.

`python -m benchmarks.features` prints a Markdown table. The bets are made up; the models do not matter here.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from pikkit.bets.bet import CATEGORICAL
from pikkit.bets.columns import BetColumns
from pikkit.bets.numbers import Floats
from pikkit.bets.odds import expected_roi_pct
from pikkit.features.rows import build_rows
from pikkit.features.spec import FeatureSpec
from pikkit.features.table import FEATURES
from pikkit.history.history import History, SettledBets, as_of

BETS = 27_000
BATCH = 100
_REPEATS = 5


def main() -> None:
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    settled = made_up(BETS)
    history = History.from_bets(settled)
    spec = FeatureSpec.from_metadata(
        {"features": list(FEATURES), "encoders": {name: sorted(set(v)) for name, v in settled.bets.categorical()}}
    )

    def row_time(n: int, calls: int) -> tuple[float, float]:
        bets = made_up(n, seed=2).bets
        past = history.lookup(bets)
        return (
            timed(lambda: history.lookup(bets), calls),
            timed(lambda: build_rows(bets, past, spec), calls),
        )

    (lookup_one, build_one), (lookup_many, build_many) = row_time(1, 2000), row_time(BATCH, 300)
    one, many = lookup_one + build_one, lookup_many + build_many
    print("| Step | Time |\n|---|---|")
    for name, seconds in (
        ("1 bet: lookup of its past", lookup_one),
        ("1 bet: feature row", build_one),
        (f"{BATCH} bets: lookup", lookup_many),
        (f"{BATCH} bets: feature rows", build_many),
    ):
        print(f"| {name} | {seconds * 1e6:.0f} µs |")
    print(f"| {BATCH} bets one by one, against at once | {BATCH * one / many:.1f} times as long |")
    print(f"| history of {BETS:,} bets | {timed(lambda: History.from_bets(settled), 1):.2f} s |")
    print(f"| each of {BETS:,} bets, as of its time | {timed(lambda: as_of(settled), 1):.2f} s |")


def made_up(n: int, seed: int = 1) -> SettledBets:
    """Settled bets, n of them, among about as many groups as a real bettor has."""
    random = np.random.default_rng(seed)
    sizes = dict(zip(CATEGORICAL, (15, 74, 107, 13, 5), strict=True))
    columns = {name: [f"{name} {i}" for i in random.zipf(1.5, n) % size] for name, size in sizes.items()}
    odds: Floats = random.choice([-1.0, 1.0], n) * random.integers(100, 400, n).astype(np.float64)
    won = random.random(n) < 0.5
    bets = BetColumns(
        **columns,
        odds=odds,
        is_live=random.random(n) < 0.1,
        clv_percentage=np.where(random.random(n) < 0.2, random.normal(0, 5, n), np.nan),
        placed_at=np.sort(1.7e9 + random.integers(0, 90 * 86_400, n).astype(np.float64)),
    )
    return SettledBets(bets, won, expected_roi_pct(won.astype(np.float64), odds))


def timed(call: Callable[[], object], calls: int) -> float:
    """Seconds per call, the best of some repeats."""
    best = float("inf")
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        for _ in range(calls):
            call()
        best = min(best, (time.perf_counter() - begin) / calls)
    return best


if __name__ == "__main__":
    main()
