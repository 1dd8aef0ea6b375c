"""Two clocks: the wall's, which people and receivers read, and one that no step of the wall's moves."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

__all__ = ["Clock", "SystemClock"]

# Goes on while the machine sleeps, where the system has it; all processes of a machine read the same.
_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """What alerts are timed by."""

    @property
    def boot(self) -> str:
        """Names the run of the machine that `ticks` belongs to."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def ticks(self) -> float:
        """Seconds since the machine started."""
        ...


class SystemClock:
    """The machine's clocks."""

    def __init__(self) -> None:
        self.boot = ""
        with suppress(OSError):
            self.boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()

    def wall(self) -> float:
        """Seconds since the epoch, UTC."""
        return time.time()

    def ticks(self) -> float:
        """Seconds since the machine started."""
        return time.clock_gettime(_SINCE_BOOT)
