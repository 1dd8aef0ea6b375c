"""Would the tests notice? Single changes of the code, by mutmut, and the share that no test notices.

What is changed, and which tests have to notice, stands in pyproject.toml ([tool.mutmut]). A sample is drawn, the same
for the same seed: all of them take hours. What is judged is what is committed, in a clone, which is removed.

    python .ci/mutants.py [--rooms pikkit/bets,deploy/canary] [--sample 300] [--minutes 30] [--seed 1]

`--sample 0` takes all, `--minutes 0` has no limit. Exits with 1 where more than `--most` percent of a room's mutants
survive (default: 100).
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BATCH = 75  # each begins with the tests as they are, a minute
SURVIVED, UNTESTED = 0, 33  # mutmut's exit codes; a time-out and any failure mean that it was noticed


def main() -> int:
    """Run mutmut and tell; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rooms", default="", help="folders, with commas; default: all of [tool.mutmut]")
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--minutes", type=int, default=30, help="begin no more after that; 0: no limit")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=float, default=100.0, help="percent of a room that may survive")
    asked = parser.parse_args()
    rooms = tuple(f"{room.strip('/')}/" for room in asked.rooms.split(",") if room)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        clone = Path(folder, "clone")
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        (clone / ".venv").symlink_to(ROOT / ".venv")
        _mutmut(clone, "no.such.mutant")  # writes all of them, and runs none
        names = [name for name in sorted(_results(clone)) if not rooms or _file(name).startswith(rooms)]
        if not names:
            print(f"there is nothing to change in {asked.rooms or 'the folders of [tool.mutmut]'}")
            return 2
        count = min(asked.sample or len(names), len(names))
        drawn = random.Random(asked.seed).sample(names, count)  # noqa: S311 - a draw, no secret
        print(f"{count} of {len(names)} single changes are to be tried", flush=True)
        results = _tried(clone, drawn, asked.minutes)
        if len(results) < count:
            print(f"{count - len(results)} were not tried within {asked.minutes} minutes")
        if None in results.values():
            print("the tests do not pass as they are, or mutmut ended early")
            return 2
        survived = [name for name, code in results.items() if code in (SURVIVED, UNTESTED)]
        for name in survived:
            print(_shown(clone, name))
    return int(_told(results, asked.most))


def _tried(clone: Path, drawn: Sequence[str], minutes: int) -> dict[str, int | None]:
    """Outcomes in the order drawn: where the time is over before, those of a fair sample too."""
    results: dict[str, int | None] = {}
    end = time.monotonic() + 60 * minutes if minutes else math.inf
    while len(results) < len(drawn) and time.monotonic() < end:
        batch = drawn[len(results) : len(results) + BATCH]
        said = _mutmut(clone, *batch)
        results |= {name: _results(clone)[name] for name in batch}
        if None in results.values():
            print(said[-3000:])
            break
    return results


def _told(results: dict[str, int | None], most: float) -> bool:
    """Print the shares by room; True where one is above `most` percent."""
    tried: dict[str, list[bool]] = defaultdict(list)
    for name, code in results.items():
        tried[str(Path(_file(name)).parent)].append(code in (SURVIVED, UNTESTED))
    tried["all"] = [gone for room in list(tried.values()) for gone in room]
    for room, unnoticed in tried.items():
        share = sum(unnoticed) / len(unnoticed)
        print(f"{room:<18} {sum(unnoticed):4} of {len(unnoticed):5} went unnoticed: {share:.1%}")
    return any(100 * sum(unnoticed) / len(unnoticed) > most for unnoticed in tried.values())


def _mutmut(clone: Path, *names: str) -> str:
    command = [ROOT / ".venv/bin/mutmut", "run", "--max-children", str(os.cpu_count() or 1), *names]
    done = subprocess.run(command, cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout


def _results(clone: Path) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for file in (clone / "mutants").rglob("*.meta"):
        found.update(json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"])
    return found


def _file(name: str) -> str:
    """`pikkit.bets.odds.x_parse__mutmut_1` is of pikkit/bets/odds.py."""
    return name.rpartition(".")[0].replace(".", "/") + ".py"


def _shown(clone: Path, name: str) -> str:
    done = subprocess.run(
        [ROOT / ".venv/bin/mutmut", "show", name], cwd=clone, capture_output=True, text=True, check=False
    )
    changed = [line for line in done.stdout.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return f"{_file(name)}\n" + "\n".join(f"  {line}" for line in changed)


if __name__ == "__main__":
    sys.exit(main())
