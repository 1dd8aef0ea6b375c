"""The regression guard: what a graded bet costs in function calls, which no load of the machine changes."""

import subprocess
import sys

import pytest

from tests.support.need import root

pytestmark = pytest.mark.system


def test_a_graded_bet_makes_no_more_calls_than_it_did() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.check"], cwd=root(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing got slower" in done.stdout
