"""A real n8n on loopback."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port
from tests.support.processes import Process

_QUIET = {
    "N8N_EXPRESSION_ENGINE": "legacy",
    "N8N_RUNNERS_ENABLED": "false",
    "N8N_LISTEN_ADDRESS": "127.0.0.1",
    "N8N_DIAGNOSTICS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
    "N8N_TEMPLATES_ENABLED": "false",
    "N8N_PERSONALIZATION_ENABLED": "false",
    "N8N_ENFORCE_SETTINGS_FILE_PERMISSIONS": "true",
    "N8N_ENCRYPTION_KEY": "only-for-this-test",
}


def n8n_binary() -> str:
    """The program; skips the test without it, or fails it in CI."""
    path = Path(os.environ.get("PIKKIT_N8N_DIR", "/var/tmp/pikkit-n8n")) / "node_modules/.bin/n8n"
    if path.is_file():
        return str(path)
    if os.environ.get("CI"):
        pytest.fail("n8n is not installed, and in CI nothing may be skipped: tests/support/install_n8n.sh")
    pytest.skip("n8n is not installed: `make test-n8n` does it")


class N8n:
    """Imports credentials and a workflow, activates it, and serves it."""

    def __init__(self, folder: Path, workflow: dict[str, Any], credentials: list[dict[str, Any]]) -> None:
        self._binary = n8n_binary()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = {**os.environ, **_QUIET, "N8N_USER_FOLDER": str(folder), "N8N_PORT": str(self.port)}
        (folder / "credentials.json").write_text(json.dumps(credentials))
        (folder / "workflow.json").write_text(json.dumps([workflow]))
        self._run("import:credentials", f"--input={folder / 'credentials.json'}")
        self._run("import:workflow", f"--input={folder / 'workflow.json'}")
        self._run("update:workflow", "--all", "--active=true")
        self._process = Process([self._binary, "start"], log=folder / "n8n.log", env=self._env)
        try:
            self._process.wait_until_http(f"{self.url}/healthz", seconds=90)
        except BaseException:
            self.stop()
            raise

    def tail(self) -> str:
        """The last lines of its output."""
        return self._process.tail()

    def stop(self) -> None:
        """Stop it by pid."""
        self._process.stop()

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            [self._binary, *arguments], env=self._env, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
