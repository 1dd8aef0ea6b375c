"""The durable queue of alerts: SQLite in DATA_DIR, shared by all workers and slots of a host.

Write-ahead log with synchronous=NORMAL: a commit survives kill -9 and costs no fsync. An alert and its deliveries are
written together, and a delivery leaves the queue only after its receiver took it, so a crash between the two sends
it again with the same key and never loses it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pikkit.alerts.message import Alert

__all__ = ["Delivery", "Outbox", "OutboxFigures"]

MAX_WAITING = 50_000
MAX_AGE_S = 7 * 86_400.0
_BUSY_S = 0.25
_SCHEMA = """
CREATE TABLE IF NOT EXISTS alerts (
  alert_id TEXT PRIMARY KEY, key TEXT NOT NULL, created_at REAL NOT NULL, payload TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alerts_by_key ON alerts (key, created_at);
CREATE TABLE IF NOT EXISTS deliveries (
  alert_id TEXT NOT NULL REFERENCES alerts ON DELETE CASCADE, channel TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'parked')),
  attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL, reason TEXT,
  PRIMARY KEY (alert_id, channel)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, next_at);
"""
_SELECT = (
    "SELECT a.alert_id, a.key, a.created_at, a.payload, d.channel, d.state, d.attempts, d.next_at, d.reason "
    "FROM alerts a JOIN deliveries d USING (alert_id)"
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert for one channel."""

    alert: Alert
    channel: str
    state: str
    attempts: int
    next_at: float
    reason: str | None


@dataclass(frozen=True, slots=True)
class OutboxFigures:
    """For metrics: how many wait, how long the oldest does (seconds), how many were given up."""

    depth: int
    oldest_age_s: float
    parked: int


class _Connection(sqlite3.Connection):
    """Closed when its thread is gone, by whichever thread collects it."""

    def __del__(self) -> None:
        self.close()


class Outbox:
    """The queue. Threads of a process may share it; each has a connection of its own."""

    def __init__(self, folder: Path, *, max_waiting: int = MAX_WAITING, max_age_s: float = MAX_AGE_S) -> None:
        self._path = folder / "alerts.sqlite3"
        folder.mkdir(parents=True, exist_ok=True)
        self._max_waiting = max_waiting
        self._max_age_s = max_age_s
        self._local = threading.local()
        with self._transaction() as connection:
            connection.executescript(_SCHEMA)
        self._path.chmod(0o600)

    def put(self, alerts: Sequence[Alert], channels: Sequence[str], window_s: float) -> list[Alert]:
        """Queue alerts, leaving out those whose bet raised one within the window; returns what was queued.

        A clock that went back counts as within the window, as far as the window reaches.

        Raises:
            sqlite3.Error: the disk is full or the file is held too long; nothing was queued.
        """
        queued: list[Alert] = []
        with self._transaction() as connection:
            for alert in alerts:
                raised = connection.execute(
                    "SELECT 1 FROM alerts WHERE key = ? AND abs(created_at - ?) < ? LIMIT 1",
                    (alert.key, alert.created_at, window_s),
                ).fetchone()
                if raised:
                    continue
                connection.execute(
                    "INSERT OR IGNORE INTO alerts VALUES (?, ?, ?, ?)",
                    (alert.alert_id, alert.key, alert.created_at, json.dumps(alert.payload, ensure_ascii=False)),
                )
                connection.executemany(
                    "INSERT OR IGNORE INTO deliveries (alert_id, channel, state, next_at) VALUES (?, ?, 'waiting', ?)",
                    [(alert.alert_id, channel, alert.created_at) for channel in channels],
                )
                queued.append(alert)
        return queued

    def due(self, channels: Sequence[str], now: float, limit: int) -> list[Delivery]:
        """Waiting deliveries on these channels whose time has come, oldest first."""
        marks = ",".join("?" * len(channels))
        return self._select(
            f"d.state = 'waiting' AND d.channel IN ({marks}) AND (d.next_at <= ? OR d.next_at > ?) "
            "ORDER BY a.created_at, a.alert_id LIMIT ?",
            (
                *channels,
                now,
                now + self._max_age_s,
                limit,
            ),  # a time far ahead was written by a clock that was wrong
        )

    def listed(self, state: str | None = None, limit: int = 100) -> list[Delivery]:
        """Deliveries, newest first."""
        where = "d.state = ?" if state else "1 = 1 OR ? IS NULL"
        return self._select(f"{where} ORDER BY a.created_at DESC LIMIT ?", (state, limit))

    def of(self, alert_id: str) -> list[Delivery]:
        """Deliveries of one alert, by the beginning of its id."""
        return self._select("substr(a.alert_id, 1, ?) = ? ORDER BY d.channel", (len(alert_id), alert_id))

    def delivered(self, delivery: Delivery) -> None:
        """The receiver took it."""
        self._update(delivery, "delivered", delivery.next_at, None)

    def retry_at(self, delivery: Delivery, moment: float, reason: str) -> None:
        """It is to be tried again at this time."""
        self._update(delivery, "waiting", moment, reason)

    def park(self, delivery: Delivery, reason: str) -> None:
        """It is given up until somebody asks for it."""
        self._update(delivery, "parked", delivery.next_at, reason)

    def retry_parked(self, now: float, alert_id: str = "") -> int:
        """Let parked deliveries wait again (all, or those of one alert); returns how many."""
        with self._transaction() as connection:
            return connection.execute(
                "UPDATE deliveries SET state = 'waiting', attempts = 0, next_at = ?, reason = NULL "
                "WHERE state = 'parked' AND substr(alert_id, 1, ?) = ?",
                (now, len(alert_id), alert_id),
            ).rowcount

    def purge(self, state: str) -> int:
        """Forget alerts whose deliveries are all in this state; returns how many."""
        with self._transaction() as connection:
            return connection.execute(
                "DELETE FROM alerts WHERE alert_id NOT IN (SELECT alert_id FROM deliveries WHERE state != ?)",
                (state,),
            ).rowcount

    def tidy(self, now: float, window_s: float) -> int:
        """Forget what was delivered before the window; drop what waits too long or beyond the limit.

        Returns:
            How many waiting deliveries were dropped.
        """
        keep_s = max(window_s, 86_400.0)
        with self._transaction() as connection:
            connection.execute(
                "DELETE FROM alerts WHERE created_at < ? AND alert_id NOT IN "
                "(SELECT alert_id FROM deliveries WHERE state != 'delivered')",
                (now - keep_s,),
            )
            dropped = connection.execute(
                "DELETE FROM deliveries WHERE state = 'waiting' AND "
                "alert_id IN (SELECT alert_id FROM alerts WHERE created_at < ?)",
                (now - self._max_age_s,),
            ).rowcount
            connection.execute(
                "DELETE FROM deliveries WHERE alert_id IN (SELECT alert_id FROM alerts WHERE created_at < ?)",
                (now - 2 * self._max_age_s,),
            )
            [waiting] = connection.execute("SELECT count(*) FROM deliveries WHERE state = 'waiting'").fetchone()
            if waiting > self._max_waiting:
                dropped += connection.execute(
                    "DELETE FROM deliveries WHERE (alert_id, channel) IN "
                    "(SELECT d.alert_id, d.channel FROM deliveries d JOIN alerts a USING (alert_id) "
                    "WHERE d.state = 'waiting' ORDER BY a.created_at LIMIT ?)",
                    (waiting - self._max_waiting,),
                ).rowcount
            connection.execute("DELETE FROM alerts WHERE alert_id NOT IN (SELECT alert_id FROM deliveries)")
        return dropped

    def figures(self, now: float) -> OutboxFigures:
        """Depth, age of the oldest, parked."""
        row = (
            self._connection()
            .execute(
                "SELECT sum(d.state = 'waiting'), min(CASE WHEN d.state = 'waiting' THEN a.created_at END), "
                "sum(d.state = 'parked') FROM deliveries d JOIN alerts a USING (alert_id) WHERE d.state != 'delivered'"
            )
            .fetchone()
        )
        depth, oldest, parked = row
        return OutboxFigures(depth or 0, max(0.0, now - oldest) if oldest is not None else 0.0, parked or 0)

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _update(self, delivery: Delivery, state: str, next_at: float, reason: str | None) -> None:
        with self._transaction() as connection:
            connection.execute(
                "UPDATE deliveries SET state = ?, attempts = attempts + 1, next_at = ?, reason = ? "
                "WHERE alert_id = ? AND channel = ?",
                (state, next_at, reason, delivery.alert.alert_id, delivery.channel),
            )

    def _select(self, where: str, values: Sequence[object]) -> list[Delivery]:
        rows = self._connection().execute(f"{_SELECT} WHERE {where}", values)
        return [_delivery(row) for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.rollback()
            raise
        connection.commit()

    def _connection(self) -> sqlite3.Connection:
        """This thread's connection; after a fork the parent's is left alone."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None or self._local.pid != os.getpid():
            connection = sqlite3.connect(
                self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, factory=_Connection
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            self._local.connection = connection
            self._local.pid = os.getpid()
        return connection


def _delivery(row: Sequence[object]) -> Delivery:
    alert_id, key, created_at, payload, channel, state, attempts, next_at, reason = row
    content: Mapping[str, object] = json.loads(str(payload))
    return Delivery(
        Alert(str(alert_id), str(key), float(created_at), content),  # type: ignore[arg-type]
        str(channel),
        str(state),
        int(attempts),  # type: ignore[call-overload]
        float(next_at),  # type: ignore[arg-type]
        None if reason is None else str(reason),
    )
