"""The pipeline's last stage for real: SSH to a host on loopback, deploy under load, verify, roll back, tell."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.deploy_load import traffic
from tests.support.need import root
from tests.support.ports import free_block
from tests.support.receiver import StandIn
from tests.support.sshd import Sshd

pytestmark = pytest.mark.system

KEY = "whoever-sends-this-may-ask"


class Host:
    """An sshd with a throw-away key, and a clone of this repository that it deploys from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sshd = Sshd(folder)
        self.origin = folder / "origin"
        self.clone = folder / "clone"
        subprocess.run(["git", "clone", "-q", root(), self.origin], check=True)
        subprocess.run(["git", "clone", "-q", self.origin, self.clone], check=True)
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root(), capture_output=True, text=True, check=True)
        self.commit = commit.stdout.strip()
        (self.clone / ".venv").symlink_to(root() / ".venv")  # the host's environment is made already
        os.utime(self.clone / "requirements/dev.txt", (0, 0))  # and is of that lock file
        base = self.port = free_block()
        self.url = f"http://127.0.0.1:{base}"
        profile = {
            "DEPLOY_BASE_PORT": base,
            "DEPLOY_RATE_LIMIT": 0,
            "DEPLOY_READY_TIMEOUT_S": 240,
            "BENTOML_HOME": folder / "bentoml",
            "DATA_DIR": folder / "data",
            "ALERTS_ENABLED": "false",
            "PATH": os.environ["PATH"],
        }
        keys = {"API_KEYS": KEY, "ADMIN_TOKEN": "opens-what-is-for-operators", "CORS_ORIGINS": "https://app.example"}
        (self.clone / ".env").write_text("".join(f"{name}={value}\n" for name, value in keys.items()))
        # What an operator puts into the login environment of the deploying user.
        exports = "\n".join(f"export {name}={value}" for name, value in profile.items())
        (folder / "environment").write_text(exports + "\n")
        self.sshd.wrap(f". {folder}/environment")

    def break_(self) -> str:
        """A commit that passes every gate and lacks a route of the contract."""
        routes = self.origin / "pikkit/web/routes.py"
        text = routes.read_text()
        assert '"/ml-predict"' in text
        routes.write_text(text.replace('"/ml-predict"', '"/ml-predicted"'))
        author = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com")
        subprocess.run(["git", *author, "commit", "-q", "--no-verify", "-am", "Broken"], cwd=self.origin, check=True)
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=self.origin, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def environment(self, telegram: str, **more: str) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")},
            "REMOTE": self.sshd.user + "@127.0.0.1",
            "REMOTE_PORT": str(self.sshd.port),
            "REMOTE_DIR": str(self.clone),
            "REMOTE_KNOWN_HOSTS": self.sshd.known_host,
            "TOOLS_VM_SSH_KEY": self.sshd.key.read_text(),
            "LIVE_URL": self.url,
            "VERIFY_API_KEY": KEY,
            "VERIFY_P95_MS": "60000",  # of a busy machine
            "COMMIT": self.commit,
            "TELEGRAM_BOT_TOKEN": "123:abc",
            "TELEGRAM_CHAT_ID": "42",
            "TELEGRAM_API_URL": telegram,
            **more,
        }

    def ship(self, telegram: str, *, code: int, **more: str) -> str:
        done = subprocess.run(
            [root() / "deploy/pipeline/ship.sh"],
            env=self.environment(telegram, **more),
            capture_output=True,
            text=True,
            check=False,
        )
        output = done.stdout + done.stderr
        assert done.returncode == code, output + self.sshd.tail()
        return output


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    made = Host(tmp_path_factory.mktemp("host"))
    try:
        yield made
    finally:
        if (made.clone / ".run").exists():
            subprocess.run(
                [
                    "bash",
                    "-c",
                    f". {made.folder}/environment; cd {made.clone}; .venv/bin/python -m deploy stop --force",
                ],
                capture_output=True,
                check=False,
            )
        made.sshd.stop()
        shutil.rmtree(made.folder, ignore_errors=True)


def test_a_release_is_shipped_verified_and_announced_and_a_broken_one_goes_back(host: Host) -> None:
    with StandIn() as telegram:
        host.ship(telegram.url, code=0, ACTION="blue-green", VERSION="1.0.0")
        assert httpx.get(f"{host.url}/health").json()["version"] == "1.0.0"
        assert httpx.get(f"{host.url}/api/v1/model-info").status_code == 401
        with traffic(host.port, key=KEY) as tally:
            host.ship(telegram.url, code=0, ACTION="blue-green", VERSION="1.1.0")
            assert httpx.get(f"{host.url}/health").json()["version"] == "1.1.0"
            told = host.ship(telegram.url, code=1, ACTION="blue-green", VERSION="1.2.0", COMMIT=host.break_())
            assert "checks failed" in told
            assert "GET /ml-predict" in told
            assert httpx.get(f"{host.url}/health").json()["version"] == "1.1.0"
        assert tally.failed == 0, tally.failures
        assert {"blue", "green"} == set(tally.served)
        texts = [call.json["text"] for call in telegram.calls]
    assert texts == [
        "Pikkit ML API: blue-green 1.0.0 is live and verified",
        "Pikkit ML API: blue-green 1.1.0 is live and verified",
        "Pikkit ML API: blue-green 1.2.0 did not pass verification and was rolled back",
    ]


def test_a_canary_of_a_kept_release_takes_its_share_is_verified_and_an_abort_that_can_not_be_verified_is_not_undone(
    host: Host,
) -> None:
    with StandIn() as telegram:
        host.ship(telegram.url, code=0, ACTION="canary", VERSION="1.0.0", WEIGHT="20", RUN_URL="https://x.example/1")
        told = host.ship(telegram.url, code=1, ACTION="promote")  # nothing was seen of it: it stays
        assert "too little was seen" in told
        host.ship(telegram.url, code=1, ACTION="abort", LIVE_URL="http://127.0.0.1:9")
        # The canary is gone, production is what it was, and was not taken back one release further.
        assert httpx.get(f"{host.url}/health").json()["version"] == "1.1.0"
        texts = [call.json["text"] for call in telegram.calls]
    assert texts == [
        "Pikkit ML API: canary 1.0.0 is live and verified https://x.example/1",
        "Pikkit ML API: promote  failed; production is as the host's `status` says",
        "Pikkit ML API: abort is done, but its verification failed: look at the host",
    ]


def test_another_host_key_a_strange_commit_and_a_missing_setting_are_refused(host: Host) -> None:
    with StandIn() as telegram:
        other = (host.folder / "user.pub").read_text().split()[1]
        known = f"[127.0.0.1]:{host.sshd.port} ssh-ed25519 {other}"
        told = host.ship(telegram.url, code=1, ACTION="rollback", REMOTE_KNOWN_HOSTS=known)
        assert "Host key verification failed" in told
        assert "40 hex digits" in host.ship(telegram.url, code=1, ACTION="rollback", COMMIT="main; touch /tmp/x")
        assert "version of the release" in host.ship(telegram.url, code=1, ACTION="blue-green", VERSION="")
        assert "blue-green, canary, promote, abort or rollback" in host.ship(telegram.url, code=2, ACTION="deploy")
        texts = [call.json["text"] for call in telegram.calls]
    assert texts == [
        "Pikkit ML API: rollback  failed; production is as the host's `status` says",
        "Pikkit ML API: rollback  failed; production is as the host's `status` says",
        "Pikkit ML API: blue-green  was not begun, or was cut short: see its log",
        "Pikkit ML API: deploy  was not begun, or was cut short: see its log",
    ]
