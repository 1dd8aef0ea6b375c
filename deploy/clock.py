"""Time, asked for in one place: tests of long ramps have a clock of their own, and take no time."""

from __future__ import annotations

import time

__all__ = ["Clock"]


class Clock:
    """The machine's own."""

    def now(self) -> float:
        """Seconds since the epoch (UTC)."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
