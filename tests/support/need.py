"""Programs that system tests need. A laptop may lack one: the test is skipped there; in CI that fails it."""

import os
import shutil
from pathlib import Path

import pytest


def need(program: str) -> str:
    """The path of `program`; skips the test without it, or fails it in CI."""
    postgresql = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *postgresql])
    found = shutil.which(program, path=path)
    if found:
        return found
    reason = f"{program} is not installed on this machine"
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, and in CI nothing may be skipped")
    pytest.skip(reason)


def root() -> Path:
    """The top folder of the repository."""
    return Path(__file__).resolve().parents[2]
