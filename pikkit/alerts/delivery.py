"""Delivers what waits in the outbox, in the background, by one consumer per host at a time."""

from __future__ import annotations

import fcntl
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pikkit.alerts.outbox import Delivery, Outbox
from pikkit.alerts.receivers.port import Later, Receiver, Refused
from pikkit.telemetry.logs import get_logger

__all__ = ["Consumer"]

_PAUSE_S = 0.2
_TIDY_EVERY_S = 60.0
_BATCH = 20
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 300.0

_log = get_logger("pikkit.alerts")


class Consumer:
    """A thread that every worker runs; whoever holds the lock file delivers, the others stand by.

    The kernel frees the lock when its holder ends, however it ends.
    """

    def __init__(
        self,
        outbox: Outbox,
        receivers: Sequence[Receiver],
        lock_file: Path,
        *,
        window_s: float,
        counted: Callable[[str, str, int], None] = lambda _channel, _outcome, _count: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make one; it does nothing before `start`.

        Args:
            outbox: what waits.
            receivers: one per channel.
            lock_file: shared by all workers and slots of the host.
            window_s: how long a delivered alert is remembered.
            counted: told channel, outcome (delivered, retried, parked, dropped) and how many.
            clock: seconds since the epoch.
        """
        self._outbox = outbox
        self._receivers = {receiver.channel: receiver for receiver in receivers}
        self._lock_file = lock_file
        self._window_s = window_s
        self._counted = counted
        self._clock = clock
        self._paused: dict[str, float] = {}  # monotonic time until which a channel is left alone
        self._failures: dict[str, int] = dict.fromkeys(self._receivers, 0)
        self._tidied = 0.0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        """Begin, in the worker process itself."""
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """End after the delivery under way."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def run_once(self) -> int:
        """Deliver what is due, once; returns how many attempts were made. Needs the lock."""
        now = time.monotonic()
        open_channels = [channel for channel in self._receivers if self._paused.get(channel, 0.0) <= now]
        if now - self._tidied >= _TIDY_EVERY_S:
            self._tidied = now
            dropped = self._outbox.tidy(self._clock(), self._window_s)
            if dropped:
                _log.error("alerts dropped: they waited too long, or were too many", count=dropped)
                self._counted("any", "dropped", dropped)
        attempts = 0
        for delivery in self._outbox.due(open_channels, self._clock(), _BATCH) if open_channels else ():
            if self._ending.is_set():
                break
            if self._paused.get(delivery.channel, 0.0) <= time.monotonic():
                self._deliver(delivery)
                attempts += 1
        return attempts

    def _deliver(self, delivery: Delivery) -> None:
        channel = delivery.channel
        try:
            self._receivers[channel].send(delivery.alert)
        except Later as reason:
            # The channel waits as a whole: what is wrong with one alert here is wrong with all.
            self._failures[channel] += 1
            wait = _FIRST_WAIT_S * 2 ** min(self._failures[channel] - 1, 10)
            wait = min(wait, _LONGEST_WAIT_S) * random.uniform(0.75, 1.25)  # noqa: S311 - spreads retries
            if reason.after_s is not None:
                wait = reason.after_s
            self._paused[channel] = time.monotonic() + wait
            self._outbox.retry_at(delivery, self._clock() + wait, reason.reason)
            self._counted(channel, "retried", 1)
            _log.warning("alert not taken yet", channel=channel, alert_id=delivery.alert.alert_id, reason=reason.reason)
        except Refused as reason:
            self._outbox.park(delivery, reason.reason)
            self._counted(channel, "parked", 1)
            _log.error("alert parked", channel=channel, alert_id=delivery.alert.alert_id, reason=reason.reason)
        else:
            self._failures[channel] = 0
            self._outbox.delivered(delivery)
            self._counted(channel, "delivered", 1)

    def _run(self) -> None:
        self._lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not self._ending.is_set():
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    self._ending.wait(5 * _PAUSE_S)
                    continue
                self._consume()
        finally:
            os.close(lock)
            for receiver in self._receivers.values():
                receiver.close()
            self._outbox.close()

    def _consume(self) -> None:
        """Deliver until the end; the lock is held."""
        while not self._ending.is_set():
            attempts = 0
            try:
                attempts = self.run_once()
            except sqlite3.Error as cause:
                _log.error("the outbox can't be used", exc_info=cause)
                self._ending.wait(5 * _PAUSE_S)
            except Exception as cause:  # noqa: BLE001 - the thread must outlive a receiver's surprise
                _log.error("delivering alerts failed", exc_info=cause)
                self._ending.wait(5 * _PAUSE_S)
            if not attempts:
                self._ending.wait(_PAUSE_S)
