"""Do the cases notice a wrong rule? `python -m monitoring.prometheus.mutants` changes each rule in each place.

A threshold a quarter up and down, a duration doubled and halved, `for:` gone, a comparison turned round, a guard left
out: every mutant is a rule of its own beside the true one, with the same cases, so that one run of promtool tries all
of a rule's. Exits with 1 where a mutant survives.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from monitoring.prometheus.promtool import RULES, cases_of, failures, sources

__all__ = ["Mutant", "mutants", "survivors"]

_TEXT = r'"[^"]*"'
_DURATION = re.compile(rf"{_TEXT}|(?P<found>(?<=[\[ ])\d+[smhd](?=[\] )]|$))")
_NUMBER = re.compile(rf"{_TEXT}|(?P<found>(?<![\w.:\[])\d+(?:\.\d+)?(?![\w.]))")
_COMPARISON = re.compile(rf"{_TEXT}|(?P<found>==|>=|<=|>|<)(?! *~)")
_TURNED = {"==": "!=", ">=": "<", "<=": ">", ">": "<", "<": ">"}
_GUARD = re.compile(rf"{_TEXT}|(?P<found> (?:and|unless|or) )")
_EVERY = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A wrong rule, and what is wrong with it."""

    what: str
    rule: Mapping[str, Any]


def mutants(rule: Mapping[str, Any]) -> Iterator[Mutant]:
    """Every wrong version of a rule."""
    expr = " ".join(str(rule["expr"]).split())
    for name in {"for", "keep_firing_for"} & rule.keys():
        seconds = _seconds(rule[name])
        for length in sorted({0, seconds // 2 // 60 * 60, 2 * seconds} - {seconds}):
            yield Mutant(f"{name}: {length}s", {**rule, name: f"{length}s"})
    if "alert" in rule and not _COMPARISON.search(expr) and "absent" not in expr:
        return  # it always fires
    for pattern, wrongs in ((_DURATION, _durations), (_NUMBER, _numbers), (_COMPARISON, lambda sign: [_TURNED[sign]])):
        for found in pattern.finditer(expr):
            if found["found"]:
                for wrong in wrongs(found["found"]):
                    mutated = expr[: found.start()] + wrong + expr[found.end() :]
                    yield Mutant(
                        f"…{mutated[max(0, found.start() - 40) : found.start() + 20]}…", {**rule, "expr": mutated}
                    )
    for found in _GUARD.finditer(expr):
        if found["found"] and _is_outermost(expr, found.start()):
            for kept in (expr[: found.start()], expr[_right_of(expr, found.end()) :]):
                yield Mutant(f"only {kept[:60]}", {**rule, "expr": kept})


def survivors(name: str, *, share: int = 1) -> list[str]:
    """Which mutants of a rule, every `share`th, its cases do not notice; or that the rule itself fails them."""
    true = RULES[name]
    kind = "alert" if "alert" in true else "record"
    wrong = {f"{name}__{number}": mutant for number, mutant in enumerate(islice(mutants(true), 0, None, share))}
    versions = [true, *({**mutant.rule, kind: called} for called, mutant in wrong.items())]
    before = [] if kind == "alert" else [rule for rule in sources([name]) if rule is not true]
    said = failures([*before, *versions], cases_of(name, [name, *wrong]))
    noticed = set(re.findall(rf"{re.escape(name)}__\d+", said))
    if re.search(rf"{re.escape(name)}(?!__|\w)", said):
        return [f"{name}: the rule itself fails its cases\n{said[:2000]}"]
    return [f"{name}: {mutant.what}" for called, mutant in wrong.items() if called not in noticed]


def main() -> None:
    """Try every mutant of every rule."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    total = sum(len(list(mutants(rule))) for rule in RULES.values())
    with ThreadPoolExecutor(2) as pool:
        alive = [line for lines in pool.map(survivors, RULES) for line in lines]
    sys.stdout.write("\n".join([*alive, f"{total} mutants of {len(RULES)} rules, {len(alive)} survive", ""]))
    sys.exit(bool(alive))


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * _EVERY[duration[-1]]


def _durations(found: str) -> list[str]:
    return [f"{2 * _seconds(found)}s", f"{_seconds(found) // 2}s"]


def _numbers(found: str) -> list[str]:
    value = float(found)
    return [f"{value * 1.25:g}", f"{value * 0.8:g}"] if value else ["1"]


def _is_outermost(expr: str, place: int) -> bool:
    """Whether the parentheses around it, if any, are around all that it could be left out of."""
    before = re.sub(_TEXT, "", expr[:place])
    return before.count("(") == before.count(")") and before.count("{") == before.count("}")


def _right_of(expr: str, place: int) -> int:
    """Where the right side begins, after `on (…)`."""
    found = re.compile(r"on \([\w, ]*\) ").match(expr, place)
    return found.end() if found else place


if __name__ == "__main__":
    main()
