"""Alerts out of the real service: once, however often a bet is seen, and whatever is killed."""

import asyncio
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.support.disks import own_disk
from tests.support.receiver import Answer, Call, StandIn
from tests.support.server import Server
from tests.support.waiting import eventually

pytestmark = pytest.mark.system

# The starter models grade these two A.
A_BET: dict[str, Any] = {
    "sport": "Basketball",
    "league": "NBA",
    "market": "1st Half Spread",
    "institution_name": "FanDuel",
    "odds": 150,
}
OTHER_A_BET = {**A_BET, "sport": "Ice Hockey", "league": "NHL", "market": "Puck Line"}


def keys(stand_in: StandIn) -> Counter[str]:
    return Counter(call.headers["idempotency-key"] for call in stand_in.calls)


def server(folder: Path, stand_in: StandIn, **settings: Any) -> Server:
    folder.mkdir(exist_ok=True)
    url = f"{stand_in.url}/webhook/x"
    return Server(folder, ALERTS_ENABLED="true", N8N_WEBHOOK_URL=url, ACCESS_LOG=0, **settings)


async def flood(urls: list[str], bets: list[dict[str, Any]], times: int) -> set[int]:
    async with httpx.AsyncClient() as http:
        posts = [http.post(f"{urls[i % len(urls)]}/api/v1/batch-predict", json={"bets": bets}) for i in range(times)]
        return {answer.status_code for answer in await asyncio.gather(*posts)}


def test_two_slots_and_four_workers_raise_one_alert_for_each_bet(tmp_path: Path) -> None:
    with (
        StandIn() as stand_in,
        server(tmp_path / "blue", stand_in, DATA_DIR=tmp_path / "data", WORKERS=2, DEPLOYMENT="blue") as blue,
        server(tmp_path / "green", stand_in, DATA_DIR=tmp_path / "data", WORKERS=2, DEPLOYMENT="green") as green,
    ):
        assert asyncio.run(flood([blue.url, green.url], [A_BET, OTHER_A_BET], 100)) == {200}
        assert httpx.get(f"{blue.url}/ml-predict", params=A_BET).json()["bet_grade"] == "A"
        eventually(lambda: len(stand_in.calls) >= 2)
        time.sleep(1.5)  # more would have come by now
        assert sorted(keys(stand_in).values()) == [1, 1]
        assert {call.json["alert_id"] for call in stand_in.calls} == set(keys(stand_in))

        def told() -> str:
            return httpx.get(f"{blue.url}/metrics").text + httpx.get(f"{green.url}/metrics").text

        eventually(lambda: 'pikkit_alerts_total{channel="n8n",outcome="delivered"}' in told())
        eventually(lambda: "pikkit_alert_outbox_depth 0.0" in told())


def test_dry_runs_and_reading_by_get_raise_none(tmp_path: Path) -> None:
    with StandIn() as stand_in, server(tmp_path, stand_in) as running:
        httpx.post(f"{running.url}/api/v1/predict", params={"dry_run": "true"}, json=A_BET)
        httpx.get(f"{running.url}/api/v1/predict", params=A_BET)
        time.sleep(1)
        assert not stand_in.calls


def test_nothing_is_lost_when_receiver_and_service_go_down_and_come_back(tmp_path: Path) -> None:
    down = StandIn()
    with down:
        pass  # its port is known now, and nobody listens
    running = server(tmp_path, down)
    try:
        assert httpx.post(f"{running.url}/api/v1/predict", json=A_BET).status_code == 200
        family = psutil.Process(running.pid).children(recursive=True)
        for process in family:
            process.send_signal(signal.SIGKILL)
        os.kill(running.pid, signal.SIGKILL)
        running.popen.wait()
    finally:
        running.stop()
    with down, server(tmp_path, down):
        eventually(lambda: len(down.calls) >= 1)
        time.sleep(1)
        assert len(down.calls) == 1
        assert down.calls[0].json["bet"]["market"] == "1st Half Spread"


def test_a_service_killed_between_send_and_mark_sends_again_with_the_same_key(tmp_path: Path) -> None:
    holding, killed = StandIn(), threading.Event()

    def hold(_call: Call) -> Answer:
        killed.wait()  # it never learns that the alert was taken
        return 200, {}, b"{}"

    holding.answer = hold
    with holding:
        running = server(tmp_path, holding)
        try:
            httpx.post(f"{running.url}/api/v1/predict", json=A_BET)
            eventually(lambda: len(holding.calls) == 1)
            for process in psutil.Process(running.pid).children(recursive=True):
                process.send_signal(signal.SIGKILL)
        finally:
            running.stop()
            killed.set()
        with server(tmp_path, holding):
            eventually(lambda: len(holding.calls) == 2)
            assert len(keys(holding)) == 1


def test_garbage_in_the_outbox_at_the_start_is_kept_aside_and_each_key_has_a_limit_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/alerts.sqlite3").write_bytes(b"no database " * 1000)
    keys_of = ("k" * 24, "l" * 24)
    with (
        StandIn() as stand_in,
        server(tmp_path, stand_in, API_KEYS=",".join(keys_of), ALERTS_PER_HOUR=1) as running,
        httpx.Client(base_url=running.url) as http,
    ):
        for key, count in zip(keys_of, (3, 1), strict=True):
            bets = [{**A_BET, "client_ref": f"{key} {i}"} for i in range(count)]
            answer = http.post("/api/v1/batch-predict", json={"bets": bets}, headers={"X-API-Key": key})
            assert answer.json()["summary"]["grade_distribution"]["A"] == count
        eventually(lambda: len(stand_in.calls) == 2)
        assert {call.json["bet"]["client_ref"] for call in stand_in.calls} == {f"{key} 0" for key in keys_of}
        eventually(lambda: 'outcome="left_out"} 2.0' in http.get("/metrics").text)
        assert http.get("/health").json()["alerts"] == "on"
    assert list((tmp_path / "data").glob("alerts.sqlite3.corrupt-*"))


@pytest.mark.parametrize(
    ("begin", "why", "reason"),
    [
        ("! head -c 30M /dev/zero >$DATA_DIR/filler", "the disk of DATA_DIR is full", "disk_full"),
        ("mount -o remount,ro $DATA_DIR", "DATA_DIR can't be written", "read_only"),
    ],
    ids=["full", "read-only"],
)
def test_a_disk_that_takes_nothing_at_the_start_stops_no_prediction_and_is_told(
    tmp_path: Path, begin: str, why: str, reason: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with (
        StandIn() as stand_in,
        server(tmp_path, stand_in, within=own_disk(begin), TMPDIR=data) as running,
        httpx.Client(base_url=running.url) as http,
    ):
        assert http.post("/api/v1/predict", json=A_BET).json()["bet_grade"] == "A"
        eventually(lambda: http.get("/health").json()["alerts"] == f"off, because {why}")
        assert http.get("/ready").status_code == 200
        assert f'pikkit_alerts_off{{reason="{reason}"}} 1.0' in http.get("/metrics").text
        assert not stand_in.calls
        assert "Traceback" not in running.log.read_text()
        if reason == "disk_full":  # and then there is room
            Path(f"/proc/{running.pid}/root{data}/filler").unlink()
            eventually(lambda: len(stand_in.calls) == 1)  # it was held in memory
            eventually(lambda: http.get("/health").json()["alerts"] == "on")


def test_a_slow_receiver_delays_no_prediction(tmp_path: Path) -> None:
    ending = threading.Event()

    def slow(_call: Call) -> Answer:
        ending.wait()
        return 500, {}, b"{}"

    with StandIn(slow) as stand_in, server(tmp_path, stand_in) as running, httpx.Client(base_url=running.url) as http:
        try:
            http.post("/api/v1/predict", json=A_BET)
            eventually(lambda: stand_in.calls)
            for i in range(100):
                assert http.post("/api/v1/predict", json={**A_BET, "client_ref": i}).status_code == 200
        finally:
            ending.set()
