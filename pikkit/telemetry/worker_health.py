"""Ends workers that answer no more, and a service that lost workers which nobody starts again.

A worker whose event loop stands still (stopped, deadlocked) keeps its share of the connections waiting: the others
see that its beat does not go on, and kill it. On a host BentoML's master starts a dead worker again. In a container
it does not, and the service would go on with fewer workers for good: there the survivors end the master, so that the
orchestrator starts the container anew.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence

from pikkit.telemetry.logs import get_logger
from pikkit.telemetry.worker_files import Worker

__all__ = ["WorkerHealth", "in_container"]

_LOOK_EVERY_S = 2.0
_STILL = 10  # looks in a row at the same beat
_PATIENCE = 3  # looks in a row with too few workers
_START_PATIENCE = 15  # the same while not all have been there yet

_log = get_logger("pikkit.workers")


def in_container() -> bool:
    """Whether BentoML was started in its own container image, where it respawns nothing."""
    return bool(os.environ.get("BENTOML_CONTAINERIZED"))


class WorkerHealth:
    """Watches the workers of an instance, from within each of them."""

    def __init__(
        self,
        alive: Callable[[], Sequence[Worker]],
        expected: int,
        *,
        ended: Callable[[], None],
        end_worker: Callable[[int], None] | None = None,
        end_service: Callable[[], None] | None = None,
        myself: int | None = None,
    ) -> None:
        """Make one; it does nothing before `start`.

        Args:
            alive: the workers that live, this one among them.
            expected: how many there should be.
            ended: told of each worker that this one ended.
            end_worker: by process id; default: SIGKILL, as one that stands still hears nothing else.
            end_service: where nobody starts lost workers again; default: in a container SIGTERM to the master, which
                lets requests in progress finish, elsewhere nothing.
            myself: process id of this worker.
        """
        self._alive = alive
        self._expected = expected
        self._ended = ended
        self._end_worker = end_worker or _kill
        self._end_service = end_service or (_end_master if in_container() else None)
        self._myself = myself if myself is not None else os.getpid()
        self._beats: dict[int, tuple[int, int]] = {}
        self._complete = False
        self._missed = 0
        self._ending = threading.Event()

    def start(self) -> None:
        """Watch from now on, in a thread."""
        threading.Thread(target=self._run, name="worker-health", daemon=True).start()

    def stop(self) -> None:
        """Stop watching: workers that end now are meant to."""
        self._ending.set()

    def look(self) -> None:
        """Look once; acts on what several looks in a row have found."""
        workers = self._alive()
        self._end_still(workers)
        if self._end_service is None:
            return
        if len(workers) >= self._expected:
            self._complete, self._missed = True, 0
        else:
            self._missed += 1
            if self._missed == (_PATIENCE if self._complete else _START_PATIENCE):
                _log.error(
                    "workers died and nobody starts them again: stopping", alive=len(workers), expected=self._expected
                )
                self._end_service()

    def _end_still(self, workers: Sequence[Worker]) -> None:
        """End those whose beat stands still while this worker's own goes on.

        So none is ended because of what holds for all: a pause of the machine, a disk that takes no writes.
        """
        seen: dict[int, tuple[int, int]] = {}
        for pid, state, beat in workers:
            if "start_s" in state:  # else it is still starting
                before, looks = self._beats.get(pid, (beat, 0))
                seen[pid] = (beat, looks + 1 if beat == before else 1)
        self._beats = seen
        if seen.get(self._myself, (0, 0))[1] != 1:
            return
        for pid, (_, looks) in seen.items():
            if looks >= _STILL:
                _log.error("a worker answers no more: ending it", pid=pid, seconds=_STILL * _LOOK_EVERY_S)
                self._ended()
                self._end_worker(pid)
                del self._beats[pid]
                return

    def _run(self) -> None:
        self.look()
        while not self._ending.wait(_LOOK_EVERY_S):
            self.look()


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _end_master() -> None:
    os.kill(os.getppid(), signal.SIGTERM)
