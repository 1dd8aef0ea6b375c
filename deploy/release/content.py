"""What a release is made of: a hash over the code and its dependencies, and the commit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from deploy.errors import DeployError
from deploy.processes import output_of

__all__ = ["commit_of", "tree_hash"]

_FILES = ("service.py", "import_models.py", "bentofile.yaml", "requirements/serve.txt")
_FOLDERS = ("pikkit",)


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


def _paths(root: Path) -> Iterator[Path]:
    for name in _FILES:
        if (root / name).is_file():
            yield root / name
    for name in _FOLDERS:
        for path in (root / name).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
                yield path
