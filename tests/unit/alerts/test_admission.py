import time
from pathlib import Path
from typing import Any

import pytest

from pikkit.alerts.admission import Admission, Limits
from pikkit.alerts.outbox import Outbox
from tests.support.alerts import NOON, HandClock, sighting

DAY = 86_400.0
BARE: dict[str, Any] = {"event": None, "selection": None, "line": None, "starts_at": None}


class Desk:
    def __init__(self, folder: Path, **limits: Any) -> None:
        self.clock = HandClock()
        self.outbox = Outbox(folder, self.clock)
        self.limits = Limits(**{"per_hour": 0, **limits})

    def see(self, grade: str = "A", times: int = 1, **bet: Any) -> dict[str, int]:
        return dict(Admission(self.outbox, self.limits).admit([sighting(self.clock, grade, **bet)] * times))

    @property
    def payloads(self) -> list[Any]:
        return [job.alert.payload for job in self.outbox.listed("waiting")]

    @property
    def keys(self) -> list[str]:
        return [job.alert_id for job in self.outbox.listed()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_bet_seen_again_raises_one_alert_however_often_and_at_whatever_worse_price(desk: Desk) -> None:
    assert desk.see(odds=150) == {"raised": 1}
    for odds in (150, 140, 110, -120, 150, 152):  # 152 is better by less than the step
        desk.clock.pass_(30)
        assert desk.see(odds=odds) == {"duplicate": 1}


def test_three_games_at_one_price_are_three_alerts(desk: Desk) -> None:
    page = [sighting(desk.clock, odds=-110.0, position=i, **BARE) for i in range(3)]
    assert Admission(desk.outbox, desk.limits).admit(page) == {"raised": 3}
    assert Admission(desk.outbox, desk.limits).admit(page) == {"duplicate": 3}


@pytest.mark.parametrize(
    ("first", "second"),
    [(("B", 150), ("A", 150)), (("A", 150), ("A", 160)), (("A", -110), ("A", -105)), (("B", -110), ("A", -130))],
)
def test_a_better_grade_or_a_price_better_by_a_step_alerts_again_and_says_improved(
    desk: Desk, first: tuple[str, float], second: tuple[str, float]
) -> None:
    desk.see(first[0], odds=first[1])
    assert desk.see(second[0], odds=second[1]) == {"improved": 1}
    assert desk.see(second[0], odds=second[1]) == {"duplicate": 1}
    assert len(set(desk.keys)) == 2
    assert [payload.get("improved") for payload in desk.payloads].count({"grade": first[0], "odds": first[1]}) == 1


def test_after_an_improvement_the_best_so_far_is_what_must_be_beaten(desk: Desk) -> None:
    desk.see("A", odds=150)
    assert desk.see("B", odds=170) == {"improved": 1}
    assert desk.see("A", odds=150) == {"duplicate": 1}
    assert desk.see("A", odds=172) == {"duplicate": 1}


def test_what_has_no_start_is_forgotten_a_window_after_it_was_last_seen_and_not_at_midnight(desk: Desk) -> None:
    desk.clock.pass_(11.9 * 3600)
    assert desk.see(**BARE) == {"raised": 1}
    for _ in range(72):  # three days, over three midnights
        desk.clock.pass_(3600)
        assert desk.see(**BARE) == {"duplicate": 1}
    desk.clock.pass_(1.05 * DAY)
    assert desk.see(**BARE) == {"raised": 1}
    assert len(set(desk.keys)) == 2


def test_what_has_a_start_is_known_until_it_started(desk: Desk) -> None:
    later = "2026-01-31T12:00:00Z"
    assert desk.see(starts_at=later) == {"raised": 1}
    desk.clock.pass_(4 * DAY)
    assert desk.see(starts_at=later) == {"duplicate": 1}


def test_two_hosts_give_one_bet_one_key_and_its_improvement_another(tmp_path: Path) -> None:
    hosts = [Desk(tmp_path / name) for name in ("one", "two")]
    for shift, host in enumerate(hosts):
        host.clock.pass_(60 * shift)
        host.clock.boot = f"boot of host {shift}"
        for odds in (-110, -100):
            host.see(odds=odds)
            host.see(odds=odds, **BARE)
    assert sorted(hosts[0].keys) == sorted(hosts[1].keys)
    assert len(set(hosts[0].keys)) == 4


@pytest.mark.parametrize("step", [-3600, 8 * DAY])
def test_a_step_of_the_clock_repeats_nothing_and_freezes_nothing(desk: Desk, step: float) -> None:
    desk.see(**BARE)
    desk.clock.step(step)
    desk.clock.pass_(60)
    assert desk.see(**BARE) == {"duplicate": 1}
    assert desk.see(event="another", starts_at=None) == {"raised": 1}
    desk.clock.step(-step)
    assert desk.see(**BARE) == {"duplicate": 1}
    desk.clock.pass_(1.05 * DAY)
    assert desk.see(**BARE) == {"raised": 1}


def test_purging_and_a_full_tidying_up_keep_the_windows(desk: Desk) -> None:
    desk.see(**BARE)
    for state in ("waiting", "delivered"):
        desk.outbox.purge(state)
    desk.outbox.tidy(DAY)
    assert desk.see(**BARE) == {"duplicate": 1}


def test_beyond_the_limit_there_is_one_digest_an_hour_for_each_caller(tmp_path: Path) -> None:
    desk = Desk(tmp_path, per_hour=5)
    for caller, count in (("", 12), ("key two", 3)):
        for i in range(count):
            desk.see(event=f"{caller} game {i}", caller=caller)
    states = [job.state for job in desk.outbox.listed(limit=99)]
    assert states.count("left-out") == 7
    [digest] = [payload for payload in desk.payloads if payload["type"] == "digest"]
    assert digest["left_out"] == 7
    assert len(desk.payloads) == 5 + 3 + 1
    desk.clock.pass_(11)
    due = [job.alert for job in desk.outbox.due(99)]
    assert sum(alert.payload["type"] == "digest" for alert in due) == 1
    [job] = [job for job in desk.outbox.due(99) if job.alert.payload["type"] == "digest"]
    desk.outbox.note(job, attempts=1, state="delivered")
    for i in range(4):  # after it was sent: these wait for the next hour's
        desk.see(event=f"late game {i}", starts_at=None)
    assert not [job for job in desk.outbox.due(99) if job.alert.payload["type"] == "digest"]
    desk.clock.pass_(3600)
    [job] = [job for job in desk.outbox.due(99) if job.alert.payload["type"] == "digest"]
    assert job.alert.payload["left_out"] == 4


def test_what_one_caller_had_left_out_another_one_still_raises(tmp_path: Path) -> None:
    desk = Desk(tmp_path, per_hour=1)
    desk.see(event="flood", caller="loud")
    assert desk.see(caller="loud") == {"left_out": 1}
    assert desk.see(caller="loud") == {"duplicate": 1}
    assert desk.see(caller="quiet") == {"raised": 1}
    assert desk.see(caller="quiet") == {"duplicate": 1}


def test_the_newest_are_left_out_and_counted(tmp_path: Path) -> None:
    desk = Desk(tmp_path, per_hour=2)
    seen = [sighting(desk.clock, event=f"game {i}") for i in range(5)]
    assert Admission(desk.outbox, desk.limits).admit(seen) == {"raised": 2, "left_out": 3}
    events = {payload["bet"].get("event") for payload in desk.payloads if payload["type"] != "digest"}
    assert events == {"game 0", "game 1"}


def test_a_full_outbox_drops_the_newest_counts_them_and_takes_them_when_there_is_room(tmp_path: Path) -> None:
    desk = Desk(tmp_path, most_held=3)
    seen = [sighting(desk.clock, event=f"game {i}") for i in range(5)]
    assert Admission(desk.outbox, desk.limits).admit(seen) == {"raised": 3, "dropped": 2}
    desk.outbox.purge("waiting")
    assert desk.see(event="game 4") == {"raised": 1}


def test_those_that_are_too_many_take_a_bounded_place(tmp_path: Path) -> None:
    desk = Desk(tmp_path, per_hour=2, most_held=3)
    seen = [sighting(desk.clock, event=f"game {i}") for i in range(10)]
    assert Admission(desk.outbox, desk.limits).admit(seen) == {"raised": 2, "left_out": 3, "dropped": 5}
    assert len(desk.outbox.listed("left-out")) == 3
    with desk.outbox.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM bets").fetchone() == (5,)
    assert desk.see(event="game 9") == {"dropped": 1}
    desk.outbox.purge("left-out")
    assert desk.see(event="game 9") == {"left_out": 1}


@pytest.mark.parametrize(
    "change",
    [{"starts_at": "soon"}, {"line": "half"}, {"odds": None}, {"legs": 5}],
)
def test_a_bet_that_can_not_be_understood_is_parked_and_holds_nothing(desk: Desk, change: dict[str, Any]) -> None:
    seen = [sighting(desk.clock, **change), sighting(desk.clock, event="good")]
    assert Admission(desk.outbox, desk.limits).admit(seen) == {"parked": 1, "raised": 1}
    [parked] = desk.outbox.listed("parked")
    assert "can't be understood" in str(parked.reason)


@pytest.mark.parametrize("name", ["a\x00b", "😀" * 199, "\ud83d", "line\nbreak", "\u202egnirts", "\u2028"])
def test_texts_from_callers_are_stored_so_that_every_receiver_can_take_them(desk: Desk, name: str) -> None:
    desk.see(institution_name=name, event=name)
    [payload] = desk.payloads
    stored = payload["bet"]["institution_name"]
    stored.encode()
    assert stored.isprintable()


def test_what_was_written_twice_because_its_worker_was_killed_is_one_alert(desk: Desk) -> None:
    seen = sighting(desk.clock, **BARE)
    for window in (DAY, 0.0):
        admission = Admission(desk.outbox, Limits(window_s=window, per_hour=0))
        admission.admit([seen])
        admission.admit([seen])
    assert len(desk.keys) <= 2
    assert desk.payloads[0]["timestamp"].startswith("2026-01-26T12:00:00")


def test_a_hundred_sightings_take_a_few_milliseconds(desk: Desk) -> None:
    seen = [sighting(desk.clock, event=f"game {i}") for i in range(100)]
    begin = time.thread_time()  # not the wall's
    Admission(desk.outbox, desk.limits).admit(seen)
    assert time.thread_time() - begin < 1
    assert desk.outbox.figures().depth == 100
    assert desk.clock.wall() == NOON
