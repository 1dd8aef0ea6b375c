from pathlib import Path
from typing import Any

import pytest

from pikkit.alerts.admission import Admission, Limits
from pikkit.alerts.delivery import Courier, Patience
from pikkit.alerts.outbox import Outbox
from pikkit.alerts.receivers.port import Held, Later, Ledger, Receiver, Refused
from tests.support.alerts import Counts, Fake, FakeLedger, HandClock, sighting

AWAY = Later("no answer (ConnectError)", everybody=True)


class Post:
    """An outbox with a courier; `work` lets time pass as long as something is due within it."""

    def __init__(
        self, folder: Path, receiver: Receiver | None, ledger: Ledger | None = None, **patience: float
    ) -> None:
        self.clock = HandClock()
        self.outbox = Outbox(folder, self.clock)
        self.counts = Counts()
        self.courier = Courier(
            self.outbox,
            receiver,
            ledger,
            self.clock,
            patience=Patience(**{"ttl_s": 1e9, "live_ttl_s": 1e9, **patience}),
            counted=self.counts,
        )

    def put(self, *events: str, grade: str = "A", **bet: Any) -> None:
        for event in events:
            seen = sighting(self.clock, grade, **{"event": event, "starts_at": None, **bet})
            Admission(self.outbox, Limits(per_hour=0)).admit([seen])
            self.clock.pass_(0.001)

    def work(self, seconds: float = 0.0, tick: float = 0.5) -> None:
        end = self.clock.ticks() + seconds
        while True:
            while self.courier.run_once():
                pass
            if self.clock.ticks() >= end:
                return
            self.clock.pass_(tick)

    def states(self) -> dict[str, str]:
        return {job.alert.payload["bet"]["event"]: job.state for job in self.outbox.listed()}

    def reasons(self) -> list[str]:
        return [str(job.reason) for job in self.outbox.listed() if job.reason]


def test_alerts_are_delivered_oldest_first_and_once(tmp_path: Path) -> None:
    receiver = Fake()
    post = Post(tmp_path, receiver)
    events = [f"game {i}" for i in range(50)]
    post.put(*events)
    post.work(5)
    assert receiver.events == events
    assert post.outbox.figures().depth == 0


def test_an_alert_that_fails_waits_alone_while_others_pass(tmp_path: Path) -> None:
    def poisoned(alert: Any) -> None:
        if alert.payload["bet"]["event"] == "bad":
            raise Later("502: no")

    receiver = Fake(answer=poisoned)
    post = Post(tmp_path, receiver)
    post.put("bad", *(f"good {i}" for i in range(10)))
    post.work()
    assert len(receiver.taken) == 10
    for i in range(60):
        post.put(f"later {i}")
        post.work(60, tick=20)
    assert post.states()["bad"] == "parked"
    assert "given up after 20 attempts: 502" in post.reasons()[-1]
    assert len(receiver.taken) == 70


def test_an_alert_is_not_given_up_while_no_other_passes_either(tmp_path: Path) -> None:
    receiver = Fake([Later("502")] * 2000)
    post = Post(tmp_path, receiver)
    post.put("one", "two")
    post.work(6 * 3600, tick=60)
    assert receiver.asked > 60
    assert set(post.states().values()) == {"waiting"}


@pytest.mark.parametrize("reason", [AWAY, Later("429", 20.0, everybody=True), Later("503", everybody=True)])
def test_a_receiver_that_is_away_or_wants_no_more_is_left_alone(tmp_path: Path, reason: Later) -> None:
    receiver = Fake([reason])
    post = Post(tmp_path, receiver)
    post.put(*(f"game {i}" for i in range(5)))
    post.work()
    assert receiver.asked == 1  # the channel waits, not one alert after the other
    post.work(30)
    assert len(receiver.taken) == 5


@pytest.mark.parametrize(
    "reason", [Later("500"), Later("502"), Later("404: not registered"), Later("no answer in time")]
)
def test_what_is_wrong_with_one_alert_does_not_pause_the_channel(tmp_path: Path, reason: Later) -> None:
    receiver = Fake([reason])
    post = Post(tmp_path, receiver)
    post.put(*(f"game {i}" for i in range(5)))
    post.work()
    assert receiver.asked == 5
    assert len(receiver.taken) == 4


def test_an_alert_on_which_the_receiver_breaks_down_is_given_up_in_the_end(tmp_path: Path) -> None:
    def breaks(alert: Any) -> None:
        if alert.payload["bet"]["event"] == "bad":
            raise Later("no answer (ReadError)", everybody=True)

    receiver = Fake(answer=breaks)
    post = Post(tmp_path, receiver)
    post.put("good", "bad")
    for i in range(60):
        post.put(f"later {i}")
        post.work(60, tick=20)
    assert post.states()["bad"] == "parked"
    assert len(receiver.taken) == 61


def test_a_long_outage_parks_nothing(tmp_path: Path) -> None:
    receiver = Fake()
    post = Post(tmp_path, receiver)
    post.put("first")
    post.work()
    receiver.outcomes = [AWAY] * 300
    post.put("one", "two", "three")
    post.work(3600, tick=10)
    receiver.outcomes = []
    post.work(60)
    assert sorted(receiver.events) == ["first", "one", "three", "two"]


@pytest.mark.parametrize(
    "cause", [Refused("400: chat not found"), ValueError("odd"), KeyError("odd"), RuntimeError("odd")]
)
def test_whatever_else_goes_wrong_parks_the_alert_with_the_reason(tmp_path: Path, cause: Exception) -> None:
    receiver = Fake([cause])
    post = Post(tmp_path, receiver)
    post.put("bad", "good")
    post.work()
    assert post.states() == {"bad": "parked", "good": "delivered"}
    assert post.counts.of == {"parked": 1, "delivered": 1}
    assert post.outbox.retry_parked() == 1
    post.work()
    assert set(post.states().values()) == {"delivered"}


@pytest.mark.parametrize(
    "payload", ["{", "[]", '{"grade": "A"}', '{"grade": "A", "bet": {}, "prediction": {}}', "\udcff"]
)
def test_a_row_that_can_not_be_read_is_parked_and_holds_nothing(tmp_path: Path, payload: str) -> None:
    receiver = Fake()
    post = Post(tmp_path, receiver)
    post.put("bad", "good")
    with post.outbox.transaction() as connection:
        connection.execute(
            "UPDATE outbox SET payload = CAST(? AS TEXT) WHERE payload LIKE '%\"bad\"%'",
            (payload.encode("utf-8", "surrogateescape"),),
        )
    post.work()
    assert receiver.events == ["good"]
    assert post.outbox.figures().parked == 1


def test_an_alert_too_old_or_started_is_not_sent_but_counted(tmp_path: Path) -> None:
    receiver = Fake([AWAY] * 500)
    post = Post(tmp_path, receiver, ttl_s=3600, live_ttl_s=120)
    post.put("old")
    post.put("live", is_live=True, starts_at="2026-01-26T11:00:00Z")
    post.put("starts", starts_at="2026-01-26T12:30:00Z")
    for after, waiting in ((100, 3), (100, 2), (1700, 1), (1800, 0)):
        post.work(after, tick=20)
        assert list(post.states().values()).count("waiting") == waiting
    assert post.counts.of["late"] == 3
    receiver.outcomes = []
    post.put("fresh")
    post.work(60)
    assert receiver.events == ["fresh"]


@pytest.mark.parametrize("step", [-3600, 8 * 86_400])
def test_a_step_of_the_clock_freezes_nothing_and_drops_nothing_that_is_not_stale(tmp_path: Path, step: float) -> None:
    receiver = Fake([Later("502")] * 2)
    post = Post(tmp_path, receiver, ttl_s=3600)
    post.put("one")
    post.put("two", starts_at="2026-01-26T13:00:00Z")
    post.work()
    post.clock.step(step)
    assert post.outbox.tidy(86_400) == 0
    post.work(3)
    assert sorted(receiver.events) == ["one", "two"]


def test_what_an_earlier_run_of_the_machine_put_off_is_due_at_once(tmp_path: Path) -> None:
    receiver = Fake([Later("502", 500.0)])
    post = Post(tmp_path, receiver)
    post.put("one")
    post.work()
    after = Post(tmp_path, receiver)
    after.clock.boot, after.clock.since_boot = "second", 5.0
    after.clock.now = post.clock.now + 60
    after.work()
    assert receiver.events == ["one"]


def test_with_a_table_the_insert_is_the_claim_and_the_end_is_noted(tmp_path: Path) -> None:
    ledger, receivers = FakeLedger(), [Fake(channel="telegram"), Fake(channel="telegram")]
    hosts = [Post(tmp_path / str(i), receiver, ledger) for i, receiver in enumerate(receivers)]
    for host in hosts:
        host.put(*(f"game {i}" for i in range(10)))
    for host in hosts:
        host.work()
    assert len(receivers[0].taken) + len(receivers[1].taken) == 10
    assert set(ledger.rows.values()) == {"finished"}
    assert hosts[1].counts.of == {"duplicate": 10}


def test_what_another_host_is_about_to_show_is_looked_at_again_after_its_lease(tmp_path: Path) -> None:
    receiver = Fake(channel="telegram")
    post = Post(tmp_path, receiver, FakeLedger([Held("another host is about to show it")] * 3))
    post.put("one")
    post.work(5)
    assert not receiver.taken
    post.work(60)
    assert receiver.events == ["one"]


def test_without_an_answer_of_the_table_it_is_sent_after_ten_seconds_and_counted(tmp_path: Path) -> None:
    ledger, receiver = FakeLedger([AWAY] * 50), Fake(channel="telegram")
    post = Post(tmp_path, receiver, ledger)
    post.put("one")
    post.work(9)
    assert not receiver.taken
    post.work(2)
    assert receiver.events == ["one"]
    assert post.counts.of["unclaimed"] == 1
    ledger.outcomes = []
    post.work(300, tick=5)
    assert set(ledger.rows.values()) == {"finished"}  # stored once the table is back, and not shown again
    assert receiver.events == ["one"]


def test_a_table_that_refuses_for_good_holds_no_message(tmp_path: Path) -> None:
    ledger, receiver = FakeLedger([Refused("401"), Refused("401")]), Fake(channel="telegram")
    post = Post(tmp_path, receiver, ledger)
    post.put("one")
    post.work()
    assert receiver.events == ["one"]
    assert post.reasons() == ["shown, but not stored: 401"]


def test_a_failed_note_that_it_was_shown_is_repeated_and_the_message_is_not(tmp_path: Path) -> None:
    ledger, receiver = FakeLedger([None, AWAY, AWAY]), Fake(channel="telegram")
    post = Post(tmp_path, receiver, ledger)
    post.put("one")
    post.work(60)
    assert receiver.events == ["one"]
    assert post.states() == {"one": "delivered"}


def test_without_anybody_who_shows_them_alerts_are_stored(tmp_path: Path) -> None:
    ledger = FakeLedger([AWAY])
    post = Post(tmp_path, None, ledger)
    post.put("one", "two")
    post.work(60)
    assert len(ledger.rows) == 2
    assert set(post.states().values()) == {"delivered"}


def test_a_thousand_alerts_through_a_failing_receiver_are_neither_lost_nor_repeated(tmp_path: Path) -> None:
    kinds = [Later("503", 0.0, everybody=True), Later("500"), None, AWAY, None, None, Later("502", 1.0), None]
    receiver = Fake([kinds[i % len(kinds)] for i in range(800)])
    post = Post(tmp_path, receiver)
    admission = Admission(post.outbox, Limits(per_hour=0))
    admission.admit([sighting(post.clock, event=f"game {i}", starts_at=None) for i in range(1000)])
    post.work(3600, tick=5)
    assert len(receiver.taken) == len({alert.alert_id for alert in receiver.taken}) == 1000
