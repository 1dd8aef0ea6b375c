"""The port to whatever runs the slots. The phases know nothing else of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from deploy.release.release import Release
from deploy.slot import Slot

__all__ = ["LOG_HEADER", "Observed", "Runtime"]

LOG_HEADER = "== release "  # begins the line that a runtime may write to a slot's log at each start


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen of a slot, just now.

    `version` is that of the release it was started with. `kept` tells whether it is started again when it dies;
    `restarts` counts how often that happened since `start`.
    """

    slot: Slot
    running: bool
    version: str | None = None
    workers: int = 0
    pid: int | None = None
    kept: bool = False
    restarts: int = 0


class Runtime(Protocol):
    """Starts, stops and observes slots."""

    name: str

    def start(self, slot: Slot, release: Release, *, workers: int, models_from: Slot | None = None) -> None:
        """Start `release` in `slot`, which must be stopped; returns at once.

        `models_from` names a slot whose current model set is carried over in place of the release's own.

        Raises:
            DeployError: it can't be started (port taken, no such image, …).
        """
        ...

    def keep(self, slot: Slot, *, kept: bool) -> None:
        """From now on start the slot again when it dies (or no longer)."""
        ...

    def stop(self, slot: Slot, *, grace_s: float) -> None:
        """Let requests in flight finish up to `grace_s`, then end it with all that belongs to it.

        Stopping what does not run is no error.
        """
        ...

    def observe(self, slot: Slot) -> Observed:
        """What runs in the slot now."""
        ...

    def heal(self, slot: Slot) -> bool:
        """Start a kept slot that died; returns whether it did. Runtimes that restart by themselves do nothing."""
        del slot
        return False

    def revive(self, slot: Slot) -> None:
        """Start what the slot last held, with the model set that it last had, and keep it.

        Raises:
            DeployError: nothing is known of it, or it can't be started.
        """
        ...

    def base_url(self, slot: Slot) -> str:
        """Where this machine reaches the slot, e.g. `http://127.0.0.1:8001`; its workers share the port."""
        ...

    def log_lines(self, slot: Slot, last: int) -> Sequence[str]:
        """The last lines that the slot wrote."""
        ...

    def follow(self, slot: Slot) -> Iterator[str]:
        """The lines that the slot writes from now on."""
        ...

    def rotate_logs(self, limit: int) -> None:
        """Keep logs from growing over `limit` bytes, where nothing else does."""
        del limit
