"""What the outbox's commands tell programs."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pikkit.alerts.__main__ import app, console
from pikkit.alerts.admission import Admission, Limits
from pikkit.alerts.clock import SystemClock
from pikkit.alerts.outbox import Outbox
from tests.support.alerts import sighting
from tests.support.receiver import StandIn


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two alerts that wait."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    clock = SystemClock()
    outbox = Outbox(tmp_path, clock)
    Admission(outbox, Limits(per_hour=0)).admit([sighting(clock, event=event) for event in ("MTL @ BOS", "NYR @ NJD")])
    outbox.close()
    return tmp_path


def told(*line: str, code: int = 0) -> Any:
    ran = CliRunner().invoke(app, [*line, "--json"])
    assert ran.exit_code == code, ran.output
    return json.loads(ran.stdout)


@pytest.mark.usefixtures("here")
def test_alerts_are_told_to_programs() -> None:
    everything = told("list", "--state", "waiting")
    assert (everything["depth"], everything["parked"]) == (2, 0)
    events = [alert["bet"] for alert in everything["alerts"]]
    assert sorted("MTL @ BOS" in event for event in events) == [False, True]
    assert everything["alerts"][0]["raised"][:10] == time.strftime("%Y-%m-%d", time.gmtime())
    assert told("list", "--state", "parked")["alerts"] == []
    [one] = told("show", everything["alerts"][0]["alert_id"][:12])
    assert one["state"] == "waiting"
    assert json.loads(one["payload"])["bet"]["sport"]


def test_what_callers_write_is_no_markup_of_the_table(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "width", 400)
    clock = SystemClock()
    outbox = Outbox(here, clock)
    events = ("[/b] @ BOS", "[link=https://evil.example]NYR", "[red]SEA")
    Admission(outbox, Limits(per_hour=0)).admit([sighting(clock, event=event) for event in events])
    outbox.close()
    ran = CliRunner().invoke(app, ["list"])
    assert ran.exit_code == 0, ran.output
    for written in ("[/b] @ BOS", "]NYR", "[red]SEA"):
        assert written in ran.output


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("status", "code"), [(200, 0), (400, 1)])
def test_what_a_receiver_said_is_told_to_programs(status: int, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn() as n8n:
        n8n.answer = lambda _call: (status, {}, b"{}")
        monkeypatch.setenv("N8N_WEBHOOK_URL", n8n.url + "/webhook/pikkit")
        answer = told("test", code=code)
    assert answer["n8n"]["taken"] == (code == 0)
    assert (answer["n8n"]["reason"] is None) == (code == 0)
