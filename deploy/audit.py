"""The audit log: one JSON line for everything that changed something."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.clock import Clock
from deploy.lock import user

__all__ = ["AuditLog"]


class AuditLog:
    """Append-only; a line is written with one write(2), so that lines never mix."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock

    def write(self, command: str, outcome: str, **facts: Any) -> None:
        """Record that `command` ended with `outcome`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        at = datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"at": at, "who": user(), "command": command, "outcome": outcome, **facts}) + "\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def read(self, last: int = 20) -> list[dict[str, Any]]:
        """The last entries, oldest first; a damaged line is passed over."""
        entries = []
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                entries.append(entry)
        return entries[-last:]
