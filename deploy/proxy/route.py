"""The route: which slot is production, what share the canary gets, who stands in for a dead slot.

A route has a name, which is the name of the folder that the proxy's symlink points to. The name holds everything,
so that the link alone is a complete and crash-safe record of the routing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Self

from deploy.errors import UsageError
from deploy.files import parsed
from deploy.slot import Colour, Slot

__all__ = ["Route"]

_FULL = 100
_NAME = re.compile(
    r"r(?P<generation>\d{6,12})\.(?P<production>blue|green)\.w(?P<weight>\d{1,3})\.(?P<canary>on|off)"
    r"\.s(?P<salt>[a-z0-9]{1,16})\.f(none|(?P<spare>blue|green))"
)


@dataclass(frozen=True, slots=True)
class Route:
    """Where requests go.

    `weight` is the canary's share in percent (0-100). `canary` says whether the header and the cookie may choose
    the canary. `spare` is a slot that answers when the production slot refuses connections. `salt` decides which
    clients the share consists of; it changes with every canary release, so that it is not always the same ones.
    """

    generation: int
    production: Colour
    weight: int = 0
    canary: bool = False
    salt: str = "0"
    spare: Colour | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= _FULL:
            raise UsageError(f"weight {self.weight} is not a share: give whole percent from 0 to 100")
        if self.weight and not self.canary:
            raise UsageError(f"weight {self.weight} without a canary: start one first")
        if self.spare == self.production:
            raise UsageError(f"{self.spare} can't stand in for itself")

    @property
    def name(self) -> str:
        """The folder's name."""
        return (
            f"r{self.generation:06d}.{self.production}.w{self.weight}.{'on' if self.canary else 'off'}"
            f".s{self.salt}.f{self.spare or 'none'}"
        )

    @classmethod
    def from_name(cls, name: str) -> Self | None:
        """The route of that name; None when the name is not a route's."""
        found = _NAME.fullmatch(name)
        try:
            return parsed(cls, found.groupdict()) if found else None
        except UsageError:
            return None

    def moved(self, **changes: Any) -> Route:
        """The next route: a new generation, the same but for these fields."""
        return replace(self, generation=self.generation + 1, **changes)

    def closed(self) -> Route:
        """The next one, without a canary."""
        return self.moved(weight=0, canary=False)

    def targets(self) -> tuple[Slot, ...]:
        """The slots that may get requests."""
        return (self.production, "canary") if self.canary else (self.production,)
