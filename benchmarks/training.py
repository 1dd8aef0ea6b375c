"""`python -m benchmarks.training`: is training within its bounds of time and memory? Exits with 1 if it is not.

A million simulated bets as an export has them, read, trained on and judged by `python -m training train`, in a process
of its own; memory is that process's peak as the operating system counts it.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.need import root
from tests.support.simulated import write_bets

_MOST_S, _MOST_MIB = 180.0, 2048.0


def main() -> None:
    """Measure, print a line of Markdown, and judge."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--bets", type=int, default=1_000_000)
    bets = asked.parse_args().bets
    with tempfile.TemporaryDirectory() as work:
        file = write_bets(Path(work) / "bets.csv", bets, 1)
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "training", "train", "--bets", file, "--out", Path(work) / "models"],
            cwd=root(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - begin
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stdout)
    mebibytes = used.ru_maxrss / 1024
    print("| bets | s | CPU s | cores | peak memory, MiB |\n|---|---|---|---|---|")
    print(f"| {bets:,} | {seconds:.0f} | {used.ru_utime + used.ru_stime:.0f} | {os.cpu_count()} | {mebibytes:,.0f} |")
    if seconds > _MOST_S or mebibytes > _MOST_MIB:
        sys.exit(f"over {_MOST_S:g} s or {_MOST_MIB:,.0f} MiB")


if __name__ == "__main__":
    main()
