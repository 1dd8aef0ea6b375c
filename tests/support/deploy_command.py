"""Deploy commands as operators run them: each in a process of its own, forked from one that has imported them already.

To import them takes six times as long as to run one, and hundreds are run.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from deploy.cli import main
from tests.support.forks import FORKS
from tests.support.need import root
from tests.support.waiting import PATIENCE_S


class Command:
    """A command that runs; its output, errors too, comes by `stdout`. A context manager that waits for its end."""

    def __init__(self, work: Callable[[], None], arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        reader, writer = FORKS.Pipe(duplex=False)
        self._process = FORKS.Process(target=_run, args=(work, arguments, dict(environment), writer), daemon=True)
        self._process.start()
        writer.close()
        with reader:
            self.stdout = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")

    @property
    def returncode(self) -> int | None:
        """Of a process that ended; negative: the signal that ended it."""
        return self._process.exitcode

    def wait(self) -> int:
        """Until it ends, with this code."""
        self._process.join()
        code = self.returncode
        assert code is not None
        return code

    def output(self) -> str:
        """All of it, once it has ended."""
        said = self.stdout.read()
        self.wait()
        return said

    def send_signal(self, number: int) -> None:
        """To the command alone."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wait()
        self.stdout.close()
        self._process.close()


def _run(work: Callable[[], None], arguments: Sequence[str], environment: Mapping[str, str], out: Connection) -> None:
    for number in (1, 2):
        os.dup2(out.fileno(), number)
    out.close()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(root())
    sys.argv = ["deploy", *arguments]
    work()


class DeployCommand:
    """Commands that share an environment: that of the tests, patient, without the proxy's limits, and `settings`."""

    work: Callable[[], None] = staticmethod(main)

    def __init__(self, **settings: str) -> None:
        self.environment = {
            **os.environ,
            "DEPLOY_RATE_LIMIT": "0",
            "DEPLOY_CONNECTION_LIMIT": "0",
            "DEPLOY_READY_TIMEOUT_S": str(PATIENCE_S),
            **settings,
        }

    def start(self, *arguments: str, **environment: str) -> Command:
        """Begin a command."""
        return Command(self.work, arguments, {**self.environment, **environment})

    def run(self, *arguments: str, code: int | None = 0, **environment: str) -> str:
        """The output of a command, which must end with `code` (None: any)."""
        with self.start(*arguments, **environment) as command:
            output = command.output()
            ended = command.wait()
        assert code is None or ended == code, f"{arguments} ended with {ended}:\n{output}"
        return output

    def status(self) -> dict[str, Any]:
        """What `status --json` tells."""
        return json.loads(self.run("status", "--json", code=None))  # type: ignore[no-any-return]
