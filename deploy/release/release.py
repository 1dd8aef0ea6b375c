"""A release: an immutable Bento with the model set in it, and what it must answer.

It is made of the code and its dependencies, told by a hash and a commit, and of a folder of model files; the service
alone knows which files are a model set and what its version is: it is asked.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from deploy.errors import DeployError, UsageError
from deploy.files import ROOT
from deploy.processes import output_of, run

__all__ = ["BENTO_NAME", "Golden", "ModelFiles", "Release", "ReleaseStore", "commit_of", "describe_models", "tree_hash"]

BENTO_NAME = "pikkit_ml_api"
_CODE = ("service.py", "import_models.py", "bentofile.yaml", "requirements/serve.txt", "pikkit/**/*")


@dataclass(frozen=True, slots=True)
class Golden:
    """A bet, and the fields of its prediction as they were when the model set was imported."""

    bet: Mapping[str, Any]
    expected: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Release:
    """`tree` is a hash of the code and its dependencies, `models_digest` one of the model files.

    `models_version` and, where it is known, `models_sha256` are what the service tells of its model set.
    `shared`: its Bento was there already, by another stack with the same BentoML store, which also removes it.
    """

    version: str
    tree: str
    commit: str
    models_sha256: str
    models_version: str
    built_at: float
    golden: tuple[Golden, ...] = ()
    models_digest: str = ""
    models_dir: str | None = None
    shared: bool = False

    @property
    def tag(self) -> str:
        """The Bento's tag, and the image's."""
        return f"{BENTO_NAME}:{self.version}"


class ReleaseStore(Protocol):
    """Where releases are built, kept and pruned."""

    def get(self, version: str) -> Release | None:
        """The release of that version; None when there is none."""
        ...

    def find(self, version: str, models: Path | None, *, as_built: bool = False) -> Release | None:
        """What `build` would return as it is, `as_built` of other code too; None where it would build. Changes nothing.

        Raises:
            UsageError: there is one of this version with other code or models, or none can be built.
        """
        ...

    def build(self, version: str, models: Path | None) -> Release:
        """Build it; an existing release of the same code and models is returned as it is.

        Raises:
            UsageError: as `find`.
            DeployError: the build failed.
        """
        ...

    def releases(self) -> Sequence[Release]:
        """All, newest first."""
        ...

    def delete(self, version: str) -> None:
        """Remove one."""
        ...


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """`version` is as /health tells it; `digest` a SHA-256 over names and contents."""

    files: tuple[Path, ...]
    digest: str
    version: str


def tree_hash(root: Path) -> str:
    """SHA-256 over names and contents of everything that goes into the Bento."""
    found = {path for pattern in _CODE for path in root.glob(pattern) if path.is_file()}
    own = sorted(path for path in found if "__pycache__" not in path.parts and path.suffix != ".pyc")
    return _digest((f"{path.relative_to(root)}\0", path) for path in own)


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
        raise UsageError(f"{said}; --models or MODEL_DIR names a folder with a whole model set")
    told = json.loads(done.stdout)
    files = tuple(folder / name for name in told["files"])
    digest = _digest((f"{file.name}\0", file) for file in files)
    return ModelFiles(files, digest, told["version"])


def _digest(named: Iterable[tuple[str, Path]]) -> str:
    digest = hashlib.sha256()
    for name, file in named:
        digest.update(name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
