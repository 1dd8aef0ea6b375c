"""The import that was made the active one: in local servers it outranks MODEL_DIR's files until those change.

One small file beside the model store says which. It is written by an explicit import, and never looked at by a
deployed slot. A file in MODEL_DIR counts as changed once its inode was written to after the import (ctime, which
copying with old times does not hide) and its content is not what the import knew of that folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pikkit.files import replace_file
from pikkit.models.user_files import digests, last_change

__all__ = ["Activation", "active", "home"]

_FILE = "pikkit_active_import.json"


def home() -> Path:
    """BentoML's folder, whose `models` is the store that commands and servers share: BENTOML_HOME, else ~/bentoml."""
    return Path(os.environ.get("BENTOML_HOME") or Path.home() / "bentoml").expanduser()


@dataclass(frozen=True, slots=True)
class Activation:
    """Which set an import made the active one.

    Attributes:
        tag: in the store.
        sha256: digest over the user's files that it was made of.
        at: when these were read, seconds since the epoch.
        source: the folder that they came from.
        files: by folder, SHA-256 of each file as it was then.
    """

    tag: str
    sha256: str
    at: float
    source: str
    files: Mapping[str, Mapping[str, str]]

    @property
    def folder(self) -> Path:
        """Where the store has the set."""
        name, _, version = self.tag.partition(":")
        return home() / "models" / name / version

    def outranks(self, folder: Path) -> bool:
        """Whether the files in `folder` are as they were at the import."""
        changed = last_change(folder)
        if changed is None or changed <= self.at:
            return True
        known = self.files.get(str(folder.resolve()))
        return known is not None and known == digests(folder)

    def write(self) -> None:
        """Make it the active one."""
        home().mkdir(parents=True, exist_ok=True)
        replace_file(home() / _FILE, json.dumps(asdict(self)).encode())


def active() -> Activation | None:
    """The active import; None without one, or where its file is damaged."""
    try:
        read = json.loads((home() / _FILE).read_text(encoding="utf-8"))
        return Activation(str(read["tag"]), str(read["sha256"]), float(read["at"]), str(read["source"]), read["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
