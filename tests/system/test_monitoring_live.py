"""A real Prometheus and Alertmanager with our rules: what is told, and what is not, when each thing goes wrong.

A real Nginx has blue and a failing canary behind it, stubs that count with the service's own metrics code; green is the
service itself with two workers, on a disk of its own. Rules wait (`for:`) and look back for seconds here; that they do
as long as they should is the matter of monitoring/prometheus/cases. Each test goes on where the last one ended.
"""

import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from deploy.errors import CanaryFailed
from deploy.processes import living
from deploy.watch.supervisor import stop_supervisor
from monitoring.grafana.panels import ROWS
from monitoring.grafana.picture import draw, run_query
from tests.support.deploy_rig import Rig, kill
from tests.support.disks import own_disk
from tests.support.need import need, root
from tests.support.operators import Operators, operators
from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.receiver import StandIn
from tests.support.server import Server
from tests.support.waiting import eventually

pytestmark = pytest.mark.system

_UP = {"blue", "canary", "green", "pikkit-lb", "pikkit-traffic"}
_WAITS = {"1m": "5s", "2m": "10s", "3m": "12s", "5m": "8s", "10m": "8s"}  # a quarter of an hour and more stays
_LOOKS_BACK = {"2m": "6s", "5m": "15s", "15m": "15s"}
# What takes as long here as anywhere: the supervisor's bets are 15 s apart, a hung worker is ended after 20 s and
# another one starts.
_REAL = dict.fromkeys(
    (
        *("PikkitProbeFailing", "PikkitSlotHung", "PikkitSupervisorSilent", "PikkitDown"),
        *("PikkitWorkerLost", "PikkitModelsNotLoaded"),
    ),
    "2m",
)
# What is quick anywhere, and may take seconds while other tests keep this machine busy.
_SPEEDS = {
    "pikkit_worker_start_seconds > 15": "pikkit_worker_start_seconds > 300",
    "pikkit_probe_duration_seconds > 1": "pikkit_probe_duration_seconds > 30",
    "pikkit:single:latency_seconds_p95_5m > 0.1": "pikkit:single:latency_seconds_p95_5m > 9",
    "pikkit:batch:latency_seconds_p95_5m > 0.5": "pikkit:batch:latency_seconds_p95_5m > 9",
    "or vector(0.1)) > 0.05": "or vector(0.1)) > 9",
    'le="0.1"': 'le="10.0"',
    'le="0.5"': 'le="10.0"',
}
_CRITICAL = {"PikkitCanaryErrors", "PikkitProductionDown"}
_WARNING = {"PikkitReloadFailing", "PikkitOutboxStuck", "PikkitWorkerHung", "PikkitAlertsOff"}
_A_BET = {
    "sport": "Basketball",
    "league": "NBA",
    "market": "1st Half Spread",
    "institution_name": "FanDuel",
    "odds": 150,
}


class Service(Server):
    """The service itself, on a disk that a test can fill: it is there for its processes alone, and goes with them."""

    def __init__(self, folder: Path, n8n: StandIn) -> None:
        self.models = folder / "models"
        shutil.copytree(root() / "models", self.models)
        data = folder / "data"
        data.mkdir()
        super().__init__(
            folder,
            wait=False,
            within=own_disk(),
            MODEL_DIR=self.models,
            DATA_DIR=data,
            WORKERS=2,
            DEPLOYMENT="green",
            RELOAD_INTERVAL=1,
            ALERTS_ENABLED="true",
            N8N_WEBHOOK_URL=f"{n8n.url}/webhook/x",
            ACCESS_LOG=0,
        )
        self.filler = Path(f"/proc/{self.pid}/root{data}/filler")
        self.raised: list[str] = []

    def fill_the_disk(self) -> None:
        with self.filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def raise_an_alert(self, event: str) -> None:
        answer = httpx.post(f"{self.url}/api/v1/predict", json={**_A_BET, "event": event})
        assert answer.json()["bet_grade"] == "A"
        self.raised.append(event)

    def raise_alerts_on_a_full_disk(self, enough: Callable[[], bool]) -> None:
        """Again and again: what was written at the time, and given up, makes room again."""

        def told() -> bool:
            self.fill_the_disk()
            self.raise_an_alert(f"LAL @ NYK, {len(self.raised)}")
            time.sleep(0.5)
            return enough()

        eventually(told)

    def stop_a_worker(self) -> None:
        family = psutil.Process(self.pid).children(recursive=True)
        worker, *_ = living(lambda process: "worker" in " ".join(process.cmdline()), family)
        worker.send_signal(signal.SIGSTOP)


@dataclass
class Stack:
    rig: Rig
    green: Service
    n8n: StandIn
    operators: Operators
    prometheus: str

    def get(self, path: str, **query: Any) -> Any:
        answer = httpx.get(f"{self.prometheus}/api/v1/{path}", params=query).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def wait_until_up(self, wanted: set[str]) -> None:
        def up() -> set[str]:
            return {
                target["labels"].get("deployment", target["labels"]["job"])
                for target in self.get("targets")["activeTargets"]
                if target["health"] == "up"
            }

        eventually(lambda: up() == wanted, told=up)

    def told(self, *, resolved: bool = False) -> dict[str, str]:
        """Summaries by alert, as they came to Telegram."""
        return {each.alert: each.summary for each in self.operators.told() if each.resolved == resolved}

    def wait_for(self, *alerts: str, resolved: bool = False) -> dict[str, str]:
        """The summaries, once those of these alerts have come."""
        eventually(
            lambda: set(alerts) <= self.told(resolved=resolved).keys(),
            told=lambda: (self.told(resolved=resolved), self.get("alerts")["alerts"]),
        )
        return self.told(resolved=resolved)


def _compressed(rules: str) -> str:
    text = re.sub(r"\[(\w+)]", lambda found: f"[{_LOOKS_BACK.get(found[1], found[1])}]", rules)
    text = text.replace("oldest_age_seconds) > 600", "oldest_age_seconds) > 5")
    for objective, here in _SPEEDS.items():
        text = text.replace(objective, here)
    groups = yaml.safe_load(text)
    for rule in (rule for group in groups["groups"] for rule in group["rules"]):
        for wait in {"for", "keep_firing_for"} & rule.keys():
            rule[wait] = _REAL.get(rule["alert"]) or _WAITS.get(rule[wait], rule[wait])
    return yaml.safe_dump(groups)


def _config(folder: Path, rig: Rig, told: Operators, green: Service) -> Path:
    """Our own configuration with this stack's addresses, and a second instead of 15."""
    config = yaml.safe_load((root() / "monitoring/prometheus/prometheus.yml").read_text())
    config["global"].update(scrape_interval="1s", evaluation_interval="1s")
    rules = {file.name: file.read_text() for file in (root() / "monitoring/prometheus/rules").glob("*.yml")}
    for objective in _SPEEDS:
        assert any(objective in text for text in rules.values()), objective
    for name, text in rules.items():
        (folder / name).write_text(_compressed(text))
    config["rule_files"] = [str(folder / "alerts.yml"), str(folder / "recording.yml")]
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [told.url.removeprefix("http://")]
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    discovery = jobs["pikkit"]["file_sd_configs"][0]
    discovery["files"] = [str(rig.run_dir / "targets/*.json")]
    discovery["refresh_interval"] = "1s"
    labels = {"deployment": "green", "version": "1"}
    jobs["pikkit"]["static_configs"] = [{"targets": [f"127.0.0.1:{green.port}"], "labels": labels}]
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
    with ExitStack() as running:
        n8n = running.enter_context(StandIn())
        green = running.enter_context(Service(folder, n8n))
        told = running.enter_context(operators(folder, wait="3s"))
        rig = running.enter_context(Rig(folder / "rig", DEPLOY_JUDGE_MIN_REQUESTS="50", DEPLOY_JUDGE_INTERVAL="1"))
        rig.release("1", real_metrics=True)
        rig.release("2", real_metrics=True, error_rate=0.2)
        rig.run("up", "--version", "1")
        rig.run("canary", "--version", "2", "--weight", "12")
        green.wait_until_http(f"{green.url}/ready")
        command = [
            program,
            f"--config.file={_config(folder, rig, told, green)}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        process = running.enter_context(Process(command, log=folder / "prometheus.log"))
        running.enter_context(rig.traffic(clients=64, pause=0.4, kinds=("post", "post", "post", "batch")))
        process.wait_until_http(f"http://127.0.0.1:{port}/-/ready")
        yield Stack(rig, green, n8n, told, f"http://127.0.0.1:{port}")


@pytest.fixture(scope="module")
def troubled(stack: Stack) -> Stack:
    """A reload is broken, n8n stopped, a worker hung, and the canary fails."""
    stack.wait_until_up(_UP)
    stack.n8n.__exit__(None, None, None)
    stack.green.raise_an_alert("MTL @ BOS")
    (stack.green.models / "model_metadata_latest.json").write_text("{")
    stack.green.stop_a_worker()
    return stack


def test_no_query_of_any_panel_is_empty_or_refused(troubled: Stack) -> None:
    waiting = [(panel.title, query) for panels in ROWS.values() for panel in panels for query in panel.queries]

    def all_told() -> bool:  # what was told once is not asked for again
        waiting[:] = [
            (title, query) for title, query in waiting if not run_query(troubled.prometheus, query, rate_interval="15s")
        ]
        return not waiting

    eventually(
        all_told,
        told=lambda: (waiting, troubled.get("query", query="sum by (deployment, grade) (pikkit_grades_total)")),
    )


def test_the_panels_can_be_drawn(troubled: Stack, tmp_path: Path) -> None:
    file = Path(os.environ.get("PIKKIT_DASHBOARD_PICTURE", tmp_path / "dashboard.png"))
    draw(troubled.prometheus, file)
    assert file.read_bytes()[1:4] == b"PNG"
    assert file.stat().st_size > 50_000


def test_a_failing_canary_a_broken_reload_a_stopped_n8n_and_a_hung_worker_are_each_told(troubled: Stack) -> None:
    troubled.wait_for("PikkitOutboxStuck")
    troubled.n8n.__enter__()  # sooner than the rest is over: the longer it is away, the more seldom it is asked
    told = troubled.wait_for("PikkitCanaryErrors", "PikkitReloadFailing", "PikkitWorkerHung")
    assert re.fullmatch(
        r"[\d.]+% of the canary's predictions fail, clearly more than production's", told["PikkitCanaryErrors"]
    )
    assert told["PikkitReloadFailing"] == "green can't use the files in MODEL_DIR, and serves the old set"
    assert re.fullmatch(r"The oldest undelivered bet alert waits for [\d.]+s", told["PikkitOutboxStuck"])
    assert told["PikkitWorkerHung"] == "A worker of green answered no more and was replaced"


def test_the_canary_goes_back_on_its_own_and_what_waited_for_n8n_comes_once(stack: Stack) -> None:
    shutil.copy(root() / "models/model_metadata_latest.json", stack.green.models)
    ramp = ("--steps", "12,100", "--interval", "10m", "--auto")  # it ends as soon as enough is seen
    stack.rig.run("canary", "--version", "2", *ramp, code=CanaryFailed.exit_code)
    stack.wait_until_up(_UP - {"canary"})
    eventually(lambda: stack.n8n.calls)
    assert [call.json["bet"]["event"] for call in stack.n8n.calls] == ["MTL @ BOS"]


def test_production_that_is_dead_for_good_and_a_full_disk_are_told(stack: Stack) -> None:
    stop_supervisor(stack.rig.run_dir)  # it would start the slot again
    pid = stack.rig.stack().runtime.observe("blue").pid
    assert pid is not None
    kill(pid)
    stack.green.raise_alerts_on_a_full_disk(lambda: "PikkitAlertsOff" in stack.told())
    told = stack.wait_for("PikkitProductionDown", "PikkitAlertsOff")
    assert told["PikkitProductionDown"] == "blue, which the load balancer sends clients to, answers no scrape"
    assert told["PikkitAlertsOff"] == "Alerts about bets can't be stored on green: disk full"
    assert "PikkitProductionDown" not in stack.told(resolved=True)


def test_all_is_told_to_be_over_once_there_is_room_and_production_is_back(stack: Stack) -> None:
    stack.green.filler.unlink()
    stack.rig.run("up")
    stack.wait_for(*_CRITICAL, *_WARNING, resolved=True)

    def events() -> list[str]:  # by key: a full disk takes no note that one was sent
        return sorted({call.json["alert_id"]: call.json["bet"]["event"] for call in list(stack.n8n.calls)}.values())

    eventually(lambda: events() == sorted(stack.green.raised), told=events)


def test_nothing_else_was_told_and_each_to_whom_it_concerns(stack: Stack) -> None:
    told = stack.operators.told()
    for resolved in (False, True):
        assert {each.alert for each in told if each.resolved == resolved and not each.silent} == _CRITICAL
        assert {each.alert for each in told if each.resolved == resolved and each.silent} == _WARNING
    assert {each.runbook for each in told} == {f"monitoring/RUNBOOK.md#{name.lower()}" for name in _CRITICAL | _WARNING}
    # What fires before Prometheus has found Alertmanager is told when it is sent again: the watchdog, after a minute.
    hooks = {"/watchdog": {"PikkitWatchdog"}, "/n8n": _CRITICAL}
    eventually(lambda: stack.operators.hooked() == hooks, told=stack.operators.hooked)
