"""Prometheus' own tools read what is in monitoring/, and the real Alertmanager sends what it is told to."""

import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from monitoring.prometheus.promtool import RULES, cases_of, failures, recorded, texts_of
from tests.support.need import need, root
from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.receiver import StandIn

pytestmark = pytest.mark.system
FOLDER = root() / "monitoring"
ALERTMANAGER = FOLDER / "alertmanager/alertmanager.example.yml"
ALERTS = {name: rule for name, rule in RULES.items() if "alert" in rule}


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_promtool_accepts_the_configuration_and_every_rule() -> None:
    told = _run(need("promtool"), "check", "config", "prometheus/prometheus.yml")
    assert told.count("SUCCESS") >= 3


def test_every_rule_does_on_both_sides_of_its_thresholds_times_and_guards_what_its_cases_say() -> None:
    need("promtool")
    alerts = [([RULES[name]], cases_of(name, [name]) + texts_of(name)) for name in ALERTS]
    derived = [(rules, [test]) for rules, test in recorded()]
    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(failures, *zip(*alerts, *derived, strict=True)))
    assert [text for text in told if text] == []


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


@pytest.fixture
def telegram() -> Iterator[StandIn]:
    answer = {"ok": True, "result": {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}}}
    with StandIn(lambda _call: (200, {}, json.dumps(answer).encode())) as receiver:
        yield receiver


@pytest.fixture
def n8n() -> Iterator[StandIn]:
    with StandIn() as receiver:
        yield receiver


def test_criticals_reach_telegram_and_n8n_warnings_come_silently_and_are_kept_back_beside_them(
    tmp_path: Path, telegram: StandIn, n8n: StandIn
) -> None:
    config = yaml.safe_load(ALERTMANAGER.read_text())
    for receiver in config["receivers"]:
        for entry in receiver.get("telegram_configs", []):
            entry.update(api_url=telegram.url, bot_token="1:token")
        for entry in receiver.get("webhook_configs", []):
            entry["url"] = f"{n8n.url}/{receiver['name']}"
    for route in (config["route"], *config["route"]["routes"]):
        route["group_wait"] = "1s"
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        need("prometheus-alertmanager"),
        f"--config.file={tmp_path / 'alertmanager.yml'}",
        f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with Process(command, log=tmp_path / "alertmanager.log") as process:
        process.wait_until_http(f"http://127.0.0.1:{port}/-/ready", seconds=30)
        alerts = [
            _alert("PikkitProductionDown", "critical", "blue"),
            _alert("PikkitDown", "critical", "blue"),  # the same told twice
            _alert("PikkitDrift", "warning", "blue"),  # of no interest meanwhile
            _alert("PikkitModelsStale", "warning", "green"),
            _alert("PikkitWatchdog", "none", ""),
        ]
        httpx.post(f"http://127.0.0.1:{port}/api/v2/alerts", json=alerts, timeout=10).raise_for_status()
        deadline = time.monotonic() + 20
        while len(telegram.calls) < 2 or len(n8n.calls) < 2:
            assert time.monotonic() < deadline, (telegram.calls, n8n.calls)
            time.sleep(0.1)
        time.sleep(1)
    messages = {call.json["text"].split()[0]: call.json for call in telegram.calls}
    assert set(messages) == {"PikkitProductionDown", "PikkitModelsStale"}
    loud = messages["PikkitProductionDown"]
    assert "blue is in trouble" in loud["text"]
    assert "RUNBOOKS#pikkitproductiondown" in loud["text"]
    assert "PikkitDown" not in loud["text"]
    assert not loud.get("disable_notification")
    assert messages["PikkitModelsStale"]["disable_notification"]
    hooks = {call.path: [alert["labels"]["alertname"] for alert in call.json["alerts"]] for call in n8n.calls}
    assert hooks == {"/n8n": ["PikkitProductionDown"], "/watchdog": ["PikkitWatchdog"]}


def _alert(name: str, severity: str, deployment: str) -> dict[str, Any]:
    return {
        "labels": {"alertname": name, "severity": severity, **({"deployment": deployment} if deployment else {})},
        "annotations": {"summary": f"{deployment} is in trouble", "runbook_url": f"RUNBOOKS#{name.lower()}"},
    }
