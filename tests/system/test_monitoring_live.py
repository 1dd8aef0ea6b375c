"""A real Prometheus with our rules scrapes slots behind a real Nginx under load, one of them a failing canary.

The slots are stub services that count with the service's own metrics code.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deploy.errors import CanaryFailed
from monitoring.grafana.panels import ROWS
from monitoring.grafana.picture import draw, run_query
from tests.support.deploy_rig import Rig
from tests.support.need import need, root
from tests.support.ports import free_port
from tests.support.processes import Process

pytestmark = pytest.mark.system

_FIRES_WITHIN_S = 100  # `for: 1m`, two scrapes and evaluations, and a slow machine


@dataclass
class Stack:
    rig: Rig
    prometheus: str
    begin: float

    def get(self, path: str, **query: Any) -> Any:
        answer = httpx.get(f"{self.prometheus}/api/v1/{path}", params=query, timeout=10).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def firing(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for alert in self.get("alerts")["alerts"]:
            if alert["state"] == "firing":
                found.setdefault(alert["labels"]["alertname"], []).append(alert["annotations"]["summary"])
        return found


def _config(folder: Path, rig: Rig) -> Path:
    """Our own configuration with this stack's addresses, and a second instead of 15."""
    config = yaml.safe_load((root() / "monitoring/prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(root() / "monitoring/prometheus/rules/*.yml")]
    del config["alerting"]
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    discovery = jobs["pikkit"]["file_sd_configs"][0]
    discovery["files"] = [str(rig.run_dir / "targets/*.json")]
    discovery["refresh_interval"] = "1s"
    for name in ("pikkit-lb", "pikkit-traffic"):
        jobs[name]["static_configs"][0]["targets"] = [f"127.0.0.1:{rig.port + 9}"]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    return file


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    program = need("prometheus")
    folder = tmp_path_factory.mktemp("live")
    port = free_port()
    with Rig(folder / "rig", DEPLOY_JUDGE_MIN_REQUESTS="100") as rig:
        rig.release("1", real_metrics=True)
        rig.release("2", real_metrics=True, error_rate=0.3, grade="A", p=0.7)
        rig.run("up", "--version", "1")
        rig.run("canary", "--version", "2", "--weight", "30")
        command = [
            program,
            f"--config.file={_config(folder, rig)}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        begin = time.monotonic()
        with Process(command, log=folder / "prometheus.log") as process, rig.traffic(clients=16, pause=0.1):
            process.wait_until_http(f"http://127.0.0.1:{port}/-/ready", seconds=30)
            yield Stack(rig, f"http://127.0.0.1:{port}", begin)


def test_prometheus_finds_every_running_slot_and_the_load_balancer(stack: Stack) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        targets = stack.get("targets")["activeTargets"]
        up = {
            target["labels"].get("deployment", target["labels"]["job"])
            for target in targets
            if target["health"] == "up"
        }
        if up == {"blue", "canary", "pikkit-lb"}:
            break
        time.sleep(0.5)
    assert up == {"blue", "canary", "pikkit-lb"}
    assert {target["lastError"] for target in targets} == {""}


def test_a_failing_canary_makes_its_alert_fire_within_its_time(stack: Stack) -> None:
    while "PikkitCanaryErrors" not in (firing := stack.firing()):
        assert time.monotonic() - stack.begin < _FIRES_WITHIN_S, firing
        time.sleep(1)
    (summary,) = firing["PikkitCanaryErrors"]
    assert "of the canary's predictions fail" in summary
    assert time.monotonic() - stack.begin > 60  # not before its time either
    assert "PikkitDown" not in firing
    assert "PikkitWorkerLost" not in firing


def test_no_query_of_any_panel_is_empty_or_refused(stack: Stack) -> None:
    empty = [
        (panel.title, query.expr)
        for panels in ROWS.values()
        for panel in panels
        for query in panel.queries
        if not run_query(stack.prometheus, query, rate_interval="15s")
    ]
    assert empty == []


def test_the_panels_can_be_drawn(stack: Stack, tmp_path: Path) -> None:
    file = Path(os.environ.get("PIKKIT_DASHBOARD_PICTURE", tmp_path / "dashboard.png"))
    draw(stack.prometheus, file)
    assert file.read_bytes()[1:4] == b"PNG"
    assert file.stat().st_size > 50_000


def test_the_canary_goes_back_on_its_own_and_its_slot_is_not_down(stack: Stack) -> None:
    ramp = ("--steps", "30,100", "--interval", "2s", "--auto")
    stack.rig.run("canary", "--version", "2", *ramp, code=CanaryFailed.exit_code)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        slots = {target["labels"].get("deployment") for target in stack.get("targets")["activeTargets"]}
        if "canary" not in slots:
            break
        time.sleep(0.5)
    assert slots == {"blue", None}
    assert "PikkitDown" not in stack.firing()
