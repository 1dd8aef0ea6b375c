"""What the service offers graded bets to. A request only writes a line; a thread per worker does the rest."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace

from pikkit.alerts.admission import Admission, Sighting
from pikkit.alerts.clock import Clock
from pikkit.alerts.delivery import Courier, Patience
from pikkit.alerts.identity import places_of
from pikkit.alerts.outbox import Outbox, OutboxFigures, is_corrupt, why_off
from pikkit.alerts.presence import Presence
from pikkit.alerts.spool import Spool, orphans
from pikkit.bets.bet import Bet
from pikkit.bets.odds import american_to_decimal
from pikkit.bets.prediction import Prediction
from pikkit.errors import outlived
from pikkit.telemetry.logs import Repeated, get_logger

__all__ = ["AlertSink"]

GRADES = frozenset({"A", "B"})
_LEFT_OUT = {"odds_format", "market_prices", "reference_prices"}
_REMEMBERED = 10_000  # bets that this worker knows to have raised an alert; saves writing them down again
_HELD = 1_000  # lines kept in memory while the disk takes none
_PAUSE_S, _TIDY_EVERY_S, _LOOK_EVERY_S = 0.2, 60.0, 1.0
_FIRST_REST_S, _LONGEST_REST_S = 1.0, 30.0
_LOCKED_OFTEN = 3
_WORDS = {
    "disk_full": "the disk of DATA_DIR is full",
    "read_only": "DATA_DIR can't be written",
    "locked": "another process holds the outbox",
    "corrupt": "the outbox is damaged and can't be put aside",
    "other": "the outbox in DATA_DIR can't be used",
}

_log = get_logger("pikkit.alerts")


class AlertSink:
    """Takes graded bets, keeps A's and B's, and has them delivered. Never raises, never waits."""

    def __init__(  # noqa: PLR0913 - its parts
        self,
        outbox: Outbox,
        admission: Admission,
        courier: Courier,
        presence: Presence,
        clock: Clock,
        *,
        environment: str,
        deployment: str,
        channel: str,
        patience: Patience,
        window_s: float,
        counted: Callable[[str, str, int], None] = lambda _channel, _outcome, _count: None,
        dropped: Callable[[int], None] = lambda _count: None,
    ) -> None:
        """Make one; alerts are accepted at once, and delivered after `start`.

        Args:
            outbox: the queue, used by the thread alone.
            admission: decides what is new.
            courier: delivers, while this slot is the one to do so.
            presence: tells which slot that is.
            clock: wall and ticks.
            environment: told in alerts.
            deployment: the slot, told in alerts.
            channel: whom alerts are counted for.
            patience: when a bet is too late.
            window_s: how long a bet seen again is the same one.
            counted: told channel, outcome and how many.
            dropped: told how many alerts never reached the outbox.
        """
        self._outbox = outbox
        self._admission = admission
        self._courier = courier
        self._presence = presence
        self._clock = clock
        self._of = {"environment": environment, "deployment": deployment}
        self._channel = channel
        self._patience = patience
        self._fresh_s = window_s / 60
        self._counted = counted
        self._dropped = dropped
        self._spool = Spool(outbox.folder / "alerts-spool")
        self._known: OrderedDict[int, tuple[str, float, float]] = OrderedDict()
        self._held: deque[bytes] = deque()
        self._unwritten = Repeated(_log, "alerts can't be written, they are held in memory")
        self._got_bets = False
        self._figures = OutboxFigures()
        self._failures = 0
        self._rests_until = self._looked = self._tidied = float("-inf")
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def offer(
        self, bets: Sequence[Bet], predictions: Sequence[Prediction], *, model_version: str, caller: str = ""
    ) -> None:
        """Raise an alert for each bet of one request that is graded A or B, unless it raised one before.

        Args:
            bets: all bets of the request, in their order.
            predictions: theirs.
            model_version: the model set that graded them.
            caller: names the API key; limits hold for each.
        """
        self._got_bets = True
        high = [i for i, prediction in enumerate(predictions) if prediction["bet_grade"] in GRADES]
        if not high:
            return
        with outlived(self._lost):  # a prediction never fails for an alert
            places = places_of([vars(bet) for bet in bets[: high[-1] + 1]])
            about = {**self._of, "model_version": model_version, "caller": caller}
            for i in high:
                self._see(bets[i], predictions[i], places[i], about)

    def _lost(self, cause: Exception) -> None:
        _log.error("an alert was lost", exc_info=cause)
        self._dropped(1)

    def start(self) -> None:
        """Deliver from now on; in the worker process itself, as threads do not survive a fork."""
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """End after the delivery under way; what waits is in the outbox, or in files that the next worker finds."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def figures(self) -> OutboxFigures:
        """State of the outbox a moment ago, for metrics."""
        return self._figures

    def status(self) -> str:
        """'on', or 'off, because …'."""
        return f"off, because {_WORDS[self._figures.off]}" if self._figures.off else "on"

    def turn(self, *, ending: bool = False) -> None:
        """One round of the thread: store what was offered, deliver what is due."""
        if self._clock.ticks() < self._rests_until and not ending:
            return
        try:
            self._store()
            if self._presence.leads() and not ending:
                self._keep_house()
                while self._courier.run_once(self._relieved):
                    self._store()
            self._figures = self._outbox.figures()
            self._failures = 0
        except (sqlite3.Error, OSError) as error:
            self._rest(error)

    def _see(self, bet: Bet, prediction: Prediction, place: tuple[tuple[str, ...], int], about: dict[str, str]) -> None:
        wall, ticks = self._clock.wall(), self._clock.ticks()
        placed = wall if bet.placed_at is None else bet.placed_at.timestamp()
        seen_at = min(placed, wall)
        if self._patience.late(vars(bet), wall - seen_at, wall):
            self._counted(self._channel, "late", 1)
            return
        key = hash((*place[0], place[1], bet.client_ref))  # of 25 legs the names alone are 35 kB
        grade, decimal = str(prediction["bet_grade"]), float(american_to_decimal(bet.odds))
        known = self._known.get(key)
        if known and ticks < known[2] and grade >= known[0] and decimal <= known[1]:
            self._counted(self._channel, "duplicate", 1)
            return
        sighting = Sighting(
            bet=bet.model_dump(mode="json", exclude=_LEFT_OUT, exclude_none=True),
            prediction=prediction,
            position=place[1],
            seen_at=seen_at,
            at=wall,
            ticks=ticks,
            boot=self._clock.boot,
            **about,
        )
        self._write(json.dumps(asdict(sighting)).encode())
        if known:
            grade, decimal = min(grade, known[0]), max(decimal, known[1])
        self._known[key] = (grade, decimal, ticks + self._fresh_s)
        self._known.move_to_end(key)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _write(self, line: bytes) -> None:
        try:
            self._spool.append(line)
        except OSError as error:
            if len(self._held) >= _HELD:
                self._dropped(1)
                return
            self._unwritten(error)
            self._held.append(line)

    def _failed(self, cause: Exception) -> None:
        _log.error("alerts failed", exc_info=cause)
        self._rests_until = self._clock.ticks() + _FIRST_REST_S

    def _run(self) -> None:
        ending = False
        while not ending:
            ending = self._ending.wait(_PAUSE_S)
            with outlived(self._failed):
                self.turn(ending=ending)
        if self._held:
            self._dropped(len(self._held))
        for close in (self._courier.close, self._outbox.close, self._spool.close, self._presence.leave):
            with suppress(OSError, sqlite3.Error):
                close()

    def _store(self) -> None:
        """Move what was offered into the outbox; before that, say that this slot gets bets."""
        active, self._got_bets = self._got_bets, False
        self._presence.show(active=active)
        if self._held:
            lines = list(self._held)
            self._admit(lines)
            for _ in lines:
                self._held.popleft()
        self._spool.take(self._admit)

    def _admit(self, lines: Sequence[bytes]) -> None:
        sightings = []
        for line in lines:
            try:
                sightings.append(Sighting(**json.loads(line)))
            except (ValueError, TypeError) as cause:  # cut off when its worker was killed
                _log.error("a line of the spool can't be read", reason=type(cause).__name__)
                self._dropped(1)
        counts: Counter[str] = self._admission.admit(sightings) if sightings else Counter()
        for outcome, count in counts.items():
            if outcome != "raised":
                self._counted(self._channel, outcome, count)

    def _relieved(self) -> bool:
        """Whether another one is to go on; asked before each alert, as a newer slot may have raised it."""
        return self._ending.is_set() or not self._presence.leads()

    def _keep_house(self) -> None:
        """Once a second: what workers that are gone left behind; once a minute: what is too old."""
        now = self._clock.ticks()
        if now - self._looked < _LOOK_EVERY_S:
            return
        self._looked = now
        for lines, forget in orphans(self._outbox.folder / "alerts-spool"):
            self._admit(lines)
            forget()
        if now - self._tidied >= _TIDY_EVERY_S:
            self._tidied = now
            lost = self._outbox.tidy(self._fresh_s * 60)
            if lost:
                _log.error("alerts dropped: they waited for a week", count=lost)
                self._counted(self._channel, "dropped", lost)

    def _rest(self, error: Exception) -> None:
        """Leave the disk alone for a while, and say so."""
        reason = why_off(error)
        if is_corrupt(error):
            with suppress(sqlite3.Error, OSError):
                away = self._outbox.set_aside()
                if away:
                    _log.error("the outbox was damaged: it is kept aside, and a new one begun", file=away.name)
                return
        self._outbox.close()
        self._failures += 1
        self._rests_until = self._clock.ticks() + min(_FIRST_REST_S * 2 ** min(self._failures - 1, 10), _LONGEST_REST_S)
        if reason != "locked" or self._failures >= _LOCKED_OFTEN:
            if self._figures.off != reason:
                _log.error("alerts are off", reason=reason, cause=str(error))
            self._figures = replace(self._figures, off=reason)
