"""The README from top to bottom, as a newcomer types it, in a clean copy of the checkout."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.need import root
from tests.support.ports import free_block, free_port
from tests.support.processes import Process
from tests.support.receiver import StandIn

pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("ignore::ResourceWarning")]

BLOCKS = re.findall(
    r"^```(\w*)\n(.*?)^```", (root() / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)
# A deployed slot refuses the README's token, as nobody owns it.
EXAMPLE_TOKEN, OWN_TOKEN = "AAExampleExampleExampleExampleExample", "A" * 35


def _copy(folder: Path) -> None:
    """What is committed or about to be, with the environment that is made already."""
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=root(), capture_output=True, check=True
    ).stdout
    packed = subprocess.run(
        ["tar", "c", "--null", "-T", "-"], input=names, cwd=root(), capture_output=True, check=False
    )
    subprocess.run(["tar", "x", "-C", str(folder)], input=packed.stdout, check=True)
    (folder / ".venv").symlink_to(root() / ".venv")


def test_every_block_runs_as_it_is_typed(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    _copy(clone)
    port = free_port()
    with StandIn() as telegram:
        environment = {
            "PORT": str(port),
            "BENTOML_HOME": str(tmp_path / "bentoml"),
            "DEPLOY_BASE_PORT": str(free_block()),
            "TELEGRAM_API_URL": telegram.url + "/",
            "DEPLOY_STOP_GRACE_S": "5",
            "DEPLOY_READY_TIMEOUT_S": "240",
            "HOME": str(tmp_path),
        }
        telegram.answer = lambda _call: (200, {}, b'{"ok": true, "result": {"message_id": 1}}')
        serving: Process | None = None
        seen = []
        try:
            for language, block in BLOCKS:
                assert language == "sh", f"a block without its language: {block}"
                typed = block.replace("localhost:8000", f"localhost:{port}").replace(EXAMPLE_TOKEN, OWN_TOKEN)
                if "make serve" in block:
                    serving = Process(
                        ["bash", "-c", f"exec {typed}"], log=tmp_path / "serve.log", env=environment, cwd=clone
                    )
                    serving.wait_until_http(f"http://127.0.0.1:{port}/ready")
                    continue
                if "deploy up" in block and serving:
                    serving.stop()
                ran = subprocess.run(
                    ["bash", "-e", "-o", "pipefail", "-c", typed],
                    cwd=clone,
                    env={**os.environ, **environment},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert ran.returncode == 0, (typed, ran.stdout, ran.stderr)
                assert '"error"' not in ran.stdout, ran.stdout
                seen.append(ran.stdout)
        finally:
            if serving:
                serving.stop()
        assert telegram.calls
    told = (tmp_path / "serve.log").read_text(encoding="utf-8")
    assert f"Open http://127.0.0.1:{port}" in told
    assert "Off: alerts (" in told
    market = next(text for text in seen if "reasons" in text)
    assert '"fair_method":"reference"' in market
