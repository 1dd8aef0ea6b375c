"""Prometheus' own tools read what is in monitoring/, and the real Alertmanager sends what it is told to."""

import os
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitoring.prometheus.mutants import survivors
from monitoring.prometheus.promtool import RULES, failures, recorded, texts_of
from tests.support.need import need, root
from tests.support.night import night
from tests.support.operators import ALERTMANAGER, operators
from tests.support.waiting import eventually

pytestmark = pytest.mark.system
FOLDER = root() / "monitoring"
ALERTS = {name: rule for name, rule in RULES.items() if "alert" in rule}


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_promtool_accepts_the_configuration_and_every_rule() -> None:
    told = _run(need("promtool"), "check", "config", "prometheus/prometheus.yml")
    assert told.count("SUCCESS") >= 3


def test_every_rule_does_on_both_sides_of_its_thresholds_times_and_guards_what_its_cases_say() -> None:
    """And every eighth wrong version of an alert does not: `make mutants-rules` tries them all."""
    need("promtool")
    texts = [([RULES[name]], texts_of(name)) for name in ALERTS]
    derived = [(rules, [test]) for rules, test in recorded()]
    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(failures, *zip(*texts, *derived, strict=True)))
        alive = [line for lines in pool.map(partial(survivors, share=8), ALERTS) for line in lines]
    assert [text for text in told if text] == []
    assert alive == []


def test_a_night_without_traffic_and_a_redeploy_every_hour_fires_nothing() -> None:
    need("promtool")
    hours = int(os.environ.get("PIKKIT_NIGHT_HOURS", "7"))  # of `make mutants-rules`: 24
    assert failures([*RULES.values()], [_fired_in(night(day_hours=2, hours=hours), 2 + hours)]) == ""
    bad = night(day_hours=1, hours=2, down=5)
    assert failures([*RULES.values()], [_fired_in(bad, 3, PikkitDown=2, PikkitProductionDown=2)]) == ""


def _fired_in(series: Mapping[str, str], hours: int, **alerts: int) -> dict[str, Any]:
    """Promtool's test that these alerts have fired in as many slots by the end, and no other."""
    fired = 'count_over_time(ALERTS{alertstate="firing",alertname!="PikkitWatchdog"}[7d])'
    told = [{"labels": f'{{alertname="{name}"}}', "value": slots} for name, slots in alerts.items()]
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f"count by (alertname) (count by (alertname, deployment) ({fired}))",
                "eval_time": f"{60 * hours - 1}m",
                "exp_samples": told,
            }
        ],
    }


def test_alertmanager_accepts_its_example() -> None:
    told = _run(need("amtool"), "check-config", str(ALERTMANAGER))
    assert "SUCCESS" in told


@pytest.mark.parametrize("rule", ALERTS.values(), ids=lambda rule: rule["alert"])
def test_every_alert_reaches_the_receivers_of_its_severity(rule: dict[str, Any]) -> None:
    labels = {"alertname": rule["alert"], **rule["labels"]}
    told = _run(
        need("amtool"),
        *("config", "routes", "test", f"--config.file={ALERTMANAGER}"),
        *(f"{name}={value}" for name, value in labels.items()),
    )
    receivers = {
        "critical": "telegram,n8n",
        "warning": "telegram-silent",
        "info": "n8n",
        "none": "watchdog",
    }
    assert told.splitlines()[0] == receivers[rule["labels"]["severity"]]


def test_criticals_reach_telegram_and_n8n_warnings_come_silently_and_are_kept_back_beside_them(tmp_path: Path) -> None:
    with operators(tmp_path) as told:
        alerts = [
            _alert("PikkitProductionDown", "critical", "blue"),
            _alert("PikkitDown", "critical", "blue"),  # the same told twice
            _alert("PikkitClientErrors", "critical", ""),  # what comes of it
            _alert("PikkitDrift", "warning", "blue"),  # of no interest meanwhile
            _alert("PikkitModelsStale", "warning", "green"),
            _alert("PikkitNoHistory", "info", "green"),
            _alert("PikkitWatchdog", "none", ""),
        ]
        httpx.post(f"{told.url}/api/v2/alerts", json=alerts).raise_for_status()
        eventually(
            lambda: len(told.telegram.calls) >= 2 and len(told.n8n.calls) >= 3,
            told=lambda: (told.telegram.calls, told.n8n.calls),
        )
        time.sleep(1)
    assert sorted((each.alert, each.severity, each.summary, each.runbook, each.silent) for each in told.told()) == [
        ("PikkitModelsStale", "warning", "green is in trouble", "RUNBOOKS#pikkitmodelsstale", True),
        ("PikkitProductionDown", "critical", "blue is in trouble", "RUNBOOKS#pikkitproductiondown", False),
    ]
    assert told.hooked() == {"/n8n": {"PikkitProductionDown", "PikkitNoHistory"}, "/watchdog": {"PikkitWatchdog"}}


def _alert(name: str, severity: str, deployment: str) -> dict[str, Any]:
    return {
        "labels": {"alertname": name, "severity": severity, **({"deployment": deployment} if deployment else {})},
        "annotations": {"summary": f"{deployment} is in trouble", "runbook_url": f"RUNBOOKS#{name.lower()}"},
    }
