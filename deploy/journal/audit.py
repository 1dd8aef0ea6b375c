"""The audit log: one JSON line for everything that changed something."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from deploy.clock import Clock
from deploy.disk import Disk
from deploy.journal.lock import user

__all__ = ["AuditLog"]

_FILE = "audit.jsonl"


class AuditLog:
    """Append-only."""

    def __init__(self, disk: Disk, clock: Clock) -> None:
        self._disk = disk
        self._clock = clock

    def write(self, command: str, outcome: str, **facts: Any) -> None:
        """Record that `command` ended with `outcome`."""
        at = datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"at": at, "who": user(), "command": command, "outcome": outcome, **facts})
        self._disk.append(_FILE, line)

    def read(self, last: int = 20) -> list[dict[str, Any]]:
        """The last entries, oldest first; a damaged line is passed over."""
        entries = []
        for line in (self._disk.read(_FILE) or "").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                entries.append(entry)
        return entries[-last:]
