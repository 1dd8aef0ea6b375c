"""What was done and what is under way. Never what is live: that is the proxy's link, and is read back from there.

Losing this file therefore loses no traffic; what can be seen of it is written anew from what runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.clock import Clock
from deploy.files import parsed, plain
from deploy.journal.database import Database
from deploy.journal.lock import user

__all__ = ["Journal", "Operation", "Released"]


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
    """A command under way: `phase` is written before the phase is done; `plan` is what recovery needs to know."""

    command: str
    version: str
    slot: str
    phase: str = ""
    plan: dict[str, Any] = field(default_factory=dict)
    id: int = 0


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
        found = self._releases("WHERE id = ?", number)
        return found[0] if found else None

    def releases(self, last: int = 50) -> list[Released]:
        """The newest first."""
        return self._releases("ORDER BY id DESC LIMIT ?", last)

    def previous(self) -> Released | None:
        """What there is to go back to: the nearest one before the live one that is another and was not rejected."""
        live = self.live()
        step = live
        seen: set[int] = set()
        while live and step and step.before and step.before not in seen:
            seen.add(step.before)
            step = self.release(step.before)
            if step and step.version != live.version and not step.rejected:
                return step
        return None

    def record(self, released: Released) -> None:
        """It is production now: a new release, or (with an id) one of before, as it now is."""
        columns = ("at", "version", "slot", "workers", "bento", "models", "settings", "before", "rejected")
        values: list[Any] = [getattr(replace(released, at=self._clock.now()), name) for name in columns]
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        if released.id:
            values.insert(0, released.id)
            names, marks = f"id, {names}", f"?, {marks}"
        which = "?" if released.id else "last_insert_rowid()"
        self._database.write(
            (f"INSERT OR REPLACE INTO releases ({names}) VALUES ({marks})", values),  # noqa: S608 - names of columns
            (
                f"INSERT OR REPLACE INTO facts (name, value) VALUES ('live', {which})",  # noqa: S608 - a placeholder
                [released.id] if released.id else [],
            ),
        )

    def reject(self, number: int) -> None:
        """Never go back to it."""
        self._database.write(("UPDATE releases SET rejected = 1 WHERE id = ?", [number]))

    def operation(self) -> Operation | None:
        """The command under way, or that was interrupted."""
        rows = self._database.read(
            "SELECT command, version, slot, phase, plan, id FROM operations WHERE ended = 0 ORDER BY id DESC LIMIT 1"
        )
        if not rows:
            return None
        command, version, slot, phase, plan, number = rows[0]
        return Operation(command, version, slot, phase, _object(plan), number)

    def begin(self, operation: Operation) -> None:
        """It is under way."""
        values = [
            *(self._clock.now(), operation.command, operation.version, operation.slot, operation.phase),
            json.dumps(operation.plan),
        ]
        self._database.write(
            ("UPDATE operations SET ended = 1 WHERE ended = 0", []),
            (
                "INSERT INTO operations (at, command, version, slot, phase, plan, ended) VALUES (?, ?, ?, ?, ?, ?, 0)",
                values,
            ),
        )

    def at(self, phase: str, plan: dict[str, Any]) -> None:
        """The command under way begins a phase."""
        self._database.write(
            ("UPDATE operations SET phase = ?, plan = ? WHERE ended = 0", [phase, json.dumps(plan)]),
        )

    def end(self) -> None:
        """No command is under way any more."""
        self._database.write(("UPDATE operations SET ended = 1 WHERE ended = 0", []))

    def write(self, command: str, outcome: str, **facts: Any) -> None:
        """Note in the audit log that `command` ended with `outcome`."""
        at = datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        entry = {"at": at, "who": user(), "command": command, "outcome": outcome, **facts}
        self._database.write(("INSERT INTO audit (entry) VALUES (?)", [json.dumps(entry)]))

    def entries(self, last: int = 20) -> list[dict[str, Any]]:
        """The last entries of the audit log, oldest first."""
        rows = self._database.read("SELECT entry FROM audit ORDER BY id DESC LIMIT ?", last)
        return [_object(row[0]) for row in reversed(rows)]

    def fact(self, name: str, kind: Any = Any) -> Any:
        """A value that was put, of that type; None when there is none, or another."""
        rows = self._database.read("SELECT value FROM facts WHERE name = ?", name)
        try:
            return parsed(kind, json.loads(rows[0][0])) if rows else None
        except (TypeError, ValueError):
            return None

    def put(self, name: str, value: Any) -> None:
        """Keep a JSON-able value or a dataclass; None removes it."""
        if value is None:
            self._database.write(("DELETE FROM facts WHERE name = ?", [name]))
        else:
            self._database.write(
                ("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", [name, json.dumps(plain(value))])
            )

    def _releases(self, where: str, *values: Any) -> list[Released]:
        names = ("version", "slot", "workers", "bento", "models", "settings", "before", "rejected", "id", "at")
        rows = self._database.read(f"SELECT {', '.join(names)} FROM releases {where}", *values)  # noqa: S608 - ours
        told = [dict(zip(names, row, strict=True)) for row in rows]
        return [Released(**{**row, "rejected": bool(row["rejected"])}) for row in told]


def _object(text: Any) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
