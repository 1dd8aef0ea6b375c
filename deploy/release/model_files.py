"""What the deploy module needs to know of a folder of model files: what it will serve as.

The service alone knows which files are a set and what its version is; it is asked.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import UsageError
from deploy.processes import run

__all__ = ["ModelFiles", "describe_models"]

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """`version` is as /health tells it; `digest` a SHA-256 over names and contents."""

    files: tuple[Path, ...]
    digest: str
    version: str


def describe_models(folder: Path) -> ModelFiles:
    """Look at the set in `folder`.

    Raises:
        UsageError: files are missing or there twice, or the metadata names no version.
    """
    done = run([sys.executable, "-m", "pikkit.models.metadata", str(folder.absolute())], folder=_ROOT, timeout_s=60)
    if done.returncode:
        said = (done.stderr.strip() or "no message").splitlines()[-1]
        raise UsageError(f"{said}; --models names a folder with a whole model set")
    told = json.loads(done.stdout)
    files = tuple(folder / name for name in told["files"])
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return ModelFiles(files, digest.hexdigest(), told["version"])
