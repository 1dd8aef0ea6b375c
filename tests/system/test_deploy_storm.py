"""Random operations, and kills of anything of ours, under keep-alive POST load: `make storm` for twenty minutes.

STORM_SECONDS (default 15) and STORM_SEED choose how long and which storm; its figures are printed.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from deploy.errors import DeployError, UsageError
from deploy.flow import operations
from deploy.processes import ProcessId
from deploy.watch.supervisor import supervisor_process
from tests.support.deploy_load import Tally
from tests.support.deploy_rig import Rig
from tests.support.need import root

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]

VERSIONS = ("1", "2", "3", "4")
CLIENTS = 32
LONGEST_S = 5.0
FULL = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); sys.argv[1:] = ['rollback']; "


@dataclass
class Storm:
    """What was done how often, and what it cost: failures beside an operation, and beside a kill with its seconds."""

    rig: Rig
    tally: Tally
    luck: random.Random
    done: Counter[str] = field(default_factory=Counter)
    beside_kills: int = 0
    longest_s: float = 0.0

    def calm(self, name: str, work: Callable[[], object]) -> None:
        """An operation that nobody may notice."""
        before = self.tally.failed
        with contextlib.suppress(UsageError):
            work()
            self.done[name] += 1
        assert self.tally.failed == before, (name, self.tally.failures)

    def kill(self, name: str, process: ProcessId | None) -> None:
        """What was in hand there fails, and what comes before it is back."""
        if process is None:
            return
        before, begin = self.tally.failed, time.monotonic()
        process.signal(signal.SIGKILL)
        process.wait(5)
        last = begin
        quiet = self.tally.failed
        while time.monotonic() - last < 1.5 or not self.well():
            if self.tally.failed != quiet:
                quiet, last = self.tally.failed, time.monotonic()
            assert time.monotonic() - begin < 60, (name, self.rig.status())
            time.sleep(0.05)
        self.done[name] += 1
        self.beside_kills += self.tally.failed - before
        if self.tally.failed != before:
            self.longest_s = max(self.longest_s, last - begin)

    def well(self) -> bool:
        status = self.rig.status()
        return bool(status["proxy"] == "running" and status["slots"][status["production"]]["health"] == "healthy")

    def check(self) -> None:
        """`status` is true."""
        status = self.rig.status()
        answer = self.rig.client.get(f"{self.rig.url}/health", headers={"x-deployment-target": "production"})
        assert answer.headers["x-served-by"] == status["production"]
        assert answer.json()["version"] == status["slots"][status["production"]]["version"]

    def step(self) -> None:
        rig, luck = self.rig, self.luck
        runtime = rig.stack().runtime
        production = rig.stack().production()
        match luck.choice(
            ("deploy", "deploy", "canary", "scale", "rollback", "abort", "full", "slot", "nginx", "watch")
        ):
            case "deploy":
                version = luck.choice(VERSIONS)
                self.calm("deploy", lambda: rig.do(operations.deploy, version))
            case "canary":
                version, weight = luck.choice(VERSIONS), luck.choice((0, 10, 50))
                self.calm("canary", lambda: rig.do(operations.canary, version, weight=weight))
            case "scale":
                self.calm("scale", lambda: rig.do(operations.scale, production, luck.choice((1, 2))))
            case "rollback":
                self.calm("rollback", lambda: rig.do(operations.rollback))
            case "abort":
                self.calm("abort", lambda: rig.do(operations.abort))
            case "full":
                self.calm("rollback on a full disk", self._full)
            case "slot":
                pid = runtime.observe(production).pid
                self.kill("kill -9 of production", ProcessId.of(pid) if pid else None)
            case "nginx":
                record = json.loads((rig.run_dir / "nginx/master.json").read_text())
                self.kill("kill -9 of Nginx's master", ProcessId.from_json(record))
            case "watch":
                supervisor = supervisor_process(rig.run_dir)
                if supervisor:
                    supervisor.signal(signal.SIGKILL)
                    supervisor.wait(5)
                self.calm("kill -9 of the supervisor, and up", lambda: rig.run("up"))

    def _full(self) -> None:
        code = f"{FULL}runpy.run_module('{self.rig.module}', run_name='__main__')"
        line = [sys.executable, "-c", code]
        done = subprocess.run(line, env=self.rig.environment, cwd=root(), capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stdout + done.stderr
        assert done.returncode in (0, 2, 3), done.stderr  # 3: what has to be started anew can not be, and is refused


def test_nothing_fails_in_a_storm_but_what_was_killed(tmp_path: Path) -> None:
    seconds, seed = float(os.environ.get("STORM_SECONDS", "15")), int(os.environ.get("STORM_SEED", "7"))
    with Rig(tmp_path, DEPLOY_ACCESS_LOG="false", DEPLOY_READY_TIMEOUT_S="30", DEPLOY_WATCH="0") as rig:
        rig.release(*VERSIONS)
        rig.run("up", "--version", "1")
        with rig.traffic(clients=CLIENTS, pause=0.1) as tally:
            storm = Storm(rig, tally, random.Random(seed))  # noqa: S311 - a storm, no secret
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                with contextlib.suppress(httpx.HTTPError, DeployError):
                    storm.step()
                storm.check()
        told = f"{tally.requests} requests; {dict(storm.done)}; {storm.beside_kills} failed beside kills"
        sys.stdout.write(f"{told}, for at most {storm.longest_s:.1f} s each\n")
        assert tally.failed == storm.beside_kills
        assert storm.longest_s <= LONGEST_S
