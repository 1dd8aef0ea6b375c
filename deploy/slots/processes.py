"""Slots as processes of this machine: `bentoml serve` on loopback, detached, each with a record and a log."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from deploy import processes
from deploy.clock import Clock
from deploy.errors import DeployError
from deploy.files import Record, Tail, fill, rotate
from deploy.processes import ProcessId
from deploy.release.release import Release
from deploy.settings import DeploySettings
from deploy.slot import SLOTS, Slot
from deploy.slots.port import LOG_HEADER, Observed, Runtime

__all__ = ["ProcessRuntime", "serve_command"]

KEEP_ALIVE_S = 75  # above the proxy's upstream keep-alive (60 s), so that it never reuses a connection that ends
_LONGEST_WAIT_S = 30.0
_MARK = "PIKKIT_SLOT"
_NOT_INHERITED = ("PIKKIT_RUNTIME_DIR", "PROMETHEUS_MULTIPROC_DIR", "BENTOML_CONTAINERIZED")


def serve_command(release: Release, port: int) -> list[str]:
    """The command line that serves the Bento of `release`."""
    line = [sys.executable, "-m", "bentoml", "serve", release.tag, "--host", "127.0.0.1", "--port", str(port)]
    return [*line, "--timeout-keep-alive", str(KEEP_ALIVE_S), "--timeout-graceful-shutdown", "35"]


@dataclass(frozen=True, slots=True)
class _Record:
    """What was started: enough to find it and to start it again. Written anew at each start."""

    version: str
    command: list[str]
    environment: dict[str, str]
    workers: int
    process: ProcessId | None = None
    kept: bool = False
    restarts: int = 0
    last_restart: float = 0.0
    in_a_row: int = 0  # restarts, each soon after the one before


class ProcessRuntime(Runtime):
    """`environment` is what slots inherit beside this process' own; `command` builds their command line."""

    name = "process"

    def __init__(
        self,
        settings: DeploySettings,
        clock: Clock,
        *,
        environment: Mapping[str, str],
        command: Callable[[Release, int], list[str]] = serve_command,
    ) -> None:
        self._settings = settings
        self._environment = dict(environment)
        self._command = command
        self._clock = clock
        self._children: set[int] = set()
        self._records = {slot: Record(self.folder(slot) / "process.json", _Record) for slot in SLOTS}

    def folder(self, slot: Slot) -> Path:
        """Where the slot's record, log and models lie."""
        return self._settings.run_dir / "slots" / slot

    def models_dir(self, slot: Slot) -> Path:
        """MODEL_DIR of the slot: what is put there is loaded by the running service."""
        return self.folder(slot) / "models"

    def start(self, slot: Slot, release: Release, *, workers: int, models_from: Slot | None = None) -> None:
        """Start `bentoml serve` for `release`."""
        processes.require_free(self._settings.port(slot), of=slot)
        own = Path(release.models_dir) if release.models_dir else None
        fill(self.models_dir(slot), self.models_dir(models_from) if models_from else own)
        port = self._settings.port(slot)
        environment = {
            "DEPLOYMENT": slot,
            "PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "APP_VERSION": release.version,
            "WORKERS": str(workers),
            "MODEL_DIR": str(self.models_dir(slot)),
            "BENTOML_DO_NOT_TRACK": "true",
            "OMP_NUM_THREADS": "1",
            _MARK: str(self.folder(slot)),
        }
        record = _Record(release.version, self._command(release, port), environment, workers)
        if not self._records[slot].write(record):  # nobody could start it again: that is no candidate for production
            raise DeployError(f"{self._records[slot].path} can't be written, so {slot} is not started: see to the disk")
        self._launch(slot, record)

    def keep(self, slot: Slot, *, kept: bool) -> None:
        """Whether the supervisor starts the slot again when it dies."""
        record = self._records[slot].read()
        if record and record.kept != kept:
            self._records[slot].write(replace(record, kept=kept))

    def stop(self, slot: Slot, *, grace_s: float) -> None:
        """End the slot with all of its workers; also what an interrupted command left there."""
        self.keep(slot, kept=False)
        processes.end(self._mark(slot), self._master(slot), grace_s)
        self._reap()

    def observe(self, slot: Slot) -> Observed:
        """What the record and the process table say; the process table is believed."""
        self._reap()
        record = self._records[slot].read()
        master = self._master(slot)
        pid = master.pid if master and master.alive() else None
        if record:
            seen = record.version, record.workers, pid, record.kept, record.restarts
            return Observed(slot, pid is not None, *seen)
        told: dict[str, str] = {}
        with contextlib.suppress(psutil.Error, IndexError):
            told = processes.marked(self._mark(slot))[0].environ() if pid else {}
        return Observed(slot, pid is not None, told.get("APP_VERSION"), int(told.get("WORKERS", "0")), pid)

    def heal(self, slot: Slot) -> bool:
        """Start a kept slot that died, with the same models; one that dies soon after each start, ever more slowly."""
        record = self._records[slot].read()
        if record and not self._records[slot].written:
            self._records[slot].write(record)  # there may be room again
        if record is None or not record.kept or self.observe(slot).running:
            return False
        wait = min(_LONGEST_WAIT_S, 0.5 * 2 ** min(record.in_a_row, 6)) if record.in_a_row else 0.0
        if 0 <= self._clock.monotonic() - record.last_restart < wait:  # negative: of before a reboot
            return False
        self.revive(slot)
        return True

    def revive(self, slot: Slot) -> None:
        """Start what the slot's record names, with the models that it last had.

        Raises:
            DeployError: there is no record, or the port is taken.
        """
        record = self._records[slot].read()
        if record is None:
            raise DeployError(f"nothing is known of what ran in {slot}: use `deploy --version`")
        processes.end(self._mark(slot), None, 0)  # workers that outlived their master hold the port
        processes.require_free(self._settings.port(slot), of=slot)
        now = self._clock.monotonic()
        soon = 0 <= now - record.last_restart < 2 * _LONGEST_WAIT_S
        in_a_row = record.in_a_row + 1 if soon else 0
        restarts = record.restarts + 1
        self._launch(slot, replace(record, kept=True, restarts=restarts, last_restart=now, in_a_row=in_a_row))

    def base_url(self, slot: Slot) -> str:
        """On loopback."""
        return f"http://{self._settings.slot_address(slot)}"

    def log_lines(self, slot: Slot, last: int) -> Sequence[str]:
        """The end of the log."""
        try:
            with self._log(slot).open(errors="replace") as log:
                return [line.rstrip("\n") for line in deque(log, last)]
        except FileNotFoundError:
            return ()

    def follow(self, slot: Slot) -> Iterator[str]:
        """Lines as they come, until the caller has enough."""
        log = Tail(self._log(slot))
        while True:
            yield from log.read()
            time.sleep(0.2)

    def rotate_logs(self, limit: int) -> None:
        """Copy a log over `limit` bytes aside and empty it: the process appends, so it goes on at the start."""
        for slot in SLOTS:
            rotate(self._log(slot), limit, emptied=True)

    def _launch(self, slot: Slot, record: _Record) -> None:
        environment = {
            **{name: value for name, value in os.environ.items() if name not in _NOT_INHERITED},
            **self._environment,
            **record.environment,
        }
        self._records[slot].write(replace(record, process=None))  # first, so that a crash leaves a trace
        head = f"{LOG_HEADER}{record.version} in {slot}\n"
        pid = processes.detached(
            record.command, self._log(slot), head=head, folder=self.folder(slot), environment=environment
        )
        self._children.add(pid)  # _reap collects it if it does not outlive this command
        process = ProcessId.of(pid)
        if process:
            self._records[slot].write(replace(record, process=process))

    def _master(self, slot: Slot) -> ProcessId | None:
        record = self._records[slot].read()
        recorded = record.process if record else None
        if recorded and recorded.alive():
            return recorded
        if (record is None or recorded) and processes.is_free(self._settings.port(slot)):
            return recorded  # only what was just being started may not listen yet: it has a record, without a process
        found = processes.marked(self._mark(slot))
        if recorded:  # dead; workers that outlived it are no running slot. One started since, while the disk took no
            # record, is: only masters work in the slot's folder
            found = processes.living(lambda process: processes.works_in(self.folder(slot), process), found)
        return processes.leader(found)

    def _mark(self, slot: Slot) -> str:
        return f"{_MARK}={self.folder(slot)}"

    def _log(self, slot: Slot) -> Path:
        return self.folder(slot) / "service.log"

    def _reap(self) -> None:
        for pid in list(self._children):
            try:
                done, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                done = pid
            if done:
                self._children.discard(pid)
