"""A deploy stack of its own for a test: free ports, a folder, stub releases, commands, and a sure end."""

import contextlib
import json
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import httpx

from deploy.errors import RouterError
from deploy.flow.job import Operation
from deploy.flow.progress import Progress
from deploy.flow.recovery import recover, stop_all
from deploy.flow.run import run
from deploy.flow.stack import Stack
from deploy.processes import ProcessId
from deploy.settings import DeploySettings
from deploy.watch.status import status_data
from deploy.watch.supervisor import stop_supervisor
from tests.support.deploy_command import DeployCommand
from tests.support.deploy_load import Tally, traffic
from tests.support.deploy_stack import COMPOSER, command
from tests.support.ports import free_block
from tests.support.waiting import PATIENCE_S


def kill(pid: int) -> None:
    """kill -9; returns once it is dead."""
    process = ProcessId.of(pid)
    assert process is not None
    process.signal(signal.SIGKILL)
    assert process.wait(PATIENCE_S)


class Rig(DeployCommand):
    """`run` runs a command as a process, as an operator does; `stack` looks at the same stack from inside."""

    work = staticmethod(command)

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port = free_block()
        self.releases = folder / "releases"
        self.releases.mkdir(parents=True)
        defaults = {
            "STUB_RELEASES": str(self.releases),
            "DEPLOY_RUN_DIR": str(folder / "run"),
            "DEPLOY_BASE_PORT": str(self.port),
            "ENVIRONMENT": "development",  # tests choose slots by header, without a key
            "DEPLOY_WARMUP_REQUESTS": "5",
            "DEPLOY_JUDGE_CLIENT_REQUESTS": "0",  # all load comes from one address
        }
        super().__init__(**{**defaults, **settings})
        self.url = f"http://127.0.0.1:{self.port}"
        self.run_dir = folder / "run"
        self.composer = COMPOSER
        self._stacks: list[Stack] = []
        self.client = httpx.Client(verify=False, headers={"connection": "close"})  # noqa: S501 - plain HTTP

    def release(self, *versions: str, **told: Any) -> None:
        for version in versions:
            (self.releases / f"{version}.json").write_text(json.dumps(told))

    def status(self) -> dict[str, Any]:
        """As the command would tell, without the start of one."""
        return status_data(self.stack())

    def stack(self) -> Stack:
        names = {
            name.removeprefix("DEPLOY_").lower(): value
            for name, value in self.environment.items()
            if name.startswith("DEPLOY_") or name in ("CORS_ORIGINS", "ENVIRONMENT")
        }
        os.environ["STUB_RELEASES"] = str(self.releases)
        settings = DeploySettings.model_validate(names)
        stack = self.composer.stack(settings, Progress())
        self._stacks.append(stack)
        return stack

    def do(self, operation: Callable[..., Operation], *arguments: Any, **options: Any) -> None:
        """A command within this process, under the lock: spares the start of an interpreter."""
        stack = self.stack()
        with stack.lock("test"):
            recover(stack)
            run(stack, operation(stack, *arguments, **options))

    def predict(self, **headers: str) -> httpx.Response:
        return self.client.post(f"{self.url}/api/v1/predict", json={}, headers=headers)

    def version(self) -> str:
        """Of the release that answers a client."""
        return str(self.predict().json()["release"])

    def traffic(
        self, *, clients: int = 16, pause: float = 0.1, kinds: tuple[str, ...] = ("post",)
    ) -> AbstractContextManager[Tally]:
        """Load in a thread, while the test does other things."""
        return traffic(self.port, clients=clients, pause=pause, kinds=kinds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        stop_supervisor(self.run_dir)
        self.environment["DEPLOY_STOP_GRACE_S"] = "2"
        (self.run_dir / "lock.json").unlink(missing_ok=True)
        with contextlib.suppress(RouterError):
            stop_all(self.stack())
        for stack in self._stacks:
            stack.close()
        self.client.close()
