"""Schemathesis with all checks against the real service: no 5xx, no undocumented status, no broken promise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import Server

pytestmark = pytest.mark.system

TOKEN = "let-me-in-please"
EXAMPLES = 12  # of each route; what is found is found at every run: other seeds are for who changes the API
CASES = 1200
# A list of prices in a query may be longer than headers may be.
CONFIG = """
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "413", "415", "422", "431"]
"""


def test_generated_requests_are_answered_as_documented(tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with Server(tmp_path, ACCESS_LOG=0, ADMIN_TOKEN=TOKEN) as server:
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{server.url}/openapi.json",
            "--checks=all",
            # Rules between fields (the bet's selection is one of its market's) can't be said in JSON Schema.
            "--exclude-checks=positive_data_acceptance",
            "--phases=examples,coverage,fuzzing",
            f"--max-examples={EXAMPLES}",
            "--seed=1",
            "--no-color",
            "--request-timeout=240",
            "--suppress-health-check=too_slow",
            f"--header=Authorization: Bearer {TOKEN}",
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        log = server.log.read_text()
    assert done.returncode == 0, done.stdout[-6000:]
    generated = re.search(r"([\d,]+) generated", done.stdout)
    assert generated
    assert int(generated[1].replace(",", "")) >= CASES, done.stdout[-1000:]
    assert "Traceback" not in log
