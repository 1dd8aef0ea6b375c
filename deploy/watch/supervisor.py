"""The process that `up` leaves running: starts slots and Nginx again when they die, and does what nobody types.

It looks at what deploys have marked as kept, and never at a candidate, so it and a running command don't meet. Nothing
that it finds, and no full disk, ends it.
"""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from deploy.errors import DeployError, Locked
from deploy.files import Record
from deploy.flow import ramping
from deploy.flow.recovery import recover
from deploy.flow.stack import Stack
from deploy.processes import ProcessId, detached
from deploy.proxy.route import Route
from deploy.slot import SLOTS, Slot
from deploy.watch.observation import Observation, write_targets

__all__ = ["Supervisor", "start_supervisor", "stop_supervisor", "supervisor_process"]

_PERIOD_S = 0.5
_ENGINE_PERIOD_S = 5.0  # an engine starts its containers again by itself, and each look at one starts its client
_CERTIFICATE_PERIOD_S = 60.0
_PROBE_PERIOD_S = 15.0
_COUNT_PERIOD_S = 5.0


class Supervisor:
    """`run` returns after SIGTERM or SIGINT; slots and Nginx go on without it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._observation = Observation(stack)
        self._stopping = False
        self._due: dict[str, float] = {}
        self._looked: float | None = None
        self._said: dict[str, str] = {}

    def run(self) -> None:
        """Look around twice a second; now and then where an engine does the most of it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        record = _record(self._stack.settings.run_dir)
        record.write(ProcessId.own())
        self._stack.progress.say("supervising; Ctrl-C ends the supervisor, not the service")
        period = _PERIOD_S if self._stack.runtime.name == "process" else _ENGINE_PERIOD_S
        while not self._stopping:
            if self._is_due("look", period):
                self.look()
            self._stack.clock.sleep(_PERIOD_S)
        record.remove()

    def look(self) -> None:
        """Once around."""
        self._safely("keep", self._keep_what_serves)
        for slot in SLOTS:
            self._safely(f"heal {slot}", self._heal, slot)
        self._safely("proxy", self._heal_router)
        self._safely("rotate", self._stack.runtime.rotate_logs, self._stack.settings.log_bytes)
        self._safely("rotate proxy", self._stack.router.rotate_logs, self._stack.settings.log_bytes)
        self._safely("targets", write_targets, self._stack)
        if self._is_due("probe", _PROBE_PERIOD_S):
            self._safely("probe", self._observation.probe)
        if self._is_due("count", _COUNT_PERIOD_S):
            self._safely("count", self._observation.count)
        if self._is_due("judge", self._stack.settings.judge_interval):
            self._safely("judge", self._judge)
        if self._stack.settings.tls_certificate and self._is_due("certificate", _CERTIFICATE_PERIOD_S):
            self._safely("certificate", self._renew)

    def _keep_what_serves(self) -> None:
        """What has the traffic is kept, also where the command that moved it there had no room to note that."""
        stack = self._stack
        route = stack.router.get()
        owner = stack.lock("supervise").holder()
        stopping = owner is not None and owner.command.startswith("deploy stop")
        for slot in route.targets() if route and not stopping else ():
            seen = stack.runtime.observe(slot)
            if seen.running and not seen.kept:
                stack.runtime.keep(slot, kept=True)

    def _heal(self, slot: Slot) -> None:
        if self._stack.runtime.heal(slot):
            version = self._stack.runtime.observe(slot).version
            self._note("restarted", f"{slot} had died and was started again", slot=slot, version=version)

    def _heal_router(self) -> None:
        """Start a dead Nginx; give it back a link that was lost."""
        stack = self._stack
        if self._at_work() or not stack.router.wanted():
            return
        if not stack.router.running():
            stack.router.reconcile()
            self._note("restarted", "Nginx had died and was started again", slot="nginx")
        route = stack.router.get()
        if route is not None:
            if stack.journal.fact("route") != route.name:
                stack.journal.put("route", route.name)
            return
        last = Route.from_name(str(stack.journal.fact("route")))
        if last:
            stack.router.set(last)
            self._note("route restored", f"the route {last.name} was put back", route=last.name)

    def _judge(self) -> None:
        stack = self._stack
        if stack.ramp is None and not stack.journal.fact("watch"):
            self._looked = None
            return
        now = stack.clock.monotonic()
        seconds = now - self._looked if self._looked is not None else 0.0
        with stack.lock("supervise"):
            recover(stack)
            said = ramping.look_at_ramp(stack, seconds) or ramping.look_at_promotion(stack, seconds)
        self._looked = now
        if said:
            stack.progress.say(said)

    def _renew(self) -> None:
        """A certificate that was renewed is another configuration."""
        if not self._at_work() and self._stack.router.running():
            self._stack.router.reconcile()

    def _at_work(self) -> bool:
        return self._stack.lock("supervise").holder() is not None

    def _note(self, outcome: str, said: str, **facts: object) -> None:
        self._stack.journal.write("supervise", outcome, **facts)
        self._stack.progress.say(said)
        self._stack.tell(said)

    def _safely(self, name: str, look: Callable[..., None], *arguments: object) -> None:
        """What goes wrong is told once, and met again at the next look."""
        try:
            look(*arguments)
        except Locked:
            return  # by a command: next time
        except Exception as error:  # noqa: BLE001 - the supervisor outlives every fault of its own
            if self._said.get(name) != repr(error):
                self._said[name] = repr(error)
                expected = isinstance(error, DeployError | OSError)
                told = str(error) if expected else "".join(traceback.format_exception(error))
                self._stack.progress.say(f"{name}: {told}")
        else:
            self._said.pop(name, None)

    def _is_due(self, name: str, period: float) -> bool:
        now = self._stack.clock.monotonic()
        if now < self._due.get(name, 0.0):
            return False
        self._due[name] = now + period
        return True

    def _stop(self, _: int, __: FrameType | None) -> None:
        self._stopping = True


def _record(run_dir: Path) -> Record[ProcessId]:
    return Record(run_dir / "supervisor.json", ProcessId)


def supervisor_process(run_dir: Path) -> ProcessId | None:
    """The supervisor that runs; None when none does."""
    process = _record(run_dir).read()
    return process if process and process.alive() else None


def start_supervisor(run_dir: Path, command: Sequence[str]) -> bool:
    """Leave one running, detached; returns whether it had to be started."""
    if supervisor_process(run_dir):
        return False
    process = ProcessId.of(detached(command, run_dir / "supervisor.log"))
    if process:
        _record(run_dir).write(process)
    return True


def stop_supervisor(run_dir: Path) -> None:
    """End it, if there is one."""
    process = supervisor_process(run_dir)
    if process:
        process.signal(signal.SIGTERM)
        if not process.wait(10):
            process.signal(signal.SIGKILL)
            process.wait(5)
