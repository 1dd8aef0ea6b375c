"""The durable queue of alerts: SQLite in DATA_DIR, shared by all workers and slots of a host.

Only threads of alerts touch it, never a request. Write-ahead log with synchronous=NORMAL: a commit survives kill -9 and
costs no fsync. An alert leaves the queue only after its receiver took it, so a crash in between sends it again with the
same key and never loses it. Ages are counted in ticks (`pikkit.alerts.clock`), so that no step of the wall clock
freezes, drops or repeats anything; what an earlier run of the machine wrote is aged by the wall.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pikkit.alerts.clock import Clock
from pikkit.alerts.message import Alert

__all__ = ["FILE", "Job", "Outbox", "OutboxFigures", "Purgeable", "State", "Unreadable", "why_off"]

FILE = "alerts.sqlite3"
State = Literal["waiting", "delivered", "parked", "late", "left-out", "duplicate"]
Purgeable = Literal["delivered", "parked", "late", "left-out", "duplicate"]
_DAY_S = 86_400.0
MAX_AGE_S = 7 * _DAY_S
_BESIDE = ("-wal", "-shm")
_BUSY_S = 0.25
_TIDIED_AT_ONCE = 5_000
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
  alert_id TEXT PRIMARY KEY, caller TEXT NOT NULL, at REAL NOT NULL, ticks REAL NOT NULL, boot TEXT NOT NULL,
  payload TEXT NOT NULL, state TEXT NOT NULL, claim TEXT NOT NULL DEFAULT '', shown INTEGER NOT NULL DEFAULT 0,
  channel TEXT NOT NULL DEFAULT '', attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL, reason TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS outbox_due ON outbox (state, next_at);
CREATE INDEX IF NOT EXISTS outbox_age ON outbox (state, at);
CREATE INDEX IF NOT EXISTS outbox_newest ON outbox (at);
CREATE INDEX IF NOT EXISTS outbox_of_caller ON outbox (caller, boot, ticks);
CREATE TABLE IF NOT EXISTS bets (
  identity TEXT PRIMARY KEY, generation INTEGER NOT NULL, step INTEGER NOT NULL, grade TEXT NOT NULL,
  odds REAL NOT NULL, starts_at REAL, at REAL NOT NULL, ticks REAL NOT NULL, boot TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
# Alerts that an earlier release left waiting; its own tables stay, as a slot of it may still run.
_TAKE_OVER = """
INSERT OR IGNORE INTO outbox (alert_id, caller, at, ticks, boot, payload, state, next_at, reason)
  SELECT a.alert_id, '', a.created_at, 0, '', a.payload, d.state, 0, d.reason
  FROM alerts a JOIN deliveries d USING (alert_id) WHERE d.state IN ('waiting', 'parked');
UPDATE deliveries SET state = 'delivered' WHERE state IN ('waiting', 'parked');
"""
_COLUMNS = "alert_id, at, ticks, boot, payload, state, claim, shown, channel, attempts, reason"


class Unreadable(Exception):
    """A row that can't be read; it is parked."""


@dataclass(frozen=True, slots=True)
class Job:
    """One alert and what has become of it; `age_s`: since the bet was graded."""

    alert_id: str
    age_s: float
    at: float  # seconds since the epoch, when the bet was graded
    written: str  # the payload, as it stands in the file
    state: str
    claim: str  # '', won (at Supabase), local
    shown: bool  # a person's receiver took it
    channel: str
    attempts: int
    reason: str | None

    @property
    def alert(self) -> Alert:
        """The alert.

        Raises:
            Unreadable: the payload is damaged.
        """
        try:
            payload = json.loads(self.written)
        except ValueError as cause:
            raise Unreadable(f"the stored alert can't be read ({cause})") from cause
        if not isinstance(payload, dict) or not payload.keys() >= {"grade", "bet", "prediction"}:
            raise Unreadable("the stored alert lacks its parts")
        return Alert(self.alert_id, {"type": "high_grade_bet", "alert_id": self.alert_id, **payload})


@dataclass(frozen=True, slots=True)
class OutboxFigures:
    """For metrics: how many wait, how long the oldest does (seconds), how many were given up; why it is off, if so."""

    depth: int = 0
    oldest_age_s: float = 0.0
    parked: int = 0
    off: str = ""  # disk_full, read_only, locked, corrupt, other


class Outbox:
    """The queue, for one thread. Nothing is opened before it is needed."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self._path = folder / FILE
        self._clock = clock
        self._open: sqlite3.Connection | None = None
        self._inode: tuple[int, int] = (0, 0)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write, all or nothing.

        Raises:
            sqlite3.Error, OSError: the file can't be used now.
        """
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            with suppress(sqlite3.Error):
                connection.rollback()
            raise
        connection.commit()

    def due(self, limit: int, *, shown_only: bool = False) -> list[Job]:
        """Waiting alerts whose time has come, the longest waiting first."""
        where = "state = 'waiting' AND next_at <= ?" + (" AND shown" if shown_only else "")
        return self._jobs(f"{where} ORDER BY next_at LIMIT ?", (self._clock.ticks(), limit))

    def listed(self, state: str | None = None, limit: int = 100) -> list[Job]:
        """Alerts, newest first."""
        if state is None:
            return self._jobs("1 ORDER BY at DESC LIMIT ?", (limit,))
        return self._jobs("state = ? ORDER BY at DESC LIMIT ?", (state, limit))

    def of(self, alert_id: str) -> list[Job]:
        """Alerts by the beginning of their id."""
        return self._jobs("substr(alert_id, 1, ?) = ? LIMIT 20", (len(alert_id), alert_id))

    def note(self, job: Job, **news: object) -> None:
        """Change columns of an alert: state, claim, shown, channel, attempts, next_at, reason."""
        changes = ", ".join(f"{name} = ?" for name in news)
        with self.transaction() as connection:
            connection.execute(f"UPDATE outbox SET {changes} WHERE alert_id = ?", (*news.values(), job.alert_id))  # noqa: S608 - names are ours

    def take_up(self) -> None:
        """Whoever begins to deliver: what an earlier run of the machine put off is due."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE outbox SET next_at = 0 WHERE state = 'waiting' AND boot != ?", (self._clock.boot,)
            )

    def retry_parked(self, alert_id: str = "") -> int:
        """Let parked alerts wait again (all, or those whose id begins so), as new ones; returns how many."""
        wall, ticks, boot = self._clock.wall(), self._clock.ticks(), self._clock.boot
        with self.transaction() as connection:
            return connection.execute(
                "UPDATE outbox SET state = 'waiting', attempts = 0, next_at = ?, reason = NULL, at = ?, ticks = ?, "
                "boot = ? WHERE state = 'parked' AND substr(alert_id, 1, ?) = ?",
                (ticks, wall, ticks, boot, len(alert_id), alert_id),
            ).rowcount

    def purge(self, state: str) -> int:
        """Forget alerts in this state; which bets have raised one stays known. Returns how many."""
        with self.transaction() as connection:
            return connection.execute("DELETE FROM outbox WHERE state = ?", (state,)).rowcount

    def tidy(self, window_s: float) -> int:
        """Forget what is a week old, and bets of which nothing more can come.

        Returns:
            How many waiting alerts were dropped.
        """
        with self.transaction() as connection:
            old = connection.execute(
                "SELECT alert_id, state FROM outbox WHERE age(at, ticks, boot) > ? LIMIT ?",
                (MAX_AGE_S, _TIDIED_AT_ONCE),
            ).fetchall()
            connection.executemany("DELETE FROM outbox WHERE alert_id = ?", [(alert_id,) for alert_id, _ in old])
            connection.execute(
                "DELETE FROM bets WHERE age(at, ticks, boot) > ? AND (starts_at IS NULL OR starts_at < ?)",
                (2 * max(window_s, _DAY_S), self._clock.wall() - 2 * _DAY_S),
            )
        return sum(state == "waiting" for _, state in old)

    def figures(self) -> OutboxFigures:
        """How many wait, since when, how many are parked."""
        connection = self._connection()
        depth, oldest = connection.execute("SELECT count(*), min(at) FROM outbox WHERE state = 'waiting'").fetchone()
        [parked] = connection.execute("SELECT count(*) FROM outbox WHERE state = 'parked'").fetchone()
        return OutboxFigures(depth, max(0.0, self._clock.wall() - oldest) if depth else 0.0, parked)

    def fact(self, name: str, make: str) -> str:
        """What is remembered under a name; `make` where nothing is."""
        with self.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, make))
            [value] = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(value)

    def set_aside(self) -> Path | None:
        """Put a corrupt file away, beside; None where another process did so already."""
        self.close()
        guard = os.open(self.folder / "alerts.repair", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(guard, fcntl.LOCK_EX)
            try:
                self._connection().execute("PRAGMA quick_check(1)")
            except sqlite3.DatabaseError as error:
                if not is_corrupt(error):
                    raise
            else:
                return None
            self.close()
            stamp = datetime.fromtimestamp(self._clock.wall(), UTC).strftime("%Y%m%dT%H%M%S%f")
            away = self._path.with_name(f"{FILE}.corrupt-{stamp}")
            self._path.rename(away)
            for suffix in _BESIDE:
                with suppress(FileNotFoundError):
                    Path(f"{self._path}{suffix}").rename(f"{away}{suffix}")
            return away
        finally:
            os.close(guard)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._open is not None:
            with suppress(sqlite3.Error):
                self._open.close()
            self._open = None

    def _jobs(self, where: str, values: Sequence[object]) -> list[Job]:
        rows = self._connection().execute(f"SELECT {_COLUMNS} FROM outbox WHERE {where}", values)  # noqa: S608
        return [self._job(row) for row in rows]

    def _job(self, row: Sequence[Any]) -> Job:
        alert_id, at, ticks, boot, payload, state, claim, shown, channel, attempts, reason = row
        return Job(
            alert_id, self._age(at, ticks, boot), at, payload, state, claim, bool(shown), channel, attempts, reason
        )

    def _age(self, at: float, ticks: float, boot: str) -> float:
        """Seconds since a moment that was noted by both clocks."""
        same = boot == self._clock.boot
        return max(0.0, self._clock.ticks() - ticks if same else self._clock.wall() - at)

    def _connection(self) -> sqlite3.Connection:
        """The open file; opened again where somebody removed or replaced it."""
        if self._open is not None and self._inode_now() != self._inode:
            self.close()
        if self._open is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            connection.text_factory = _text
            connection.create_function("age", 3, self._age)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")
                if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'deliveries'").fetchone():
                    connection.executescript(f"BEGIN IMMEDIATE;{_TAKE_OVER}COMMIT;")
            except BaseException:
                connection.close()
                raise
            self._path.chmod(0o600)
            for suffix in _BESIDE:  # made like the file itself, which was open to others until now
                with suppress(OSError):
                    Path(f"{self._path}{suffix}").chmod(0o600)
            self._open, self._inode = connection, self._inode_now()
        return self._open

    def _inode_now(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return (0, 0)
        return (found.st_dev, found.st_ino)


def is_corrupt(error: BaseException) -> bool:
    """Whether the file is no database, or a damaged one."""
    return isinstance(error, sqlite3.DatabaseError) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT


def why_off(error: BaseException) -> str:
    """A word for why the file can't be used."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        known = {sqlite3.SQLITE_FULL: "disk_full", sqlite3.SQLITE_READONLY: "read_only", sqlite3.SQLITE_BUSY: "locked"}
        return "corrupt" if code in _CORRUPT else known.get(code, "other")
    number = error.errno if isinstance(error, OSError) else None
    return {28: "disk_full", 30: "read_only", 13: "read_only", 1: "read_only"}.get(number or 0, "other")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def written(payload: Mapping[str, Any]) -> str:
    """The payload as it stands in the file."""
    return json.dumps(payload, separators=(",", ":"))
