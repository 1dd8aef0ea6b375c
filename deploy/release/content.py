"""What a release is made of: its code and dependencies as a hash, the commit, and a folder of model files.

The service alone knows which files are a model set and what its version is; it is asked.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError, UsageError
from deploy.files import ROOT
from deploy.processes import output_of, run

__all__ = ["ModelFiles", "commit_of", "describe_models", "tree_hash"]

_FILES = ("service.py", "import_models.py", "bentofile.yaml", "requirements/serve.txt")
_FOLDERS = ("pikkit",)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """`version` is as /health tells it; `digest` a SHA-256 over names and contents."""

    files: tuple[Path, ...]
    digest: str
    version: str


def tree_hash(root: Path) -> str:
    """SHA-256 over names and contents of everything that goes into the Bento."""
    digest = hashlib.sha256()
    for path in sorted(_paths(root)):
        digest.update(str(path.relative_to(root)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def commit_of(root: Path) -> str:
    """The commit of the checkout, with `-dirty` when files were changed; `unknown` outside a repository."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return output_of(command, timeout_s=10).strip()
    except DeployError:
        return "unknown"


def describe_models(folder: Path) -> ModelFiles:
    """Look at the set in `folder`.

    Raises:
        UsageError: files are missing or there twice, or the metadata names no version.
    """
    done = run([sys.executable, "-m", "pikkit.models.metadata", str(folder.absolute())], folder=ROOT, timeout_s=60)
    if done.returncode:
        said = (done.stderr.strip() or "no message").splitlines()[-1]
        raise UsageError(f"{said}; --models names a folder with a whole model set")
    told = json.loads(done.stdout)
    files = tuple(folder / name for name in told["files"])
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return ModelFiles(files, digest.hexdigest(), told["version"])


def _paths(root: Path) -> Iterator[Path]:
    for name in _FILES:
        if (root / name).is_file():
            yield root / name
    for name in _FOLDERS:
        for path in (root / name).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
                yield path
