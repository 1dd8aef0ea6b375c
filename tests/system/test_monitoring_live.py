"""A real Prometheus with our rules scrapes slots behind a real Nginx under load, one of them a failing canary.

The slots are stub services that count with the service's own metrics code. Rules wait (`for:`) for 5 s here; that they
wait as long as they should is the matter of monitoring/prometheus/cases.py.
"""

import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deploy.errors import CanaryFailed
from deploy.watch.supervisor import stop_supervisor
from monitoring.grafana.panels import ROWS
from monitoring.grafana.picture import draw, run_query
from tests.support.deploy_rig import Rig
from tests.support.need import need, root
from tests.support.ports import free_port
from tests.support.processes import Process

pytestmark = pytest.mark.system

_FIRES_WITHIN_S = 60  # two scrapes and evaluations, and a slow machine
_UP = {"blue", "canary", "pikkit-lb", "pikkit-traffic"}


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

    def wait_for(self, *alerts: str) -> dict[str, list[str]]:
        begin = time.monotonic()
        while not set(alerts) <= (firing := self.firing()).keys():
            assert time.monotonic() - begin < _FIRES_WITHIN_S, firing
            time.sleep(1)
        return firing


def _config(folder: Path, rig: Rig) -> Path:
    """Our own configuration with this stack's addresses, and a second instead of 15."""
    config = yaml.safe_load((root() / "monitoring/prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for rules in (root() / "monitoring/prometheus/rules").glob("*.yml"):
        (folder / rules.name).write_text(re.sub(r"\bfor: \w+", "for: 5s", rules.read_text()))
    config["rule_files"] = [str(folder / "alerts.yml"), str(folder / "recording.yml")]
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
        with (
            Process(command, log=folder / "prometheus.log") as process,
            rig.traffic(clients=16, pause=0.1, kinds=("post", "post", "post", "batch")),
        ):
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
        if up == _UP:
            break
        time.sleep(0.5)
    assert up == _UP
    assert {target["lastError"] for target in targets} == {""}


def test_a_failing_canary_makes_its_alert_fire_and_no_other_slot_s(stack: Stack) -> None:
    firing = stack.wait_for("PikkitCanaryErrors")
    (summary,) = firing["PikkitCanaryErrors"]
    assert "of the canary's predictions fail" in summary
    assert firing.keys() & {"PikkitDown", "PikkitProductionDown", "PikkitProbeFailing", "PikkitWorkerLost"} == set()


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


def test_production_that_is_dead_for_good_is_told_until_it_is_back(stack: Stack) -> None:
    stop_supervisor(stack.rig.run_dir)  # it would start the slot again
    pid = stack.rig.stack().runtime.observe("blue").pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    firing = stack.wait_for("PikkitProductionDown", "PikkitDown")
    assert firing["PikkitProductionDown"] == ["blue, which the load balancer sends clients to, answers no scrape"]
    time.sleep(8)  # the targets are read again meanwhile
    assert {"PikkitProductionDown", "PikkitDown"} <= stack.firing().keys()
    stack.rig.run("up")
    begin = time.monotonic()
    while stack.firing().keys() & {"PikkitProductionDown", "PikkitDown"}:
        assert time.monotonic() - begin < _FIRES_WITHIN_S
        time.sleep(1)
