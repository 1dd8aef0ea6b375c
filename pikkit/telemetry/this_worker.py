"""This process as one of the workers of its instance: what it tells the others of itself, and how often."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from threading import get_ident
from typing import Any

import psutil

from pikkit.telemetry.series import Series
from pikkit.telemetry.worker_files import Look, Worker, WorkerFiles

__all__ = ["ThisWorker"]

_PAUSE_S = 0.02  # a worker that is killed takes that much of its counts along
_PARTS = 5  # of it, after each of which is counted what came in it: all at once would hold requests up
_BEAT_S = 1.0
_MEASURE_EVERY = 5  # beats


class ThisWorker:
    """Its series and its state (plain JSON values by name), told to the others by a file."""

    def __init__(self, series: Series, folder: Path | None) -> None:
        """`folder`: shared by the workers of the instance; None where this process is all of it."""
        self._series = series
        self._files = WorkerFiles(folder) if folder else None
        self._process = psutil.Process()
        self._state: dict[str, Any] = {"started": time.time()}
        self._cpu = series.counter("process_cpu_seconds_total", "CPU time of all workers, user and system").of()
        self._cpu_told = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self.is_due = False  # whether the others are told in an instant anyway
        self._beats = 0

    def join(self) -> None:
        """Count this process as a worker from now until it ends."""
        if self._files:
            self._files.join()
            self.measure()
            self.flush()

    def start(self) -> None:
        """From now on the running event loop tells the others what is counted, an instant later."""
        self._loop = asyncio.get_running_loop()
        self._thread = get_ident()
        self.say(start_s=time.time() - self._process.create_time())
        self._beat()

    def say(self, **news: Any) -> None:
        """Tell the others something new of this worker."""
        self._state.update(news)
        self.flush()

    def note(self, **news: Any) -> None:
        """Tell it when the others are told next."""
        self._state.update(news)

    def said(self, name: str) -> Any:
        """What this worker said last under this name."""
        return self._state.get(name)

    def flush(self) -> None:
        """Tell the others now."""
        self.is_due = False
        if self._files:
            self._files.publish(self._series.dump(), dict(self._state))

    def flush_soon(self) -> None:
        """Tell them in an instant, together with what is counted until then. In other threads: by the next beat."""
        if not self.is_due and self._loop is not None and get_ident() == self._thread:
            self.is_due = True
            self._count_in_parts(self._loop, _PARTS - 1)

    def _count_in_parts(self, loop: asyncio.AbstractEventLoop, more: int) -> None:
        if more < _PARTS - 1:
            self._series.settle()
        loop.call_later(_PAUSE_S / _PARTS, *((self._count_in_parts, loop, more - 1) if more else (self.flush,)))

    def beat(self) -> None:
        """Tell the others that this worker goes on, and what it counted in any thread."""
        if self._beats % _MEASURE_EVERY == 0:
            self.measure()
        self._beats += 1
        if self._files:
            self._files.beat()
            self.flush()

    def alive(self) -> list[Worker]:
        """The living workers, this one among them."""
        return self._files.alive() if self._files else [Worker(os.getpid(), self._state)]

    def look(self) -> tuple[list[Mapping[str, Any]], Look]:
        """States of the living workers, this one first; what the others counted. Reads files: call it in a thread."""
        self.measure()
        look = self._files.look() if self._files else Look()
        return [dict(self._state), *(worker.state for worker in look.alive)], look

    def measure(self) -> None:
        """Take CPU time, memory and open files of this process."""
        times = os.times()
        used = times.user + times.system
        self._cpu.inc(used - self._cpu_told)
        self._cpu_told = used
        self._state.update(resident=self._process.memory_info().rss, fds=self._process.num_fds())

    def _beat(self) -> None:
        if self._loop:
            self.beat()
            self._loop.call_later(_BEAT_S, self._beat)
