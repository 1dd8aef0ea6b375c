"""Alerts out of the real service: once, however often a bet is seen, and whatever is killed."""

import asyncio
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


def test_two_slots_and_four_workers_raise_one_alert_for_each_bet_and_none_for_what_is_only_asked(
    tmp_path: Path,
) -> None:
    with (
        StandIn() as stand_in,
        server(tmp_path / "blue", stand_in, DATA_DIR=tmp_path / "data", WORKERS=2, DEPLOYMENT="blue") as blue,
        server(tmp_path / "green", stand_in, DATA_DIR=tmp_path / "data", WORKERS=2, DEPLOYMENT="green") as green,
    ):
        other = {**A_BET, "client_ref": "only asked"}
        for asked in (
            httpx.post(f"{blue.url}/api/v1/predict", params={"dry_run": "true"}, json=other),
            httpx.get(f"{blue.url}/api/v1/predict", params=other),
        ):
            assert asked.json()["bet_grade"] == "A"
        assert asyncio.run(flood([blue.url, green.url], [A_BET, OTHER_A_BET], 50)) == {200}
        assert httpx.get(f"{blue.url}/ml-predict", params=A_BET).json()["bet_grade"] == "A"
        eventually(lambda: len(stand_in.calls) >= 2)
        time.sleep(1.5)  # more would have come by now
        assert sorted(keys(stand_in).values()) == [1, 1]
        assert {call.json["alert_id"] for call in stand_in.calls} == set(keys(stand_in))

        def told() -> str:
            return httpx.get(f"{blue.url}/metrics").text + httpx.get(f"{green.url}/metrics").text

        eventually(lambda: 'pikkit_alerts_total{channel="n8n",outcome="delivered"}' in told())
        eventually(lambda: "pikkit_alert_outbox_depth 0.0" in told())


def test_nothing_is_lost_or_sent_under_two_keys_whatever_is_down_or_killed_and_no_prediction_waits(
    tmp_path: Path,
) -> None:
    receiver, killed = StandIn(), threading.Event()
    with receiver:
        pass  # its port is known now, and nobody listens

    def hold(call: Call) -> Answer:
        if call.headers["idempotency-key"] == receiver.calls[0].headers["idempotency-key"]:
            killed.wait()  # it never learns that the alert was taken
        return 200, {}, b"{}"

    with server(tmp_path, receiver) as running:
        assert httpx.post(f"{running.url}/api/v1/predict", json=A_BET).status_code == 200
        kill_all(running)
    receiver.answer = hold
    with receiver:
        with server(tmp_path, receiver) as running, httpx.Client(base_url=running.url) as http:
            eventually(lambda: receiver.calls)
            for i in range(20):  # beside a receiver that does not answer
                assert http.post("/api/v1/predict", json={**A_BET, "client_ref": i}).status_code == 200
            kill_all(running)
        killed.set()
        twice = receiver.calls[0].headers["idempotency-key"]
        with server(tmp_path, receiver):
            eventually(lambda: len(keys(receiver)) == 21 and keys(receiver)[twice] > 1, told=lambda: keys(receiver))
            time.sleep(1)  # more would have come by now
    assert receiver.calls[0].json["bet"]["market"] == "1st Half Spread"
    assert len(keys(receiver)) == 21
    assert {key for key, times in keys(receiver).items() if times > 1} == {twice}


def kill_all(running: Server) -> None:
    for process in [*psutil.Process(running.pid).children(recursive=True), psutil.Process(running.pid)]:
        process.kill()
    running.popen.wait()


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
