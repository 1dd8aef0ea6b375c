"""A real n8n on loopback."""

import os
import signal
from pathlib import Path

import httpx
import pytest

from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.waiting import eventually

_QUIET = {
    "N8N_EXPRESSION_ENGINE": "legacy",
    "N8N_RUNNERS_ENABLED": "false",
    "N8N_LISTEN_ADDRESS": "127.0.0.1",
    "N8N_DIAGNOSTICS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
    "N8N_TEMPLATES_ENABLED": "false",
    "N8N_PERSONALIZATION_ENABLED": "false",
    "N8N_ENFORCE_SETTINGS_FILE_PERMISSIONS": "true",
    "N8N_SECURE_COOKIE": "false",
    "N8N_ENCRYPTION_KEY": "only-for-this-test",
}


def n8n_command() -> list[str]:
    """The program with its own Node; skips the test without it, or fails it in CI."""
    folder = Path(os.environ.get("PIKKIT_N8N_DIR", "/var/tmp/pikkit-n8n-2"))
    if (folder / ".installed").is_file():
        [node] = folder.glob("node/node_modules/node-*/bin/node")
        return [str(node), str(folder / "node_modules/n8n/bin/n8n")]
    if os.environ.get("CI"):
        pytest.fail("n8n is not installed, and in CI nothing may be skipped: tests/support/install_n8n.sh")
    pytest.skip("n8n is not installed: `make test-n8n` does it")


class N8n:
    """Serves on a port that stays its own over restarts; what it knows lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._command = n8n_command()
        self._folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = {**_QUIET, "N8N_USER_FOLDER": str(folder), "N8N_PORT": str(self.port)}
        self.key = ""
        self._process: Process | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._process = Process([*self._command, "start"], log=self._folder / "n8n.log", env=self._env)
        try:
            self._process.wait_until_http(f"{self.url}/healthz/readiness")
        except BaseException:
            self.stop()
            raise

    def wait_for_webhook(self, path: str) -> None:
        """Webhooks come a few seconds after /healthz; an unsigned call is refused without a trace."""

        def refused() -> bool:
            return httpx.post(f"{self.url}/webhook/{path}", json={}).status_code == httpx.codes.UNAUTHORIZED

        eventually(refused, told=self.tail)

    def api_key(self) -> str:
        """A key of the public API, as an owner makes it who opens n8n for the first time."""
        with httpx.Client(base_url=f"{self.url}/rest") as browser:
            owner = {"email": "owner@pikkit.example", "firstName": "A", "lastName": "B", "password": "For-tests-0nly"}
            browser.post("/owner/setup", json=owner).raise_for_status()
            scopes = [
                "workflow:create", "workflow:read", "workflow:update", "workflow:list", "workflow:activate",
                "workflow:delete", "credential:create", "credential:delete", "credential:update", "credential:list",
            ]  # fmt: skip
            wish = {"label": "setup", "scopes": scopes, "expiresAt": None}
            answer = browser.post("/api-keys", json=wish)
            assert answer.is_success, answer.text
            return str(answer.json()["data"]["rawApiKey"])

    def tail(self) -> str:
        """The last lines of its output."""
        return self._process.tail() if self._process else ""

    def stop(self) -> None:
        """Stop it by pid."""
        if self._process:
            self._process.stop(grace=40)  # it finishes what is under way

    def kill(self) -> None:
        """kill -9, whatever is under way."""
        if self._process:
            self._process.signal(signal.SIGKILL)
            self._process.stop()
