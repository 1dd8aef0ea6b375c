"""Parts of alerts for tests: a clock that is set by hand, receivers that answer as told, bets as the API takes them."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pikkit.alerts.admission import Admission, Limits, Sighting
from pikkit.alerts.clock import Clock
from pikkit.alerts.delivery import Courier, Patience
from pikkit.alerts.identity import alert_id_of
from pikkit.alerts.message import Alert, message, payload_of
from pikkit.alerts.outbox import Outbox
from pikkit.alerts.presence import Presence
from pikkit.alerts.receivers.port import Claim, Ledger
from pikkit.alerts.sink import AlertSink
from pikkit.bets.times import utc_text
from tests.support.samples import a_prediction

NOON = 1_769_428_800.0  # 2026-01-26T12:00:00Z
IN_AN_HOUR = "2026-01-26T13:00:00Z"


@dataclass
class HandClock:
    """Shows what it is set to; `step` moves the wall alone."""

    now: float = NOON
    since_boot: float = 1000.0
    boot: str = "first"

    def wall(self) -> float:
        return self.now

    def ticks(self) -> float:
        return self.since_boot

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        self.since_boot += seconds

    def step(self, seconds: float) -> None:
        self.now += seconds


def bet_json(**changes: Any) -> dict[str, Any]:
    bet = {
        "sport": "Ice Hockey",
        "league": "NHL",
        "market": "Puck Line",
        "institution_name": "FanDuel",
        "bet_type": "straight",
        "odds": 150.0,
        "is_live": False,
        "event": "MTL @ BOS",
        "selection": "MTL",
        "line": -1.5,
        "starts_at": IN_AN_HOUR,
        **changes,
    }
    return {name: value for name, value in bet.items() if value is not None}


def sighting(clock: Clock, grade: Any = "A", *, position: int = 0, caller: str = "", **bet: Any) -> Sighting:
    return Sighting(
        bet=bet_json(**bet),
        prediction=dict(a_prediction(grade)),
        position=position,
        caller=caller,
        seen_at=clock.wall(),
        at=clock.wall(),
        ticks=clock.ticks(),
        boot=clock.boot,
        environment="test",
        deployment="blue",
        model_version="m1",
    )


def an_alert(grade: Any = "A", *, prediction: dict[str, Any] | None = None, **bet: Any) -> Alert:
    """One as receivers get it."""
    about = {
        "environment": "test",
        "deployment": "blue",
        "model_version": "m1",
        "seen_at": utc_text(NOON - 12),
        "identity": "ab" * 16,
        "step": 0,
    }
    payload = payload_of(bet_json(**bet), a_prediction(grade, **(prediction or {})), about, at=NOON)
    identifier = alert_id_of(str(sorted(bet.items())), 0, 0)
    return Alert(identifier, {**payload, "alert_id": identifier, "message": message(payload, NOON)})


def seen_around_midnight(folder: Path) -> list[Alert]:
    """A bet without a start, as one host sees it before and another one after midnight, and there its improvement."""
    alerts = []
    for shift, prices in ((-60.0, [150.0]), (60.0, [150.0, 200.0])):
        clock = HandClock(now=NOON + 12 * 3600 + shift)
        with closing(Outbox(folder / str(shift), clock)) as outbox:
            Admission(outbox, Limits(per_hour=0)).admit([sighting(clock, odds=odds, starts_at=None) for odds in prices])
            found = [job.alert for job in outbox.listed()]
        alerts += sorted(found, key=lambda alert: int(alert.payload["step"]))
    return [Alert(alert.alert_id, {**alert.payload, "message": message(alert.payload, NOON)}) for alert in alerts]


@dataclass
class Fake:
    """A receiver: raises what it is told, one outcome a call, then takes everything."""

    outcomes: list[Exception | None] = field(default_factory=list)
    channel: str = "n8n"
    answer: Callable[[Alert], None] = lambda _alert: None
    taken: list[Alert] = field(default_factory=list)
    asked: int = 0

    def send(self, alert: Alert) -> None:
        self.asked += 1
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome:
            raise outcome
        self.answer(alert)
        self.taken.append(alert)

    def close(self) -> None:
        pass

    @property
    def events(self) -> list[str]:
        return [alert.payload["bet"].get("event", "") for alert in self.taken]


@dataclass
class FakeLedger:
    """A table in memory; `outcomes` are raised first, one a call of claim or finished."""

    outcomes: list[Exception | None] = field(default_factory=list)
    channel: str = "supabase"
    rows: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    def claim(self, alert: Alert, owner: str, lease_s: float) -> Claim:
        del lease_s
        self._fail()
        holder = self.rows.setdefault(alert.alert_id, owner)
        return Claim.WON if holder == owner else Claim.SHOWN

    def finished(self, alert: Alert) -> None:
        self._fail()
        self.rows[alert.alert_id] = "finished"

    def close(self) -> None:
        pass

    def _fail(self) -> None:
        self.asked += 1
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome:
            raise outcome


@dataclass
class Counts:
    """What was counted, by outcome."""

    of: dict[str, int] = field(default_factory=dict)

    def __call__(self, _channel: str, outcome: str, count: int) -> None:
        self.of[outcome] = self.of.get(outcome, 0) + count


class Host:
    """Alerts of one worker, their thread driven by hand."""

    def __init__(
        self,
        folder: Path,
        clock: HandClock,
        receiver: Fake | None = None,
        ledger: Ledger | None = None,
        *,
        slot: str = "blue",
        limits: Limits = Limits(per_hour=0),  # noqa: B008 - frozen
        patience: Patience = Patience(),  # noqa: B008 - frozen
    ) -> None:
        self.clock = clock
        self.receiver = receiver or Fake()
        self.counts = Counts()
        self.lost: list[int] = []
        self.outbox = Outbox(folder, clock)
        self.admission = Admission(self.outbox, limits)
        self.courier = Courier(self.outbox, self.receiver, ledger, clock, patience=patience, counted=self.counts)
        self.presence = Presence(folder / "alerts-slots", slot, clock.ticks(), clock)
        self.sink = AlertSink(
            self.outbox,
            self.admission,
            self.courier,
            self.presence,
            clock,
            environment="test",
            deployment=slot,
            channel=self.receiver.channel,
            patience=patience,
            window_s=limits.window_s,
            counted=self.counts,
            dropped=self.lost.append,
        )

    def turn(self, seconds: float = 2.0) -> None:
        """Let time pass, then one round of the thread."""
        self.clock.pass_(seconds)
        self.sink.turn()
