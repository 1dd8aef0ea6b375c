import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from pikkit.alerts.admission import Limits
from pikkit.alerts.delivery import Patience
from pikkit.alerts.outbox import FILE
from pikkit.alerts.receivers.port import Later, Refused
from pikkit.alerts.sink import AlertSink
from tests.support.alerts import NOON, Fake, HandClock, Host
from tests.support.samples import a_bet, a_prediction


def offer(host: Host, *grades: Any, **bet: Any) -> None:
    bets = [a_bet(**bet) for _ in grades]
    host.sink.offer(bets, [a_prediction(grade) for grade in grades], model_version="m1")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def test_only_a_and_b_raise_alerts_and_equal_bets_of_a_request_are_different_games(
    tmp_path: Path, clock: HandClock
) -> None:
    host = Host(tmp_path, clock)
    offer(host, "A", "B", "C", "D", "F", "A")
    host.turn()
    assert len(host.receiver.taken) == 3
    for _ in range(5):
        offer(host, "A", "B", "C", "D", "F", "A")
        host.turn()
    assert len(host.receiver.taken) == 3
    assert host.counts.of == {"delivered": 3, "duplicate": 15}


def test_a_page_whose_first_game_is_no_longer_good_alerts_no_other_twice(tmp_path: Path, clock: HandClock) -> None:
    host = Host(tmp_path, clock)
    offer(host, "A", "A", "A")
    host.turn()
    offer(host, "C", "A", "A")
    host.turn()
    assert len(host.receiver.taken) == 3


def test_slots_and_reloads_raise_one_alert_for_one_bet(tmp_path: Path, clock: HandClock) -> None:
    blue, green = Host(tmp_path, clock, slot="blue"), Host(tmp_path, clock, slot="green")
    for version in ("m1", "m2"):
        for host in (blue, green):
            bets, predictions = [a_bet(league="EPL", sport="Soccer")], [a_prediction("A")]
            host.sink.offer(bets, predictions, model_version=version)
            host.turn()
    assert len(blue.receiver.taken) + len(green.receiver.taken) == 1


def test_the_newest_slot_that_gets_bets_delivers_with_its_own_settings(tmp_path: Path, clock: HandClock) -> None:
    blue = Host(tmp_path, clock, Fake([Refused("401")] * 99, channel="telegram"), slot="blue")
    clock.pass_(100)
    green = Host(tmp_path, clock, Fake(channel="n8n"), slot="green")
    offer(blue, "C")  # the switch has not come yet
    blue.turn()
    green.turn()
    assert blue.presence.leads()
    assert not green.presence.leads()
    offer(green, "A")
    green.turn(0.5)
    for _ in range(5):
        blue.turn()
        green.turn()
    assert len(green.receiver.taken) == 1
    assert blue.receiver.asked == 0
    for _ in range(12):  # a way back: blue gets the bets again
        offer(blue, "C")
        blue.turn()
        green.turn()
    offer(blue, "A", market="Spread")
    blue.turn()
    assert blue.receiver.asked == 1


def test_a_better_grade_or_price_is_told_as_improved(tmp_path: Path, clock: HandClock) -> None:
    host = Host(tmp_path, clock)
    offer(host, "B", odds=-110)
    host.turn()
    offer(host, "A", odds=-110)
    host.turn()
    offer(host, "A", odds=105)
    host.turn()
    assert [alert.payload.get("improved") for alert in host.receiver.taken] == [
        None,
        {"grade": "B", "odds": -110},
        {"grade": "A", "odds": -110},
    ]
    assert "improved" in host.receiver.taken[1].payload["message"]


@pytest.mark.parametrize("placed", ["2025-03-01T12:00:00Z", "2026-01-26T10:59:00Z"])
def test_bets_of_the_past_are_not_sent_but_counted(tmp_path: Path, clock: HandClock, placed: str) -> None:
    host = Host(tmp_path, clock)
    offer(host, "A", placed_at=placed)
    host.turn()
    assert host.receiver.taken == []
    assert host.counts.of == {"late": 1}


def test_a_request_touches_no_database(tmp_path: Path, clock: HandClock) -> None:
    host = Host(tmp_path, clock)
    offer(host, "A")
    assert not (tmp_path / FILE).exists()


def test_another_process_that_holds_the_outbox_delays_no_request_and_loses_no_alert(
    tmp_path: Path, clock: HandClock
) -> None:
    host = Host(tmp_path, clock)
    host.turn()
    blocker = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    times = []
    for i in range(20):
        begin = time.perf_counter()
        offer(host, "A" if i % 2 else "C", market=f"m{i}")
        times.append(time.perf_counter() - begin)
    assert min(times[::2]) + min(times[1::2]) < 0.1  # a busy machine may interrupt any single one
    for _ in range(4):
        host.turn(60)
    assert host.sink.status() == "off, because another process holds the outbox"
    assert host.sink.figures().off == "locked"
    blocker.execute("ROLLBACK")
    host.turn(60)
    assert host.sink.status() == "on"
    assert len(host.receiver.taken) == 10


def test_garbage_in_the_file_is_set_aside_and_alerts_go_on(
    tmp_path: Path, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_bytes(b"garbage" * 1000)
    host = Host(tmp_path, clock)
    offer(host, "A")
    host.turn()
    host.turn()
    assert len(host.receiver.taken) == 1
    assert host.sink.status() == "on"
    [kept] = tmp_path.glob(f"{FILE}.corrupt-*")
    assert kept.read_bytes() == b"garbage" * 1000


def test_a_folder_that_can_not_be_written_turns_alerts_off_and_nothing_else(tmp_path: Path, clock: HandClock) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    host = Host(tmp_path / "data", clock)
    offer(host, "A")
    host.turn()
    assert host.sink.status() == "off, because the outbox in DATA_DIR can't be used"
    assert host.sink.figures().off == "other"
    (tmp_path / "data").unlink()
    for _ in range(3):  # a timer brings what memory held
        host.turn(30)
    assert host.sink.status() == "on"
    assert len(host.receiver.taken) == 1


def test_memory_holds_a_thousand_and_what_is_more_is_counted(tmp_path: Path, clock: HandClock) -> None:
    (tmp_path / "data").write_text("")
    host = Host(tmp_path / "data", clock)
    for i in range(1010):
        offer(host, "A", market=f"m{i}")
    assert sum(host.lost) == 10


def test_what_is_held_is_stored_at_a_graceful_stop(tmp_path: Path, clock: HandClock) -> None:
    (tmp_path / "data").write_text("")
    host = Host(tmp_path / "data", clock)
    offer(host, "A")
    (tmp_path / "data").unlink()
    host.sink.start()
    host.sink.stop()
    assert Host(tmp_path / "data", clock).outbox.figures().depth == 1
    assert host.lost == []


def test_what_a_killed_worker_had_written_is_found_by_the_next(tmp_path: Path, clock: HandClock) -> None:
    killed = Host(tmp_path, clock)
    offer(killed, "A")
    os.close(killed.sink._spool._file or 0)  # as the kernel does; with it goes the lock
    successor = Host(tmp_path, clock)
    successor.turn()
    assert len(successor.receiver.taken) == 1
    assert list(tmp_path.glob("alerts-spool/*.jsonl")) == []


def test_a_bet_that_breaks_the_offering_fails_no_prediction(tmp_path: Path, clock: HandClock) -> None:
    host = Host(tmp_path, clock)
    bets: list[Any] = [object()]
    host.sink.offer(bets, [a_prediction("A")], model_version="m1")
    assert host.lost == [1]


def test_alerts_wait_in_time_to_live_for_live_bets_and_others(tmp_path: Path, clock: HandClock) -> None:
    receiver = Fake([Later("502", 150.0)] * 2)
    host = Host(tmp_path, clock, receiver, patience=Patience(3600, 120))
    offer(host, "A", is_live=True)
    offer(host, "A", market="Spread")
    host.turn()
    host.turn(160)
    assert [alert.payload["bet"]["market"] for alert in receiver.taken] == ["Spread"]
    assert host.counts.of["late"] == 1


def test_offering_takes_a_fraction_of_a_millisecond(tmp_path: Path, clock: HandClock) -> None:
    host = Host(tmp_path, clock, limits=Limits())
    times = []
    for i in range(200):
        bets, predictions = [a_bet(market=f"m{i}")], [a_prediction("A")]
        begin = time.thread_time()
        host.sink.offer(bets, predictions, model_version="m1")
        times.append(time.thread_time() - begin)
    assert min(times) < 0.001  # of the processor: a busy machine makes it twice of what it is
    assert clock.wall() == NOON


class Untouchable:
    """The outbox and all that works on it: it knows its folder, and fails whoever asks for more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for within a request")


@pytest.mark.parametrize(("grade", "written"), [("C", False), ("A", True)])
def test_a_request_asks_nothing_of_outbox_delivery_or_other_slots_and_without_an_alert_nothing_of_the_disk(
    tmp_path: Path, clock: HandClock, caplog: pytest.LogCaptureFixture, grade: Any, *, written: bool
) -> None:
    nothing: Any = Untouchable(tmp_path)
    lost: list[int] = []
    sink = AlertSink(
        *(nothing, nothing, nothing, nothing, clock),
        environment="test",
        deployment="blue",
        channel="n8n",
        patience=Patience(),
        window_s=86_400.0,
        dropped=lost.append,
    )
    sink.offer([a_bet()], [a_prediction(grade)], model_version="m1")
    sink.status()
    assert (lost, caplog.records) == ([], [])
    assert bool(list(tmp_path.rglob("*"))) is written
