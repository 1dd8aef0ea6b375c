"""What was done and what is under way. Never what is live: that is the proxy's link, and is read back from there.

Losing this file therefore loses no traffic; what can be seen of it is written anew from what runs.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.clock import Clock
from deploy.files import parsed, plain
from deploy.journal.database import Database
from deploy.journal.lock import user
from deploy.slot import Slot

__all__ = ["Journal", "Operation", "Released"]

_OPERATION = "operation"
_RECORD = """INSERT OR REPLACE INTO releases (id, at, version, slot, workers, bento, models, settings, before, rejected)
VALUES (:id, :at, :version, :slot, :workers, :bento, :models, :settings, :before, :rejected)"""


@dataclass(frozen=True, slots=True)
class Released:
    """A release as it was in production.

    `before` is the id of the one that `rollback` goes back to; `settings` a digest of what the slot was told beside it.
    """

    version: str
    slot: str
    workers: int = 1
    bento: str = ""
    models: str = ""
    settings: str = ""
    before: int | None = None
    rejected: bool = False
    id: int = 0
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Operation:
    """A command under way: `phase` is written before the phase is done.

    `reject` is the id of a release that is left for good.
    """

    command: str
    version: str
    slot: Slot
    phase: str = "begin"
    reject: int | None = None


class Journal:
    """Every method goes on where the disk refuses: `fault` then says why."""

    def __init__(self, path: Path, clock: Clock, say: Callable[[str], None] = lambda _: None) -> None:
        self._database = Database(path, say)
        self._clock = clock

    @property
    def fault(self) -> str | None:
        """Why it could not be read or written last."""
        return self._database.fault

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def live(self) -> Released | None:
        """The release that became production last, as far as it is on record."""
        return self.release(self.fact("live", int))

    def release(self, number: int | None) -> Released | None:
        """One by its id."""
        rows = self._database.read("SELECT * FROM releases WHERE id = ?", number)
        return _released(rows[0]) if rows else None

    def releases(self, last: int = 50) -> list[Released]:
        """The newest first."""
        return [_released(row) for row in self._database.read("SELECT * FROM releases ORDER BY id DESC LIMIT ?", last)]

    def previous(self) -> Released | None:
        """What there is to go back to: the nearest one before the live one that is another and was not rejected."""
        live = self.live()
        others = (step for step in self.before(live) if live and step.version != live.version and not step.rejected)
        return next(others, None)

    def before(self, released: Released | None) -> Iterator[Released]:
        """Those that were in production before it, the nearest first."""
        seen: set[int] = set()  # of a damaged journal, in a circle
        while released and released.before and released.before not in seen:
            seen.add(released.before)
            released = self.release(released.before)
            if released:
                yield released

    def record(self, released: Released, *, reject: int | None = None) -> None:
        """It is production now: a new release, or (with an id) one of before, as it now is.

        `reject` is the id of a release that must never be gone back to.
        """
        told = {**asdict(released), "at": self._clock.now(), "id": released.id or None}
        self._database.write(
            (_RECORD, told), ("INSERT OR REPLACE INTO facts (name, value) VALUES ('live', last_insert_rowid())", [])
        )
        if reject and reject != released.id:
            self._database.write(("UPDATE releases SET rejected = 1 WHERE id = ?", [reject]))

    def operation(self) -> Operation | None:
        """The command under way, or that was interrupted."""
        found: Operation | None = self.fact(_OPERATION, Operation)
        return found

    def begin(self, operation: Operation) -> None:
        """It is under way, and begins this phase."""
        self.put(_OPERATION, operation)

    def end(self) -> None:
        """No command is under way any more."""
        self.put(_OPERATION, None)

    def write(self, command: str, outcome: str, **facts: Any) -> None:
        """Note in the audit log that `command` ended with `outcome`."""
        at = datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        entry = {"at": at, "who": user(), "command": command, "outcome": outcome, **facts}
        self._database.write(("INSERT INTO audit (entry) VALUES (?)", [json.dumps(entry)]))

    def entries(self, last: int = 20) -> list[dict[str, Any]]:
        """The last entries of the audit log, oldest first."""
        rows = self._database.read("SELECT entry FROM audit ORDER BY id DESC LIMIT ?", last)
        told = (_value(dict[str, Any], row[0]) for row in reversed(rows))
        return [entry or {} for entry in told]

    def fact(self, name: str, kind: Any = Any) -> Any:
        """A value that was put, of that type; None when there is none, or another."""
        rows = self._database.read("SELECT value FROM facts WHERE name = ?", name)
        return _value(kind, rows[0][0]) if rows else None

    def put(self, name: str, value: Any) -> None:
        """Keep a JSON-able value or a dataclass; None removes it."""
        if value is None:
            self._database.write(("DELETE FROM facts WHERE name = ?", [name]))
        else:
            self._database.write(
                ("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", [name, json.dumps(plain(value))])
            )


def _released(row: sqlite3.Row) -> Released:
    told: dict[str, Any] = dict(row)
    return Released(**{**told, "rejected": bool(told["rejected"])})


def _value(kind: Any, text: Any) -> Any:
    """As it was put; None where it is damaged, or of another kind."""
    try:
        return parsed(kind, json.loads(text))
    except (TypeError, ValueError):
        return None
