"""Random operations, and kills of anything of ours, under keep-alive POST load: `make storm` for twenty minutes.

STORM_SECONDS (default 15) and STORM_SEED choose how long and which storm, STORM_KINDS what is dealt (names of methods:
deploy,rollback,full; by default all); its figures are printed, and why it ended early in one line. STORM_LONGEST_S is
how long requests may fail beside a kill: a machine that does other things too needs longer to start what was killed.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from deploy.errors import DeployError, UsageError
from deploy.files import parsed, read_json
from deploy.flow import operations
from deploy.processes import ProcessId
from deploy.watch.supervisor import supervisor_process
from tests.support.deploy_load import Tally
from tests.support.deploy_rig import Rig
from tests.support.waiting import PATIENCE_S, eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]

VERSIONS = ("1", "2", "3", "4")
CLIENTS = 32
LONGEST_S = float(os.environ.get("STORM_LONGEST_S", "120"))
PHASES = ("build", "claim", "start", "wait", "smoke", "warm", "switch", "record", "drain")
STEPS_S = (-86_400, -3_600, -1, 1, 3_600, 86_400)
ROOM = "24m"


class Broken(Exception):
    """What must not happen in a storm, in a line."""


@dataclass
class Storm:
    """What was done how often, and what it cost: failures beside an operation, and beside a kill with its seconds."""

    rig: Rig
    tally: Tally
    luck: random.Random
    done: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    longest_s: dict[str, float] = field(default_factory=dict)
    stepped: int = 0
    rounds: int = 0

    def rage(self, dealt: list[Callable[[], None]], seconds: float) -> str | None:
        """One after the other, in ever new order; why it ended early."""
        deck: list[Callable[[], None]] = []
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.rounds += 1
                if not deck:
                    deck = self.luck.sample(dealt, len(dealt))
                with contextlib.suppress(httpx.HTTPError, DeployError):
                    deck.pop()()
                self.check()
        except Broken as error:
            return str(error)
        if self.tally.failed != self.lost.total():
            return f"{self.tally.failed - self.lost.total()} requests failed between operations"
        return None

    def figures(self) -> str:
        """For people, and for docs/deploy.md."""
        beside = self.lost.total()
        lines = [
            f"\n{self.tally.requests} requests, {self.rounds} rounds, {self.tally.failed} failed, {beside} beside kills"
        ]
        for name, count in sorted(self.done.items()):
            cost = f", {self.lost[name]} failed, for at most {self.longest_s[name]:.1f} s" if self.lost[name] else ""
            lines.append(f"{count:5} {name}{cost}")
        return "\n".join([*lines, ""])

    def calm(self, name: str, work: Callable[[], object]) -> None:
        """An operation that nobody may notice."""
        before = self.tally.failed
        with contextlib.suppress(UsageError):
            work()
            self.done[name] += 1
        if self.tally.failed != before:
            raise Broken(f"{self.tally.failed - before} requests failed beside {name}: {dict(self.tally.failures)}")

    def kill(self, name: str, process: ProcessId | None) -> None:
        """What was in hand there fails, and what comes before it is back."""
        if process is None:
            return
        before, begin = self.tally.failed, time.monotonic()
        process.signal(signal.SIGKILL)
        process.wait(60)
        last = begin
        quiet = self.tally.failed
        while time.monotonic() - last < 1.5 or not self.well():
            if self.tally.failed != quiet:
                quiet, last = self.tally.failed, time.monotonic()
            if time.monotonic() - begin > PATIENCE_S:
                raise Broken(f"not well {PATIENCE_S:g} s after {name}: {self.state()}")
            time.sleep(0.05)
        self.done[name] += 1
        if self.tally.failed != before:
            self.lost[name] += self.tally.failed - before
            self.longest_s[name] = max(self.longest_s.get(name, 0), last - begin)

    def well(self) -> bool:
        status = self.rig.status()
        return bool(status["proxy"] == "running" and status["slots"][status["production"]]["health"] == "healthy")

    def state(self) -> str:
        status = self.rig.status()
        slots = {slot: f"{seen['version']} {seen['role']} {seen['health']}" for slot, seen in status["slots"].items()}
        return f"proxy {status['proxy']}, {slots}, supervisor {status['supervisor']}, {status['faults']}"

    def check(self) -> None:
        """`status` is true, once Nginx has tried again what it found dead (within a second or two)."""

        def told_truly() -> bool:
            status = self.rig.status()
            answer = self.rig.client.get(f"{self.rig.url}/health", headers={"x-deployment-target": "production"})
            version = status["slots"][status["production"]]["version"]
            return (answer.headers["x-served-by"], answer.json()["version"]) == (status["production"], version)

        try:
            eventually(told_truly)
        except AssertionError as error:
            raise Broken(f"another slot or release answers than status tells: {self.state()}") from error

    def deploy(self) -> None:
        version = self.luck.choice(VERSIONS)
        self.calm("deploy", lambda: self.rig.do(operations.deploy, version))

    def canary(self) -> None:
        version, weight = self.luck.choice(VERSIONS), self.luck.choice((0, 10, 50))
        self.calm("canary", lambda: self.rig.do(operations.canary, version, weight=weight))

    def promote(self) -> None:
        self.calm("promote", lambda: self.rig.do(operations.promote, force=True))

    def scale(self) -> None:
        slot, workers = self.rig.stack().route().production, self.luck.choice((1, 2))
        self.calm("scale", lambda: self.rig.do(operations.scale, slot, workers))

    def rollback(self) -> None:
        self.calm("rollback", lambda: self.rig.do(operations.rollback))

    def abort(self) -> None:
        self.calm("abort", lambda: self.rig.do(operations.abort))

    def clock(self) -> None:
        """Stepped to and fro, while the supervisor looks on and a command is run."""
        self.stepped += self.luck.choice(STEPS_S)

        def step() -> None:
            (self.rig.releases / "clock").write_text(str(self.stepped))
            self.rig.run("status", code=None)
            time.sleep(1)

        self.calm("step of the clock", step)

    def full(self) -> None:
        """Commands end with a line and a code, what serves may be killed, and all is well once there is room again."""
        with self._filled():
            for words in (["rollback"], ["deploy", "--version", self.luck.choice(VERSIONS)]):
                self.calm(f"{words[0]} on a full disk", lambda words=words: self._command(*words))  # type: ignore[misc]
            for _ in range(self.luck.choice((1, 2))):  # what was started again may die again
                self._slot("kill -9 of production on a full disk", self.rig.stack().route().production)
            if self.luck.random() < 0.5:
                self._nginx("kill -9 of Nginx's master on a full disk")

    def slot(self) -> None:
        route = self.rig.stack().router.get()
        assert route is not None
        self._slot(
            "kill -9 of production, another slot in its place" if route.spare else "kill -9 of production, alone",
            route.production,
        )

    def other(self) -> None:
        """The warm slot, or the canary with what it has of the traffic."""
        route = self.rig.stack().router.get()
        slot = self.luck.choice([slot for slot in ("blue", "green", "canary") if route and slot != route.production])
        self._slot(f"kill -9 of {'the canary' if slot == 'canary' else 'the idle slot'}", slot)

    def nginx(self) -> None:
        self._nginx("kill -9 of Nginx's master")

    def supervisor(self) -> None:
        found = supervisor_process(self.rig.run_dir)
        if found:
            found.signal(signal.SIGKILL)
            found.wait(60)
        self.calm("kill -9 of the supervisor, and up", lambda: self.rig.run("up"))

    def command(self) -> None:
        version, phase = self.luck.choice(VERSIONS), self.luck.choice(PHASES)
        self.calm(
            "kill -9 of a deploy, and status",
            lambda: (
                self.rig.run("deploy", "--version", version, code=None, KILL_AFTER=phase),
                self.rig.run("status", code=None),
            ),
        )

    def _nginx(self, name: str) -> None:
        self.kill(name, parsed(ProcessId, read_json(self.rig.run_dir / "nginx/master.json")))

    def _slot(self, name: str, slot: str) -> None:
        pid = self.rig.stack().runtime.observe(slot).pid  # type: ignore[arg-type]
        self.kill(name, ProcessId.of(pid) if pid else None)

    def _command(self, *words: str) -> None:
        with self.rig.start(*words) as command:
            said, code = command.output(), command.wait()
        if "Traceback" in said or code not in (0, 1, 2, 3, 7):
            raise Broken(f"`{' '.join(words)}` ended with {code}: {said}")

    @contextlib.contextmanager
    def _filled(self) -> Iterator[None]:
        filler = self.rig.run_dir / "filler"
        try:
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as out:
                while True:
                    out.write(bytes(4096))
            yield
        finally:
            filler.unlink()


@pytest.fixture
def own_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder whose `run` is a disk of its own, small enough to be filled; only root gets that."""
    if os.geteuid():
        yield tmp_path
        return
    (tmp_path / "run").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "none", str(tmp_path / "run")], check=True)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path / "run")], check=True)


def test_nothing_fails_in_a_storm_but_what_was_killed(own_disk: Path) -> None:
    seconds, seed = float(os.environ.get("STORM_SECONDS", "15")), int(os.environ.get("STORM_SEED", "7"))
    settings = {"DEPLOY_ACCESS_LOG": "false", "DEPLOY_LOG_BYTES": "1000000", "DEPLOY_WATCH": "0"}
    with Rig(own_disk, **settings) as rig:
        rig.release(*VERSIONS)
        rig.run("up", "--version", "1")
        with rig.traffic(clients=CLIENTS, pause=0.2) as tally:
            storm = Storm(rig, tally, random.Random(seed))  # noqa: S311 - a storm, no secret
            calm = [storm.deploy, storm.canary, storm.promote, storm.scale, storm.rollback, storm.abort, storm.clock]
            fierce = [storm.slot, storm.other, storm.nginx, storm.supervisor, storm.command]
            if (own_disk / "run").is_mount():
                fierce.append(storm.full)
            dealt = [*calm, *calm, *fierce]
            asked = os.environ.get("STORM_KINDS")
            if asked:
                dealt = [getattr(storm, kind) for kind in asked.split(",")]
            try:
                why = storm.rage(dealt, seconds)
            finally:
                sys.stdout.write(storm.figures())
        longest = max(storm.longest_s.values(), default=0)
        if why is None and longest > LONGEST_S:
            why = f"requests failed for {longest:.1f} s beside a kill, longer than {LONGEST_S:g} s (STORM_LONGEST_S)"
        if why:
            pytest.fail(f"the storm ended after {storm.rounds} rounds: {' '.join(why.split())}", pytrace=False)
