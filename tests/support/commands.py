"""A command of the checkout, run as an operator runs it."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.need import root


def python(*line: str | Path, **environment: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `python LINE` in the checkout to its end, with 200 columns unless told otherwise."""
    return subprocess.run(
        [sys.executable, *map(str, line)],
        cwd=root(),
        env={**os.environ, "COLUMNS": "200", **{name: str(value) for name, value in environment.items()}},
        capture_output=True,
        text=True,
        check=False,
    )
