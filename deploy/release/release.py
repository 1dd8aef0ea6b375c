"""A release: an immutable Bento with the model set in it, and what it must answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

__all__ = ["BENTO_NAME", "Golden", "Release", "ReleaseStore"]

BENTO_NAME = "pikkit_ml_api"


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

    def build(self, version: str, models: Path | None) -> Release:
        """Build it; an existing release of the same code and models is returned as it is.

        Raises:
            UsageError: there is one of this version with other code or models.
            DeployError: the build failed.
        """
        ...

    def releases(self) -> Sequence[Release]:
        """All, newest first."""
        ...

    def delete(self, version: str) -> None:
        """Remove one."""
        ...
