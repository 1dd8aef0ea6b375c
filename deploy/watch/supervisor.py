"""The process that `up` leaves running: starts slots and Nginx again when they die, rotates logs, writes targets.

It looks at what deploys have marked as kept, and never at a candidate, so it and a running command don't meet.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import psutil

from deploy.errors import DeployError
from deploy.files import read_json, write_json
from deploy.flow.stack import Machine
from deploy.processes import ProcessId
from deploy.proxy.nginx import NginxRouter
from deploy.proxy.route import Route
from deploy.slot import SLOTS
from deploy.slots.processes import ProcessRuntime
from deploy.watch.targets import write_targets

__all__ = ["Supervisor", "start_supervisor", "stop_supervisor", "supervisor_process"]

_PERIOD_S = 0.5
_ENGINE_PERIOD_S = 5.0  # an engine starts its containers again by itself, and each look at one starts its client
_FILE = "supervisor.json"


class Supervisor:
    """`run` returns after SIGTERM or SIGINT; slots and Nginx go on without it."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._stopping = False

    def run(self) -> None:
        """Look around twice a second; now and then where an engine does the most of it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        own = ProcessId.own()
        write_json(self._path, {"pid": own.pid, "started_at": own.started_at})
        self._machine.progress.say("supervising; Ctrl-C ends the supervisor, not the service")
        clock, next_look = self._machine.clock, 0.0
        while not self._stopping:
            if clock.monotonic() >= next_look:
                self.look()
                next_look = clock.monotonic() + (_PERIOD_S if self._by_process else _ENGINE_PERIOD_S)
            clock.sleep(_PERIOD_S)
        self._path.unlink(missing_ok=True)

    def look(self) -> None:
        """Once around."""
        machine = self._machine
        for slot in SLOTS:
            with contextlib.suppress(DeployError):
                if machine.runtime.heal(slot):
                    seen = machine.runtime.observe(slot)
                    machine.audit.write("supervise", "restarted", slot=slot, version=seen.version)
                    machine.progress.say(f"{slot} had died and was started again")
        if not self._command_at_work():
            self._heal_router()
        self._rotate()
        write_targets(machine)

    @property
    def _by_process(self) -> bool:
        return isinstance(self._machine.runtime, ProcessRuntime)

    @property
    def _path(self) -> Path:
        return self._machine.settings.run_dir / _FILE

    def _heal_router(self) -> None:
        """Start a dead Nginx; give it back a link that was lost."""
        machine = self._machine
        if self._by_process and not (machine.settings.run_dir / "nginx" / "master.json").exists():
            return  # it was stopped on purpose
        with contextlib.suppress(DeployError):
            if not machine.router.running():
                if not self._by_process:
                    return  # its engine starts it again, or it was stopped on purpose
                machine.router.reconcile(machine.runtime.addresses())
                machine.audit.write("supervise", "restarted", slot="nginx")
                machine.progress.say("Nginx had died and was started again")
            route = machine.router.get()
            if route is None:
                self._restore_route()
            else:
                write_json(machine.settings.run_dir / "last-route.json", {"route": route.name})

    def _restore_route(self) -> None:
        data = read_json(self._machine.settings.run_dir / "last-route.json")
        route = Route.from_name(str(data.get("route"))) if isinstance(data, dict) else None
        if route:
            self._machine.router.set(route)
            self._machine.audit.write("supervise", "route restored", route=route.name)

    def _command_at_work(self) -> bool:
        return self._machine.lock("supervise").holder() is not None

    def _rotate(self) -> None:
        machine = self._machine
        limit = machine.settings.log_bytes
        if isinstance(machine.runtime, ProcessRuntime):
            for slot in SLOTS:
                machine.runtime.rotate_logs(slot, limit)
        if isinstance(machine.router, NginxRouter):
            machine.router.process.rotate_logs(limit)

    def _stop(self, _: int, __: FrameType | None) -> None:
        self._stopping = True


def supervisor_process(run_dir: Path) -> ProcessId | None:
    """The supervisor that runs; None when none does."""
    data = read_json(run_dir / _FILE)
    if not isinstance(data, dict):
        return None
    process = ProcessId(int(data["pid"]), float(data["started_at"]))
    return process if process.alive() else None


def start_supervisor(run_dir: Path, command: Sequence[str]) -> bool:
    """Leave one running, detached; returns whether it had to be started."""
    if supervisor_process(run_dir):
        return False
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / "supervisor.log").open("ab") as log:
        child = subprocess.Popen(
            list(command), stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
        )
    process = ProcessId.of(child.pid)
    if process:
        write_json(run_dir / _FILE, {"pid": process.pid, "started_at": process.started_at})
    child.returncode = 0  # it outlives this command: not to be waited for
    return True


def stop_supervisor(run_dir: Path) -> bool:
    """End it; returns whether there was one."""
    process = supervisor_process(run_dir)
    if process is None:
        return False
    with contextlib.suppress(psutil.Error):
        running = psutil.Process(process.pid)
        running.terminate()
        running.wait(10)
    return True
