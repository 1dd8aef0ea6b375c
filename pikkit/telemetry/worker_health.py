"""Stops a service that lost workers which nobody starts again.

On a host BentoML's master starts a dead worker again. In a container it does not, and the service would go on with
fewer workers for good: there the survivors end the master, so that the orchestrator starts the container anew.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

from pikkit.telemetry.logs import get_logger

__all__ = ["Strength", "in_container"]

_LOOK_EVERY_S = 2.0
_PATIENCE = 3  # looks in a row with too few workers
_START_PATIENCE = 15  # the same while not all have been there yet

_log = get_logger("pikkit.workers")


def in_container() -> bool:
    """Whether BentoML was started in its own container image, where it respawns nothing."""
    return bool(os.environ.get("BENTOML_CONTAINERIZED"))


class Strength:
    """Watches the number of living workers."""

    def __init__(self, alive: Callable[[], int], expected: int, *, end: Callable[[], None] | None = None) -> None:
        """Make one; it does nothing before `start`.

        Args:
            alive: how many workers live.
            expected: how many there should be.
            end: ends the service; default: SIGTERM to the master, which lets requests in progress finish.
        """
        self._alive = alive
        self._expected = expected
        self._end = end or _end_master
        self._complete = False
        self._missed = 0
        self._ending = threading.Event()

    def start(self) -> None:
        """Watch from now on, in a thread."""
        threading.Thread(target=self._run, name="strength", daemon=True).start()

    def stop(self) -> None:
        """Stop watching: workers that end now are meant to."""
        self._ending.set()

    def look(self) -> None:
        """Look once; ends the service when workers have been missing for several looks."""
        alive = self._alive()
        if alive >= self._expected:
            self._complete, self._missed = True, 0
        else:
            self._missed += 1
            if self._missed == (_PATIENCE if self._complete else _START_PATIENCE):
                _log.error("workers died and nobody starts them again: stopping", alive=alive, expected=self._expected)
                self._end()

    def _run(self) -> None:
        self.look()
        while not self._ending.wait(_LOOK_EVERY_S):
            self.look()


def _end_master() -> None:
    os.kill(os.getppid(), signal.SIGTERM)
