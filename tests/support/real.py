"""Data for checks that is kept elsewhere, never in the repository: real models, bets and prices.

A test asks for it by the fixture `real_dir`; what asks for it is marked `kept` by that alone, is run where the data is,
and is not selected where it is not. Every other test stands on what the repository holds or makes
(`tests/support/simulated.py`).
"""

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.support.need import root


@cache
def find_real_dir() -> Path | None:
    """The folder with `bets.csv.gz` and `models/`: PIKKIT_REAL_DIR, else `shared/real` beside the repository.

    Raises:
        pytest.UsageError: PIKKIT_REAL_DIR names a folder without them.
    """
    named = os.environ.get("PIKKIT_REAL_DIR")
    if named:
        if not _holds(Path(named)):
            raise pytest.UsageError(f"PIKKIT_REAL_DIR is {named}, and there is no bets.csv.gz in it: mend or unset it")
        return Path(named)
    common = subprocess.run(
        ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"],
        cwd=root(),
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    repositories = [root(), *([Path(common).parent] if common else [])]  # a worktree, and the clone that it is of
    return next((place for place in (top.parent / "shared/real" for top in repositories) if _holds(place)), None)


def _holds(folder: Path) -> bool:
    return (folder / "bets.csv.gz").is_file()
