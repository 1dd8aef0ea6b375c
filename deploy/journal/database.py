"""The one SQLite file: opened when needed, put aside when damaged, done without when the disk refuses."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["Database"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS releases (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, version TEXT NOT NULL, slot TEXT NOT NULL, workers INTEGER NOT NULL,
    bento TEXT NOT NULL, models TEXT NOT NULL, settings TEXT NOT NULL, before INTEGER, rejected INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS audit (id INTEGER PRIMARY KEY, entry TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Database:
    """`say` is told once when something can't be read or written; nothing here raises for that."""

    def __init__(self, path: Path, say: Callable[[str], None] = lambda _: None) -> None:
        self.path = path
        self.fault: str | None = None
        self._say = say
        self._open: sqlite3.Connection | None = None

    def read(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """Rows; none when there is no file yet, or a damaged one (see `fault`)."""
        if self._open is None and not self.path.exists():
            return []
        with self._guarded("read"):
            return self._connection(mend=False).execute(query, values).fetchall()
        return []

    def write(self, *statements: tuple[str, Sequence[Any] | Mapping[str, Any]]) -> bool:
        """Carry all out, or none; returns whether they were."""
        with self._guarded("written"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = self._connection(mend=True)
            connection.execute("BEGIN IMMEDIATE")
            try:
                for statement, values in statements:
                    connection.execute(statement, values)
                connection.execute("COMMIT")
            except sqlite3.Error:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
            return True
        return False

    def close(self) -> None:
        """Let go of the file."""
        if self._open:
            self._open.close()
            self._open = None

    @contextlib.contextmanager
    def _guarded(self, done: str) -> Any:
        try:
            yield
        except sqlite3.OperationalError as error:  # full, read-only, busy: the file is whole
            self._tell(f"the journal {self.path} can't be {done} ({error}): going on without; the routing holds")
        except (sqlite3.DatabaseError, OSError) as error:
            self.close()
            self._tell(f"the journal {self.path} can't be {done} ({error}): what runs is believed")

    def _tell(self, fault: str) -> None:
        if fault != self.fault:
            self.fault = fault
            self._say(fault)

    def _connection(self, *, mend: bool) -> sqlite3.Connection:
        """With all tables; a damaged file is put aside where it is to be written."""
        if self._open is None:
            try:
                self._open = _connected(self.path)
            except sqlite3.DatabaseError as error:
                if not mend or isinstance(error, sqlite3.OperationalError):
                    raise
                aside = self.path.with_name(f"{self.path.name}.damaged-{int(time.time())}")
                self.path.replace(aside)
                self._say(f"the journal was damaged ({error}): kept as {aside.name}, begun anew from what runs")
                self._open = _connected(self.path)
        return self._open


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5, isolation_level=None)
    try:
        connection.executescript(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    connection.row_factory = sqlite3.Row
    return connection
