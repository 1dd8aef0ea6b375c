"""The journal: what is under way, and what to go back to. Never what is live: that is observed.

The routing is in the proxy's symlink, and what runs is in the runtime's own records. Losing this file therefore
loses no traffic, and `rebuild` makes it anew from what runs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from deploy.disk import Disk
from deploy.slot import COLOURS, Colour, Slot, slot_named

__all__ = ["Operation", "State", "StateFile"]

_FORMAT = 1
_FILE = "state.json"


@dataclass(frozen=True, slots=True)
class Operation:
    """A command under way: `phase` is written before the phase is done.

    `workers_before` is how many replicas the slot had, where the command changes that in place; else 0.
    """

    command: str
    version: str
    slot: Slot
    phase: str
    started_at: float
    owner: int
    workers_before: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """`previous` is the slot that `rollback` switches to, `previous_version` its release.

    `rejected` is the release that a rollback left: it is never a target of another rollback.
    """

    operation: Operation | None = None
    previous: Colour | None = None
    previous_version: str | None = None
    rejected: str | None = None
    ramp: tuple[int, ...] = ()

    def at(self, phase: str) -> State:
        """The same with the operation in `phase`."""
        if self.operation is None:
            raise ValueError(f"phase {phase!r} without an operation")
        return replace(self, operation=replace(self.operation, phase=phase))

    @classmethod
    def from_json(cls, data: Any) -> Self | None:
        """The state; None when `data` is not one."""
        if not isinstance(data, dict) or data.get("format") != _FORMAT:
            return None
        try:
            raw = data["operation"]
            previous = next((colour for colour in COLOURS if colour == data["previous"]), None)
            operation = Operation(**{**raw, "slot": slot_named(raw["slot"])}) if raw else None
            return cls(
                operation, previous, data["previous_version"], data["rejected"], tuple(int(x) for x in data["ramp"])
            )
        except (KeyError, TypeError, ValueError):
            return None

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return {"format": _FORMAT, **asdict(self)}


class StateFile:
    """The state on disk."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def exists(self) -> bool:
        """Whether there is one, damaged or not."""
        return self._disk.read(_FILE) is not None

    def load(self) -> State | None:
        """The state; None when it was lost or is damaged."""
        return State.from_json(self._disk.read_json(_FILE))

    def save(self, state: State) -> None:
        """Write it whole."""
        self._disk.write_json(_FILE, state.to_json())
