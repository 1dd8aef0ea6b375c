"""`make bench`: the service beside other ways to serve the same, on thousands of different bets, into RESULTS.md.

All on one core, loaded from the other; the rounds are interleaved and medians are told. It takes 13 minutes, and
those more that it takes to install the rivals, each into an environment of its own under .data/. `--quick` measures in
two, without those by the book, and writes nothing.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.comparison.contestants import FAR, NEAR, SECONDS, Contestant, environment, nginx, running, versions
from benchmarks.comparison.latency import Stalls, Waits, at_shares, stalls
from benchmarks.comparison.report import BEHIND, LIMIT, OWN, OWN_CASES, PREDICT, SHARED_CASES, TUNED, WORKERS, Results
from benchmarks.comparison.starts import starts
from tests.support.need import root
from tests.support.server import Server

ROUNDS, FAR_ROUNDS, QUICK_ROUNDS = 5, 3, 1
_OPEN_S = 1.0  # of a round at a rate of its own
_CLIENT, _SERVERS = {1}, {0}  # cores


def run(contestants: Sequence[Contestant], rounds: int) -> None:
    """All cases that everybody answers, interleaved."""
    for _ in range(rounds):
        for case in SHARED_CASES:
            for contestant in contestants:
                contestant.measure(case)


def on_one_core(folder: Path, rounds: int, *, far: bool) -> tuple[list[Contestant], list[Waits], Stalls]:
    """Everybody's rates, what callers of the nearest ones wait, and the service's stalls."""
    os.sched_setaffinity(0, _SERVERS)
    with Server(folder, ACCESS_LOG=0) as server, ExitStack() as stack:
        os.sched_setaffinity(0, _CLIENT)
        own = Contestant(OWN, server.url, [server.pid], server.ready_after)
        url, pid = stack.enter_context(nginx(server.url, folder))
        behind = Contestant(BEHIND, url, [server.pid, pid], server.ready_after)
        limit, *others = [stack.enter_context(running(rival, folder)) for rival in NEAR]
        contestants = [limit, own, behind, *others]
        run(contestants, rounds)
        for _ in range(rounds):
            for case in OWN_CASES:
                own.measure(case)
        case = PREDICT["field"]
        rates = {one.name: one.rate(case) for one in contestants}
        open_ones = [one for one in contestants if one.name in (OWN, TUNED, LIMIT)]
        waits = at_shares(open_ones, case, {**rates, LIMIT: rates[OWN]}, rounds, seconds=_OPEN_S)
    (folder / "stalls").mkdir()
    count = 200_000 if far else 20_000
    stalled = stalls(folder / "stalls", own.requests(case), own.rate(case) / 2, count, servers=_SERVERS, client=_CLIENT)
    for rival in FAR if far else ():  # alone: some of them have a dozen processes that never rest
        os.sched_setaffinity(0, _CLIENT)
        try:
            with running(rival, folder) as contestant:
                run([contestant], FAR_ROUNDS)
                contestants.append(contestant)
        except (RuntimeError, AssertionError, OSError) as cause:  # the others' figures hold without it
            print(f"{rival.name} is left out: {cause}", file=sys.stderr)
    return contestants, waits, stalled


def workers(folder: Path, rounds: int) -> dict[int, Contestant]:
    """One worker and two, with both cores to share with wrk."""
    os.sched_setaffinity(0, _SERVERS | _CLIENT)
    found: dict[int, Contestant] = {}
    with ExitStack() as stack:
        for number in (1, 2):
            place = folder / f"workers-{number}"
            place.mkdir()
            server = stack.enter_context(Server(place, ACCESS_LOG=0, WORKERS=number))
            found[number] = Contestant(f"{number}", server.url, [server.pid], server.ready_after)
        for _ in range(rounds):
            for one in found.values():
                one.measure(WORKERS)
    return found


def main() -> None:
    """Start everything, load it, write the results."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--quick", action="store_true", help="one round, without those by the book; writes nothing")
    quick: bool = asked.parse_args().quick
    rounds = QUICK_ROUNDS if quick else ROUNDS
    if shutil.which("wrk") is None or not hasattr(os, "sched_setaffinity"):
        sys.exit("this needs Linux and wrk: apt-get install wrk")
    for rival in NEAR if quick else (*NEAR, *FAR):
        environment(rival.packages)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Server(folder, ACCESS_LOG=0):
            pass  # compiles the bytecode; the models are imported, as by `make serve`
        started = starts(folder, rounds)
        measured = on_one_core(folder, rounds, far=not quick)
        results = Results(*measured, started, workers(folder, rounds))
    text = results.markdown()
    if not quick:
        notes = (root() / "benchmarks/FLOOR.md").read_text(encoding="utf-8")
        text = f"{_head()}\n\n{text}\n\n{notes.strip()}\n"
        (root() / "benchmarks/results.svg").write_text(results.picture(), encoding="utf-8")
        (root() / "benchmarks/RESULTS.md").write_text(text, encoding="utf-8")
    print(text)


def _head() -> str:
    return (
        "# What a graded bet costs\n\n"
        f"Made by `make bench`: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}. One "
        f"worker each, all servers on one core, the load on the other; medians of {ROUNDS} rounds of {SECONDS} s, "
        f"interleaved (of those by the book {FAR_ROUNDS}, each alone), ± half the distance between the best and the "
        "worst round. "
        "The rivals do less: no history, no market evidence, no checks of odds, no metrics, no request ids, no reload. "
        "CPU is that of a bet.\n\n"
        "`one bet` is the same bet each time; `field` are 5,000 different ones (200 batches) with the field's shares: "
        "14 % parlays without a league, 5 % live, 15 % of prices in other formats, 3 % with a name nobody knows, "
        "5 % with `market_prices`; in `prices` all have them; in `unseen` no name was ever seen before.\n\n"
        f"Rivals: {versions()}.\n\n"
        "![bets per second](results.svg)"
    )


if __name__ == "__main__":
    main()
