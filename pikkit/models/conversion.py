"""A copied user set to a checked, native one: by `pikkit.models.reading`, in a process of its own.

That process unpickles foreign files, so it has limits on memory and time, and what is read of it is a line of JSON:
`{"ok": true}` or `{"error": message, "code": code}`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from pikkit.errors import ModelError, UnsafePickle
from pikkit.models.user_files import UserFiles

__all__ = ["STORE_NAME", "convert"]

STORE_NAME = "pikkit_bet_models"

_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONUTF8")
_WALL_S = 180.0


def convert(copy: UserFiles, into: Path) -> None:
    """Check the copied set and write it, converted, into the new folder `into`; there is all of it or nothing.

    Raises:
        UnsafePickle: a pickle asks for what is not allowed.
        ModelError: the set can't be served; the message says why.
    """
    # No secret of the service is in the environment of what reads foreign files.
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p or "." for p in sys.path)}
    command = [sys.executable, "-m", "pikkit.models.reading", str(copy.folder), str(into), copy.sha256]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_WALL_S, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired as cause:
        raise ModelError(f"the model files took over {_WALL_S:g} s to read: a model set takes seconds") from cause
    lines = done.stdout.splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else {}
    except ValueError:
        answer = {}
    if answer.get("ok"):
        return
    if "error" in answer:
        raise (UnsafePickle if answer["code"] == UnsafePickle.code else ModelError)(answer["error"])
    said = (done.stderr.strip() or "no message").splitlines()[-1][-300:]
    reason = "needed too much memory or time" if done.returncode < 0 else said
    raise ModelError(f"the model files could not be read (status {done.returncode}: {reason}): train them again")
