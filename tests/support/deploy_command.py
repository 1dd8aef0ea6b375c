"""`python -m deploy` as a process, as operators run it."""

import json
import os
import subprocess
import sys
from typing import Any

from tests.support.need import root
from tests.support.waiting import PATIENCE_S


class DeployCommand:
    """Commands that share an environment: that of the tests, patient, without the proxy's limits, and `settings`."""

    module = "deploy"

    def __init__(self, **settings: str) -> None:
        self.environment = {
            **os.environ,
            "DEPLOY_RATE_LIMIT": "0",
            "DEPLOY_CONNECTION_LIMIT": "0",
            "DEPLOY_READY_TIMEOUT_S": str(PATIENCE_S),
            **settings,
        }

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Begin a command; its output, errors too, comes by `stdout`."""
        return subprocess.Popen(
            [sys.executable, "-m", self.module, *arguments],
            cwd=root(),
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, code: int | None = 0, **environment: str) -> str:
        """The output of a command, which must end with `code` (None: any)."""
        with self.start(*arguments, **environment) as command:
            output = command.communicate()[0]
        assert code is None or command.returncode == code, f"{arguments} ended with {command.returncode}:\n{output}"
        return output

    def status(self) -> dict[str, Any]:
        """What `status --json` tells."""
        return json.loads(self.run("status", "--json", code=None))  # type: ignore[no-any-return]
