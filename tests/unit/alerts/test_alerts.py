import json
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pikkit.alerts.delivery import Consumer
from pikkit.alerts.message import dedup_key, make_alert
from pikkit.alerts.outbox import Outbox
from pikkit.alerts.receivers.port import Later, Refused, js_json
from pikkit.alerts.receivers.telegram import message
from pikkit.alerts.sink import AlertSink, build_receivers, build_sink
from pikkit.settings import Settings
from tests.support.samples import a_bet, a_prediction

NOON = 1_769_428_800.0  # 2026-01-26T12:00:00Z


def alert(now: float = NOON, grade: Any = "A", **bet: Any) -> Any:
    return make_alert(
        a_bet(**bet),
        a_prediction(grade),
        model_version="m1",
        environment="test",
        deployment="blue",
        now=now,
    )


class Fake:
    """A receiver that answers as told, one outcome per call, then takes everything."""

    channel = "n8n"

    def __init__(self, *outcomes: Exception) -> None:
        self.outcomes = list(outcomes)
        self.taken: list[str] = []
        self.asked = 0

    def send(self, sent: Any) -> None:
        self.asked += 1
        if self.outcomes:
            raise self.outcomes.pop(0)
        self.taken.append(sent.alert_id)

    def close(self) -> None:
        pass


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def sink(folder: Path, clock: Clock, receiver: Any = None, **settings: Any) -> AlertSink:
    made = Settings(_env_file=None, data_dir=folder, **settings)
    return AlertSink(made, [receiver or Fake()], clock=clock)


@pytest.mark.parametrize(
    "change",
    [{"sport": " basketball"}, {"institution_name": "DRAFTKINGS"}, {"odds": -111}, {"client_ref": "card-9"}],
)
def test_the_same_bet_has_the_same_key_however_it_is_written(change: dict[str, Any]) -> None:
    assert dedup_key(a_bet(**change), "m1", NOON) == dedup_key(a_bet(), "m1", NOON)


@pytest.mark.parametrize(
    ("change", "version", "later"),
    [({"odds": 150}, "m1", 0), ({"market": "Spread"}, "m1", 0), ({}, "m2", 0), ({}, "m1", 86_400)],
)
def test_another_price_market_model_or_day_is_another_bet(change: dict[str, Any], version: str, later: float) -> None:
    assert dedup_key(a_bet(**change), version, NOON + later) != dedup_key(a_bet(), "m1", NOON)


def test_only_a_and_b_raise_alerts_and_dry_runs_none(tmp_path: Path) -> None:
    made = sink(tmp_path, Clock())
    bets = [a_bet(market=f"m{i}") for i in range(5)]
    predictions = [a_prediction(grade) for grade in ("A", "B", "C", "D", "F")]
    made.offer(bets, predictions, model_version="m1", dry_run=True)
    assert made.figures().depth == 0
    made.offer(bets, predictions, model_version="m1")
    assert made.figures().depth == 2


def test_a_bet_seen_again_within_the_window_raises_no_second_alert_in_whichever_slot(tmp_path: Path) -> None:
    clock = Clock()
    blue, green = sink(tmp_path, clock, alert_window=3600), sink(tmp_path, clock, alert_window=3600)
    for _ in range(100):
        clock.now += 30
        for slot in (blue, green):
            slot.offer([a_bet()], [a_prediction("A")], model_version="m1")
    assert blue.figures().depth == 1
    clock.now += 3600
    green.offer([a_bet()], [a_prediction("A")], model_version="m1")
    assert blue.figures().depth == 2


def test_a_clock_that_goes_back_raises_nothing_twice(tmp_path: Path) -> None:
    clock = Clock()
    made, other = sink(tmp_path, clock), sink(tmp_path, clock)
    made.offer([a_bet()], [a_prediction("A")], model_version="m1")
    clock.now -= 7200
    for slot in (made, other):
        slot.offer([a_bet()], [a_prediction("A")], model_version="m1")
    assert made.figures().depth == 1


def consumer(outbox: Outbox, receiver: Any, clock: Any = time.time, counts: Any = None) -> Consumer:
    counted = (lambda _channel, outcome, n: counts.append((outcome, n))) if counts is not None else lambda *_: None
    return Consumer(outbox, [receiver], Path("unused"), window_s=86_400, counted=counted, clock=clock)


def test_alerts_are_delivered_oldest_first_and_once(tmp_path: Path) -> None:
    outbox, receiver = Outbox(tmp_path), Fake()
    alerts = [alert(NOON + i, market=f"m{i}") for i in range(50)]
    outbox.put(alerts[::-1], ["n8n"], 60)
    worker = consumer(outbox, receiver, Clock())
    worker._clock = lambda: NOON + 100
    while worker.run_once():
        pass
    assert receiver.taken == [one.alert_id for one in alerts]
    assert outbox.figures(NOON).depth == 0


def test_a_receiver_that_is_away_is_asked_again_and_gets_everything(tmp_path: Path) -> None:
    outbox, counts = Outbox(tmp_path), []  # type: ignore[var-annotated]
    receiver = Fake(Later("503", 0.0), Later("no answer", 0.0), Later("429", 0.0))
    outbox.put([alert(NOON + i, market=f"m{i}") for i in range(5)], ["n8n"], 60)
    worker = consumer(outbox, receiver, lambda: NOON + 100, counts)
    for _ in range(10):
        worker.run_once()
    assert len(set(receiver.taken)) == len(receiver.taken) == 5
    assert [outcome for outcome, _ in counts].count("retried") == 3


def test_a_receiver_says_how_long_it_wants_to_be_left_alone(tmp_path: Path) -> None:
    outbox, receiver = Outbox(tmp_path), Fake(Later("429", 0.4))
    outbox.put([alert(NOON + i, market=f"m{i}") for i in range(5)], ["n8n"], 60)
    worker = consumer(outbox, receiver, lambda: NOON + 100)
    worker.run_once()
    worker.run_once()
    assert receiver.asked == 1  # the whole channel waits, not one alert after the other
    time.sleep(0.45)
    worker._clock = lambda: NOON + 200
    while worker.run_once():
        pass
    assert len(receiver.taken) == 5


def test_what_is_refused_is_parked_with_the_reason_and_can_be_sent_again(tmp_path: Path) -> None:
    outbox, receiver = Outbox(tmp_path), Fake(Refused("400: chat not found"))
    outbox.put([alert(market="m0"), alert(NOON + 1, market="m1")], ["n8n"], 60)
    worker = consumer(outbox, receiver, lambda: NOON + 100)
    worker.run_once()
    assert outbox.figures(NOON).parked == 1
    assert len(receiver.taken) == 1
    [parked] = outbox.listed("parked")
    assert parked.reason == "400: chat not found"
    assert outbox.retry_parked(NOON, parked.alert.alert_id[:8]) == 1
    worker.run_once()
    assert len(receiver.taken) == 2


def test_the_outbox_is_bounded_in_number_and_age_and_counts_what_it_drops(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, max_waiting=10, max_age_s=1000)
    outbox.put([alert(NOON + i, market=f"m{i}") for i in range(25)], ["n8n"], 60)
    assert outbox.tidy(NOON + 30, 60) == 15
    assert [one.alert.payload["bet"]["market"] for one in outbox.listed()] == [f"m{i}" for i in range(24, 14, -1)]
    assert outbox.tidy(NOON + 2000, 60) == 10
    assert outbox.figures(NOON).depth == 0


def test_an_alert_that_can_not_be_stored_is_held_and_stored_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = sink(tmp_path, Clock())
    blocker = sqlite3.connect(tmp_path / "alerts.sqlite3", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    begin = time.perf_counter()
    made.offer([a_bet()], [a_prediction("A")], model_version="m1")
    assert time.perf_counter() - begin < 1
    blocker.execute("ROLLBACK")
    blocker.close()
    made.offer([a_bet(market="Spread")], [a_prediction("B")], model_version="m1")
    assert made.figures().depth == 2


def test_a_full_disk_costs_no_alert_while_memory_holds_it(tmp_path: Path) -> None:
    made = sink(tmp_path, Clock())
    connection = made._outbox._connection()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    bets = [a_bet(market=f"{'x' * 180}{i}") for i in range(40)]
    made.offer(bets, [a_prediction("A")] * 40, model_version="m1")
    assert made.figures().depth == 0
    connection.execute("PRAGMA max_page_count = 1000000")
    made.offer([a_bet(market="Spread")], [a_prediction("B")], model_version="m1")
    assert made.figures().depth == 41


def test_offering_takes_less_than_a_millisecond(tmp_path: Path) -> None:
    made = sink(tmp_path, Clock())
    times = []
    for i in range(200):
        bets, predictions = [a_bet(market=f"m{i}")], [a_prediction("A")]
        begin = time.perf_counter()
        made.offer(bets, predictions, model_version="m1")
        times.append(time.perf_counter() - begin)
    assert sorted(times)[100] < 0.001  # the median: a busy machine may interrupt any single one


def test_threads_share_an_outbox(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)

    def put(number: int) -> None:
        for i in range(50):
            outbox.put([alert(NOON + i, market=f"m{number}-{i}")], ["n8n"], 60)
        outbox.close()

    threads = [threading.Thread(target=put, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outbox.figures(NOON).depth == 200


@pytest.mark.parametrize("name", ["A & B <1.5", "🏀" * 50, "x" * 200, "</b><script>"])
def test_a_telegram_message_is_valid_html_within_the_limit(name: str) -> None:
    text = message(alert(market=name, league=name).payload)
    assert len(text.encode("utf-16-le")) // 2 <= 4096
    assert "<script>" not in text
    assert text.count("<b>") == text.count("</b>")
    assert "& B" not in text


def test_a_message_of_endless_names_is_cut_between_lines() -> None:
    payload = json.loads(json.dumps(alert().payload))
    payload["prediction"]["warnings"] = [f"🏀{'&' * 5000}"] * 30
    text = message(payload)
    assert len(text.encode("utf-16-le")) // 2 <= 4096
    assert not text.endswith("&am")
    assert text.startswith("🟢")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text()
    | st.floats(-1000, 1000).map(lambda x: round(x, 6)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_json_for_signing_says_the_same(value: Any) -> None:
    assert json.loads(js_json(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(5.0, "5"), (-110.0, "-110"), (0.000001, "0.000001"), (0.1, "0.1"), (True, "true")],
)
def test_numbers_are_written_as_javascript_writes_them(value: Any, text: str) -> None:
    assert js_json(value) == text


def test_n8n_goes_first_and_without_any_receiver_there_is_no_sink(tmp_path: Path) -> None:
    def channels(**settings: Any) -> list[str]:
        made = Settings(_env_file=None, data_dir=tmp_path, **settings)
        receivers = build_receivers(made)
        for receiver in receivers:
            receiver.close()
        return [receiver.channel for receiver in receivers]

    direct = {
        "telegram_bot_token": "123:abc",
        "telegram_chat_id": "5",
        "supabase_url": "http://127.0.0.1:9",
        "supabase_service_key": "sb_secret_0123456789",
    }
    assert channels(n8n_webhook_url="http://127.0.0.1:9/webhook/x", **direct) == ["n8n"]
    assert channels(**direct) == ["telegram", "supabase"]
    assert channels() == []
    made = Settings(_env_file=None, data_dir=tmp_path)
    assert build_sink(made, counted=lambda *_: None, dropped=lambda _: None) is None


def test_ten_thousand_alerts_through_a_failing_receiver_are_neither_lost_nor_repeated(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    alerts = [alert(NOON + i / 1000, market=f"m{i}") for i in range(10_000)]
    for start in range(0, len(alerts), 100):
        outbox.put(alerts[start : start + 100], ["n8n"], 60)
    receiver = Fake(*(Later("503", 0.0) for _ in range(200)))
    first, second = consumer(outbox, receiver, lambda: NOON + 100), consumer(outbox, receiver, lambda: NOON + 100)
    while outbox.figures(NOON + 100).depth:
        for worker in (first, second):  # as two processes, one after the other holding the lock
            for _ in range(50):
                worker.run_once()
    assert len(receiver.taken) == 10_000
    assert set(receiver.taken) == {one.alert_id for one in alerts}
