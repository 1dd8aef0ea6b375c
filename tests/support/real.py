"""Where the real models and bets lie: beside the repository, never in it."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.need import root


def real_dir() -> Path:
    """The folder with `bets.csv.gz` and `models/`; skips the test without it, or fails it in CI."""
    common = subprocess.run(
        ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"],
        cwd=root(),
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    places = [os.environ.get("PIKKIT_REAL_DIR"), root().parent / "shared/real"]
    if common:
        places.append(Path(common).parent.parent / "shared/real")
    for place in places:
        if place and Path(place, "bets.csv.gz").is_file():
            return Path(place)
    reason = "the real bets are not on this machine: set PIKKIT_REAL_DIR"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
