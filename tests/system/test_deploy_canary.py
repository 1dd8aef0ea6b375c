"""The canary judge at work on live traffic: three outcomes, and what the supervisor does about each."""

import contextlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.canary.judge import Row
from deploy.errors import CanaryFailed, Inconclusive, UsageError
from deploy.flow import operations
from deploy.watch.supervisor import stop_supervisor, supervisor_process
from tests.support.deploy_rig import Rig, kill
from tests.support.waiting import eventually

pytestmark = pytest.mark.system

RAMP = ("--steps", "20,50,100", "--interval", "4s", "--auto")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    settings = {"DEPLOY_JUDGE_MIN_REQUESTS": "100", "DEPLOY_JUDGE_INTERVAL": "0.5"}
    with Rig(tmp_path_factory.mktemp("canary"), **settings) as stack:
        stack.release("1", "2")
        stack.do(operations.deploy, "1")
        yield stack


@pytest.fixture
def rig(shared: Rig) -> Rig:
    """Release 1 in production and no canary, whatever the test before left."""
    with contextlib.suppress(UsageError):
        shared.do(operations.abort)
    if shared.version() != "1":
        shared.do(operations.deploy, "1")
    return shared


def noted(rig: Rig, command: str) -> list[dict[str, Any]]:
    return [entry for entry in rig.stack().journal.entries(50) if entry["command"] == command]


def outcomes(rig: Rig, command: str) -> list[str]:
    return [str(entry["outcome"]) for entry in noted(rig, command)]


def going_on(rig: Rig) -> dict[str, Any]:
    """The status; where a busy machine left the judge with too few requests, somebody lets the ramp go on."""
    status = rig.status()
    if status["ramp"] and "paused" in status["ramp"]:
        rig.run("resume", code=None)  # it may be over by now
    return status


def test_plan_says_what_would_happen_and_changes_nothing(rig: Rig) -> None:
    before = rig.status()
    assert "deploy 2 (reused) into green; now 1 in blue" in rig.run("plan", "deploy", "--version", "2")
    assert "needs a --version" in rig.run("plan", "deploy", code=2)
    rig.run("plan", "rollback", code=2)
    after = rig.status()
    assert before["route"] == after["route"]
    assert before["slots"]["blue"]["pid"] == after["slots"]["blue"]["pid"]


def test_a_good_canary_goes_up_the_ramp_and_becomes_production_whatever_happens_to_terminal_and_supervisor(
    rig: Rig,
) -> None:
    with rig.traffic(clients=32) as tally:
        with rig.start("canary", "--version", "2", *RAMP) as command:
            eventually(lambda: supervisor_process(rig.run_dir) is not None)
            eventually(lambda: rig.status()["ramp"] is not None)
            command.send_signal(signal.SIGKILL)  # the terminal is closed
        supervisor = supervisor_process(rig.run_dir)
        assert supervisor is not None
        supervisor.signal(signal.SIGKILL)
        assert supervisor.wait(60)
        assert "the supervisor was left running" in rig.run("up")
        onwards = ["advanced", "promoted"]
        eventually(
            lambda: going_on(rig) and [outcome for outcome in outcomes(rig, "ramp") if outcome in onwards] == onwards,
            told=lambda: rig.stack().journal.entries(20),
        )
        assert rig.version() == "2"
    assert tally.failures == {}
    status = rig.status()
    assert status["ramp"] is None
    assert status["rollback_to"] == "1"
    assert not status["slots"]["canary"]["running"]


@pytest.mark.parametrize(
    ("told", "metric"),
    [
        ({"error_rate": 0.3}, "5xx"),
        ({"refuse": True}, "4xx"),
        ({"delay": 0.5}, "p95 latency"),  # beside what a busy machine adds to production's
        ({"grade": "A", "p": 0.9}, "grade mix"),
    ],
)
def test_a_worse_canary_is_ended_before_its_first_step_is_over(rig: Rig, told: dict[str, object], metric: str) -> None:
    rig.release("bad", **told)
    with rig.traffic(clients=32):
        output = rig.run(
            *("canary", "--version", "bad", "--steps", "30,50", "--interval", "10m", "--auto"),
            code=CanaryFailed.exit_code,
        )
    assert "was stopped" in output
    status = rig.status()
    assert not status["slots"]["canary"]["running"]
    assert (status["canary_weight"], status["ramp"]) == (None, None)
    assert rig.version() == "1"
    assert any(row.startswith(metric) and row.endswith("fail") for row in noted(rig, "judge")[-1]["rows"])


def test_without_traffic_the_canary_neither_goes_on_nor_back(rig: Rig) -> None:
    output = rig.run(
        *("canary", "--version", "2", "--steps", "20,50", "--interval", "1s", "--auto"), code=Inconclusive.exit_code
    )
    assert "too little was seen" in output
    status = rig.status()
    assert status["canary_weight"] == 20
    assert "paused" in status["ramp"]
    assert status["slots"]["canary"]["running"]
    assert rig.version()
    assert "inconclusive" in rig.run("promote", code=Inconclusive.exit_code)
    rig.run("promote", "--force")
    assert rig.version() == "2"
    assert rig.status()["ramp"] is None


def test_a_ramp_is_paused_resumed_and_aborted_from_anywhere(rig: Rig) -> None:
    rig.run("canary", "--version", "2", "--steps", "20,50", "--interval", "10m", "--auto", "--detach")
    assert "paused" in rig.run("pause")
    assert "paused" in rig.status()["ramp"]
    assert "running" in rig.run("resume")
    rig.run("abort")
    status = rig.status()
    assert (status["ramp"], status["canary_weight"]) == (None, None)
    assert rig.version() == "1"
    assert "no ramp" in rig.run("resume", code=2)


def test_nobody_fails_a_canary_by_requests_that_choose_it_nor_alone(tmp_path: Path) -> None:
    settings = {"DEPLOY_JUDGE_MIN_REQUESTS": "50", "DEPLOY_JUDGE_CLIENT_REQUESTS": "30"}
    with Rig(tmp_path, **settings) as rig:
        rig.release("1", "2")
        rig.do(operations.deploy, "1")
        rig.do(operations.canary, "2", weight=50)
        for _ in range(60):
            assert rig.predict(**{"x-deployment-target": "canary", "x-fail": "500"}).status_code == 500
        for number in range(200):  # one address
            rig.predict(**{"x-client-id": f"c{number}", "x-fail": "500"})
        assert rig.client.get(f"{rig.url}/nowhere", headers={"x-fail": "500"}).status_code == 404
        for _ in range(5):
            assert rig.predict(**{"x-deployment-target": "canary"}).status_code == 200

        def row(metric: str) -> Row:
            return next(row for row in rig.stack().window.verdict().rows if row.metric.startswith(metric))

        def counted() -> tuple[str, str]:
            return row("requests that count").production, row("requests that count").canary

        eventually(lambda: counted() == ("30", "30"), told=counted)  # once Nginx has written
        time.sleep(1.2)
        assert counted() == ("30", "30")
        graded = row("grade mix")
        assert (graded.canary, graded.outcome) == ("none", "inconclusive")


def test_targets_for_prometheus_name_the_slots_that_should_run(rig: Rig) -> None:
    def targets() -> dict[str, list[str]]:
        groups = json.loads((rig.run_dir / "targets/pikkit.json").read_text())
        return {group["labels"]["deployment"]: group["targets"] for group in groups}

    rig.run("canary", "--version", "2", "--weight", "5")
    live = rig.status()["production"]
    canary = [f"127.0.0.1:{rig.port + 3}"]
    assert targets()[live] == [f"127.0.0.1:{rig.port + {'blue': 1, 'green': 2}[live]}"]
    assert targets()["canary"] == canary
    pid = rig.stack().runtime.observe("canary").pid
    assert pid is not None
    stop_supervisor(rig.run_dir)
    kill(pid)
    rig.run("canary", "--weight", "5", code=2)
    rig.run("up")
    assert targets()["canary"] == canary  # it is down, not gone
    rig.run("abort")
    assert live in targets()
    assert "canary" not in targets()


def test_scaling_production_drops_nothing(rig: Rig) -> None:
    with rig.traffic(clients=16) as tally:
        rig.do(operations.scale, rig.status()["production"], 2)
    status = rig.status()
    assert status["slots"][status["production"]]["workers"] == 2
    assert tally.failures == {}


def test_production_that_gets_worse_after_a_promotion_goes_back_by_itself(rig: Rig) -> None:
    rig.release("late", good_in=["canary"], error_rate=0.5)
    with rig.traffic(clients=32):
        rig.run("canary", "--version", "late", "--steps", "50", "--interval", "2s", "--auto", "--detach")
        eventually(lambda: going_on(rig)["rejected"] == "late")
    assert rig.version() == "1"
    assert "fail" in outcomes(rig, "watch")
