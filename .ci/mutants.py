"""Would the tests notice? Single changes of the code, by mutmut, and the share that no test notices.

What is changed, and which tests have to notice, stands in pyproject.toml ([tool.mutmut]). A sample is drawn, the same
for the same seed: all of them take hours. What is judged is what is committed, in a clone, which is removed.

mutmut switches a change on once everything is imported, so what survives is tried again from a fresh start: tables and
rules that are made at the import are changed only there. Changes that no run can tell from the code as it is (`_SAME`)
are not drawn.

    python .ci/mutants.py [--rooms pikkit/bets,deploy/canary] [--sample 300] [--minutes 30] [--seed 1]

`--sample 0` takes all, `--minutes 0` has no limit. Exits with 1 where more than `--most` percent of a room's mutants
survive (default: 100).
"""

import argparse
import ast
import difflib
import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BATCH = 75  # each begins with the tests as they are, a minute
SURVIVED, UNTESTED = 0, 33  # mutmut's exit codes; a time-out and any failure mean that it was noticed

# Which part of a line is changed, and why no run can tell.
_SAME = {
    r"\bzip\(.*(strict=True)": "all are of one length; it guards against faults of ours, not of callers",
    r"\bcast\((\"[^\"]*\"|[\w.]+)": "for the type checker alone",
}


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
        changes = _changes(clone)
        names = [name for name in sorted(_results(clone)) if not rooms or _file(name).startswith(rooms)]
        told = [name for name in names if not _is_same(changes[name])]
        same, names = len(names) - len(told), told
        if not names:
            print(f"there is nothing to change in {asked.rooms or 'the folders of [tool.mutmut]'}")
            return 2
        count = min(asked.sample or len(names), len(names))
        drawn = random.Random(asked.seed).sample(names, count)  # noqa: S311 - a draw, no secret
        print(f"{count} of {len(names)} single changes are to be tried; {same} are the same as before", flush=True)
        results = _tried(clone, drawn, asked.minutes)
        if len(results) < count:
            print(f"{count - len(results)} were not tried within {asked.minutes} minutes")
        if None in results.values():
            print("the tests do not pass as they are, or mutmut ended early")
            return 2
        for name, code in results.items():
            if code in (SURVIVED, UNTESTED):
                results[name] = _afresh(clone, name)
                if results[name] == SURVIVED:
                    print(_file(name), *changes[name], sep="\n  ", flush=True)
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
    command: list[str | Path] = [ROOT / ".venv/bin/mutmut", "run", "--max-children", str(os.cpu_count() or 1), *names]
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


def _afresh(clone: Path, name: str) -> int:
    """The outcome where the change is there from the first import on."""
    told = tomllib.loads((clone / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    options = [*told["pytest_add_cli_args"], *told["pytest_add_cli_args_test_selection"]]
    command = [ROOT / ".venv/bin/python", "-m", "pytest", "-x", "-q", f"--basetemp={clone.parent / 'tests'}", *options]
    environment = {**os.environ, "MUTANT_UNDER_TEST": name}
    done = subprocess.run(command, cwd=clone / "mutants", env=environment, capture_output=True, check=False)
    return done.returncode


def _changes(clone: Path) -> dict[str, list[str]]:
    """By name the lines that a change takes away (`-`) and adds (`+`), from what mutmut wrote."""
    found: dict[str, list[str]] = {}
    for file in (clone / "mutants").rglob("*.py.meta"):
        path = file.with_suffix("")
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        written = {
            node.name: [
                lines[node.lineno - 1].replace(node.name, node.name.rpartition("__mutmut_")[0]),
                *lines[node.lineno : node.end_lineno],
            ]
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "__mutmut_" in node.name
        }
        module = ".".join(path.relative_to(clone / "mutants").with_suffix("").parts)
        for name, changed in written.items():
            before = written[name.rpartition("__mutmut_")[0] + "__mutmut_orig"]
            compared = difflib.unified_diff(before, changed, n=0, lineterm="")
            found[f"{module}.{name}"] = [
                line for line in compared if line[:3] not in ("---", "+++") and line[0] in "+-"
            ]
    return found


def _is_same(change: list[str]) -> bool:
    """Whether all that differs is in a place of `_SAME`."""
    before, after = (" ".join(line[1:].strip() for line in change if line[0] == sign) for sign in "-+")
    for kind in _SAME:
        for found in re.finditer(kind, before):
            start, end = found.start(1), len(before) - found.end(1)
            if after.startswith(before[:start].rstrip(", ")) and (not end or after.endswith(before[-end:])):
                return True
    return False


if __name__ == "__main__":
    sys.exit(main())
