"""The canary judge at work on live traffic: three outcomes, and what is done about each."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.errors import CanaryFailed, Inconclusive
from deploy.flow.operations import Ramp
from tests.support.deploy_rig import Rig

pytestmark = pytest.mark.system

RAMP = Ramp((20, 50, 100), 2.0)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path, DEPLOY_JUDGE_MIN_REQUESTS="100") as stack:
        stack.release("1", "2")
        stack.do(lambda operations: operations.deploy("1"))
        yield stack


def judged(rig: Rig) -> list[str]:
    entries = [json.loads(line) for line in (rig.run_dir / "audit.jsonl").read_text().splitlines()]
    return [entry["verdict"] for entry in entries if entry["command"] == "judge"]


def test_a_good_canary_goes_up_the_ramp_and_becomes_production(rig: Rig) -> None:
    with rig.traffic(clients=64, pause=0.01) as tally:
        rig.do(lambda operations: operations.canary("2", None, 10, RAMP))
    assert judged(rig) == ["pass", "pass"]
    assert rig.version() == "2"
    assert rig.status()["rollback_to"] == "1"
    assert not rig.status()["slots"]["canary"]["running"]
    assert tally.failures == {}


@pytest.mark.parametrize(
    ("told", "metric"),
    [
        ({"error_rate": 0.3}, "error rate"),
        ({"delay": 0.12}, "p95 latency"),
        ({"grade": "A", "p": 0.9}, "grade mix"),
    ],
)
def test_a_worse_canary_goes_back_on_its_own(rig: Rig, told: dict[str, object], metric: str) -> None:
    rig.release("bad", **told)
    with rig.traffic(clients=64, pause=0.01), pytest.raises(CanaryFailed, match="was stopped"):
        rig.do(lambda operations: operations.canary("bad", None, 10, RAMP))
    status = rig.status()
    assert not status["slots"]["canary"]["running"]
    assert status["canary_weight"] is None
    assert judged(rig) == ["fail"]
    assert rig.version() == "1"
    last = [json.loads(line) for line in (rig.run_dir / "audit.jsonl").read_text().splitlines()]
    rows = next(entry["rows"] for entry in last if entry["command"] == "judge")
    assert any(row.startswith(metric) and row.endswith("fail") for row in rows)


def test_without_traffic_the_canary_neither_goes_on_nor_back(rig: Rig) -> None:
    with pytest.raises(Inconclusive, match="stays at 20%"):
        rig.do(lambda operations: operations.canary("2", None, 10, Ramp((20, 50), 0.2)))
    status = rig.status()
    assert status["canary_weight"] == 20
    assert status["slots"]["canary"]["running"]
    assert rig.version()
    output = rig.run("promote", code=Inconclusive.exit_code)
    assert "inconclusive" in output
    rig.run("promote", "--force")
    assert rig.version() == "2"


def test_targets_for_prometheus_name_the_slots_that_run(rig: Rig) -> None:
    rig.run("canary", "--version", "2", "--weight", "5")
    targets = json.loads((rig.run_dir / "targets/pikkit.json").read_text())
    assert [(group["labels"]["deployment"], group["targets"]) for group in targets] == [
        ("blue", [f"127.0.0.1:{rig.port + 1}"]),
        ("canary", [f"127.0.0.1:{rig.port + 3}"]),
    ]
    rig.run("rollback")
    targets = json.loads((rig.run_dir / "targets/pikkit.json").read_text())
    assert [group["labels"]["deployment"] for group in targets] == ["blue"]


def test_scaling_production_drops_nothing(rig: Rig) -> None:
    with rig.traffic(clients=16) as tally:
        rig.do(lambda operations: operations.scale("blue", 2))
    status = rig.status()
    assert status["slots"][status["production"]]["workers"] == 2
    assert tally.failures == {}


def test_plan_says_what_would_happen_and_changes_nothing(rig: Rig) -> None:
    before = rig.status()
    assert "deploy 2 (reused) into green; now 1 in blue" in rig.run("plan", "deploy", "--version", "2")
    rig.run("plan", "rollback", code=2)
    after = rig.status()
    assert before["route"] == after["route"]
    assert before["slots"]["blue"]["pid"] == after["slots"]["blue"]["pid"]
