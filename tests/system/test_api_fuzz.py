"""Schemathesis with all checks against the real service: no 5xx, no undocumented status, no broken promise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import Server

pytestmark = pytest.mark.system

TOKEN = "let-me-in-please"
CASES = 5000


def test_five_thousand_generated_requests_are_answered_as_documented(tmp_path: Path) -> None:
    with Server(tmp_path, ACCESS_LOG=0, ADMIN_TOKEN=TOKEN) as server:
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{server.url}/openapi.json",
            "--checks=all",
            "--max-examples=800",
            "--no-color",
            "--seed=7",
            f"--header=Authorization: Bearer {TOKEN}",
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False)
        log = server.log.read_text()
    assert done.returncode == 0, done.stdout[-6000:]
    generated = re.search(r"([\d,]+) generated", done.stdout)
    assert generated
    assert int(generated[1].replace(",", "")) >= CASES, done.stdout[-1000:]
    assert "Traceback" not in log
