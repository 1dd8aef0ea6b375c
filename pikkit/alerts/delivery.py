"""Delivers what waits in the outbox: claim, send, mark; an alert that fails waits alone."""

from __future__ import annotations

import random
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from pikkit.alerts.clock import Clock
from pikkit.alerts.identity import start_of
from pikkit.alerts.message import Alert, Style, message
from pikkit.alerts.outbox import Job, Outbox, Unreadable
from pikkit.alerts.receivers.port import Claim, Held, Later, Ledger, Receiver, Refused
from pikkit.bets.times import utc_text
from pikkit.errors import outlived
from pikkit.telemetry.logs import get_logger

__all__ = ["Courier", "Patience"]

_BATCH = 20
_LEASE_S = 60.0
_UNCLAIMED_AFTER_S = 10.0  # so long Supabase is waited for before an alert is shown all the same
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 120.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 30.0
_ATTEMPTS = 20

_log = get_logger("pikkit.alerts")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds after which a bet is no longer worth a message, before its start and live."""

    ttl_s: float = 3600.0
    live_ttl_s: float = 120.0

    def late(self, bet: Mapping[str, Any], age_s: float, now: float) -> str:
        """Why it is too late, or ''. `age_s`: since the price was seen; `now`: seconds since the epoch."""
        live = bool(bet.get("is_live"))
        start = start_of(bet)
        if start is not None and start <= now and not live:
            return f"it started at {utc_text(start)}"
        ttl = self.live_ttl_s if live else self.ttl_s
        return f"the price is {age_s:.0f} s old, over {ttl:g} s" if age_s > ttl else ""


@dataclass(slots=True)
class _Channel:
    """How a receiver fares; times in ticks."""

    paused_until: float = 0.0
    failures: int = 0
    last_success: float = -1.0  # none yet


class Courier:
    """Delivers with the receivers of its slot. For one thread."""

    def __init__(
        self,
        outbox: Outbox,
        receiver: Receiver | None,
        ledger: Ledger | None,
        clock: Clock,
        *,
        patience: Patience,
        style: Style = Style(),  # noqa: B008 - frozen
        counted: Callable[[str, str, int], None] = lambda _channel, _outcome, _count: None,
    ) -> None:
        """Make one.

        Args:
            outbox: what waits.
            receiver: who shows alerts; None: they are only stored.
            ledger: where hosts agree who does; None where n8n's workflow does that, or there is one host.
            clock: wall and ticks.
            patience: when it is too late.
            style: how messages are written.
            counted: told channel, outcome and how many.
        """
        self._outbox = outbox
        self._receiver = receiver
        self._ledger = ledger
        self._clock = clock
        self._patience = patience
        self._style = style
        self._counted = counted
        self._channels = {one.channel: _Channel() for one in (receiver, ledger) if one}
        self._main = next(iter(self._channels), "")
        self._owner = ""

    def run_once(self, ending: Callable[[], bool] = lambda: False) -> int:
        """Deliver what is due, once; returns how many alerts were handled.

        Raises:
            sqlite3.Error, OSError: the outbox can't be used.
        """
        if not self._main:
            return 0
        if not self._owner:
            self._owner = self._outbox.fact("owner", secrets.token_hex(8))
            self._outbox.take_up()
        handled = 0
        for job in self._outbox.due(_BATCH, shown_only=self._paused(self._main)):
            if ending():
                break
            if job.shown or not self._paused(self._main):
                self._handle(job)
                handled += 1
        return handled

    def close(self) -> None:
        """Close connections."""
        for one in (self._receiver, self._ledger):
            if one is not None:
                one.close()

    def _handle(self, job: Job) -> None:
        """One attempt. Whatever happens, the alert is sent, waits alone, or is put away with the reason."""
        with outlived(partial(self._give_up, job), but=(sqlite3.Error,)):  # one alert's surprise holds no others
            try:
                self._attempt(job)
            except Later as reason:
                self._later(job, self._main, reason)
            except (Refused, Unreadable) as reason:
                self._park(job, self._main, str(reason))

    def _give_up(self, job: Job, cause: Exception) -> None:
        _log.error("an alert can't be handled", exc_info=cause, alert_id=job.alert_id)
        self._park(job, self._main, f"it can't be handled ({type(cause).__name__})")

    def _attempt(self, job: Job) -> None:
        alert = self._ready(job)
        if not job.shown:
            late = self._late(job, alert)
            if late:
                self._outbox.note(job, state="late", reason=late)
                self._counted(self._main, "late", 1)
                return
            if alert.payload["type"] == "digest":
                self._outbox.note(job, attempts=job.attempts + 1)  # what comes from now on goes into the next one
            if self._ledger and not self._claimed(job, alert, self._ledger):
                return
            if self._receiver:
                self._receiver.send(alert)
                self._passed(self._receiver.channel)
                if self._ledger:
                    self._outbox.note(job, shown=1, channel=self._receiver.channel)
        if self._ledger and self._receiver:
            try:
                self._ledger.finished(alert)
            except Later as reason:
                self._later(job, self._ledger.channel, reason)
                return
            except Refused as reason:
                self._park(job, self._ledger.channel, f"shown, but not stored: {reason}")
                return
        self._outbox.note(job, state="delivered", attempts=job.attempts + 1, channel=self._main, reason=None)
        self._counted(self._main, "delivered", 1)

    def _ready(self, job: Job) -> Alert:
        """The alert as it is sent now: with its message, which says how old it is."""
        alert = job.alert
        now = max(self._clock.wall(), job.at + job.age_s)
        return Alert(alert.alert_id, {**alert.payload, "message": message(alert.payload, now, self._style)})

    def _late(self, job: Job, alert: Alert) -> str:
        """Judged by the wall clock as it was when the bet was graded: a step since then makes nothing late."""
        if alert.payload["type"] == "digest":
            return ""
        seen = datetime.fromisoformat(alert.payload["seen_at"]).timestamp() if "seen_at" in alert.payload else job.at
        return self._patience.late(alert.payload["bet"], job.at - seen + job.age_s, job.at + job.age_s)

    def _claimed(self, job: Job, alert: Alert, ledger: Ledger) -> bool:
        """Whether this host is to show it, as the table says; without an answer in time, as the outbox says."""
        if job.claim == "local":
            return True
        try:
            claim = self._ask(ledger, alert)
        except Held as reason:
            if self._receiver:
                self._outbox.note(job, next_at=self._clock.ticks() + _LEASE_S / 4, reason=str(reason))
            else:
                self._outbox.note(job, state="duplicate", reason="another host has stored it")
            return False
        except (Later, Refused) as reason:
            if not self._receiver:
                raise
            if isinstance(reason, Later) and reason.everybody:
                self._pause(ledger.channel, reason)
            if isinstance(reason, Later) and job.age_s < _UNCLAIMED_AFTER_S:
                self._outbox.note(job, next_at=self._clock.ticks() + _FIRST_WAIT_S, reason=f"no claim: {reason}")
                return False
            _log.warning("an alert is shown without a claim", alert_id=job.alert_id, reason=str(reason))
            self._outbox.note(job, claim="local")
            self._counted(ledger.channel, "unclaimed", 1)
            return True
        self._passed(ledger.channel)
        if claim is Claim.SHOWN:
            self._outbox.note(job, state="duplicate", reason="another host has shown it")
            self._counted(self._main, "duplicate", 1)
            return False
        return True

    def _ask(self, ledger: Ledger, alert: Alert) -> Claim:
        if self._receiver and self._paused(ledger.channel):
            raise Later("Supabase is away")
        return ledger.claim(alert, self._owner, _LEASE_S)

    def _later(self, job: Job, channel: str, reason: Later) -> None:
        """It waits alone, the longer the more often it failed. What is wrong with the receiver is not its failure."""
        state, now = self._channels[channel], self._clock.ticks()
        own = True
        if reason.everybody:
            own = state.failures == 0 and state.last_success >= 0  # it worked until this alert came
            self._pause(channel, reason)
        attempts = job.attempts + own
        others_pass = state.last_success >= 0 and now - state.last_success < 2 * _LONGEST_WAIT_S
        if attempts >= _ATTEMPTS and others_pass:
            self._park(job, channel, f"given up after {attempts} attempts: {reason}")
            return
        wait = reason.after_s or _backoff(_FIRST_WAIT_S, attempts if own else 1, _LONGEST_WAIT_S)
        self._outbox.note(job, attempts=attempts, next_at=now + wait, reason=str(reason))
        self._counted(channel, "retried", 1)
        _log.warning("alert not taken yet", channel=channel, alert_id=job.alert_id, reason=str(reason))

    def _park(self, job: Job, channel: str, reason: str) -> None:
        self._outbox.note(job, state="parked", attempts=job.attempts + 1, reason=reason)
        self._counted(channel, "parked", 1)
        _log.error("alert parked", channel=channel, alert_id=job.alert_id, reason=reason)

    def _passed(self, channel: str) -> None:
        state = self._channels[channel]
        state.failures, state.last_success = 0, self._clock.ticks()

    def _pause(self, channel: str, reason: Later) -> None:
        state = self._channels[channel]
        state.failures += 1
        state.paused_until = self._clock.ticks() + (
            reason.after_s or _backoff(_FIRST_PAUSE_S, state.failures, _LONGEST_PAUSE_S)
        )

    def _paused(self, channel: str) -> bool:
        return self._channels[channel].paused_until > self._clock.ticks()


def _backoff(first: float, failures: int, longest: float) -> float:
    wait: float = min(first * 2 ** min(max(failures, 1) - 1, 10), longest)
    return wait * random.uniform(0.75, 1.25)  # noqa: S311 - spreads retries
