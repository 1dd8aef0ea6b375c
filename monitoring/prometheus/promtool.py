"""The cases as tests for `promtool test rules`."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from monitoring.prometheus.cases import ALERTS, RECORDED, Case, Recorded

__all__ = ["RULES", "cases_of", "failures", "recorded", "sources", "texts_of"]

_MICRO = 1_000_000
_FOLDER = Path(__file__).parent / "rules"
RULES: dict[str, dict[str, Any]] = {
    rule.get("alert") or rule["record"]: rule
    for name in ("recording.yml", "alerts.yml")
    for group in yaml.safe_load((_FOLDER / name).read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
}


def cases_of(name: str, called: Sequence[str]) -> list[dict[str, Any]]:
    """Promtool's tests of a rule, for each of its versions by what it is called."""
    if name in {case.alert for case in ALERTS}:
        return [_alert_test(case, called) for case in ALERTS if case.alert == name]
    return [
        _recorded_test(group, [(version, name) for version in called])
        for group in RECORDED
        if any(record == name for record, _ in group.values)
    ]


def _recorded_test(group: Recorded, called: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": _input(group.series),
        "promql_expr_test": [
            {
                "expr": f"round({version} * {_MICRO})",  # promtool knows no tolerance
                "eval_time": f"{at}m",
                "exp_samples": [
                    {"labels": f"{{{labels}}}", "value": round(value * _MICRO)} for labels, value in values.items()
                ],
            }
            for version, name in called
            for (record, at), values in group.values.items()
            if record == name
        ],
    }


def recorded() -> Iterator[tuple[list[dict[str, Any]], dict[str, Any]]]:
    """The recording rules that each group of their cases needs, and its test."""
    for group in RECORDED:
        names = {record for record, _ in group.values}
        yield sources(names), _recorded_test(group, [(name, name) for name in sorted(names)])


def sources(names: Collection[str]) -> list[dict[str, Any]]:
    """Recording rules with those that they read, in order."""
    found: set[str] = set()
    wanted = set(names)
    while wanted:
        found |= wanted
        wanted = {other for name in wanted for other in re.findall(r"pikkit:[\w:]+", RULES[name]["expr"])} - found
    return [rule for name, rule in RULES.items() if name in found]


def texts_of(name: str) -> list[dict[str, Any]]:
    """Promtool's tests of what an alert says, and which labels it has."""
    rule = RULES[name]
    return [
        {
            "interval": f"{case.every}m",
            "input_series": _input(case.series),
            "alert_rule_test": [
                {
                    "alertname": name,
                    "eval_time": f"{next(at for at, count in case.firing.items() if count)}m",
                    "exp_alerts": [
                        {
                            "exp_labels": {**rule["labels"], **case.labels},
                            "exp_annotations": {"summary": case.summary, "runbook_url": f"RUNBOOKS#{name.lower()}"},
                        }
                    ],
                }
            ],
        }
        for case in ALERTS
        if case.alert == name and case.summary
    ]


def failures(rules: Sequence[Mapping[str, Any]], tests: Sequence[Mapping[str, Any]]) -> str:
    """What promtool says of these tests with these rules; nothing when all hold.

    Raises:
        RuntimeError: it can't read them.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        groups = [{"name": "rules", "rules": list(rules)}]
        (folder / "rules.json").write_text(json.dumps({"groups": groups}), encoding="utf-8")
        content = {
            "rule_files": ["rules.json"],
            "evaluation_interval": "1m",
            "tests": [{**test, "external_labels": {"runbooks": "RUNBOOKS"}} for test in tests],
        }
        (folder / "tests.json").write_text(json.dumps(content), encoding="utf-8")
        done = subprocess.run(
            ["promtool", "test", "rules", "tests.json"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode and "FAILED" not in done.stdout + done.stderr:
        raise RuntimeError(done.stdout + done.stderr)
    return done.stdout + done.stderr if done.returncode else ""


def _alert_test(case: Case, called: Sequence[str]) -> dict[str, Any]:
    return {
        "interval": f"{case.every}m",
        "input_series": _input(case.series),
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{version}",alertstate="firing"}}) or vector(0)',
                "eval_time": f"{at}m",
                "exp_samples": [{"labels": "{}", "value": count}],
            }
            for at, count in case.firing.items()
            for version in called
        ],
    }


def _input(series: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"series": name, "values": values} for name, values in series.items()]
