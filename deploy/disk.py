"""The folder that a stack keeps.

Names are relative to the folder. Every change is whole or not there, whatever breaks off.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from deploy.files import replace_link, write_text

__all__ = ["Disk"]


class Disk:
    """Files, links and folders under `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, name: str) -> str | None:
        """The text of a file."""
        try:
            return (self.root / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def write(self, name: str, text: str, *, mode: int = 0o644) -> None:
        """Temp file, fsync, rename, fsync of the folder."""
        write_text(self.root / name, text, mode=mode)

    def read_json(self, name: str) -> Any:
        """The decoded content; None when the file is missing, empty or half-written."""
        try:
            return json.loads(self.read(name) or "")
        except ValueError:
            return None

    def write_json(self, name: str, value: Any) -> None:
        """`write` for JSON."""
        self.write(name, json.dumps(value, indent=2, sort_keys=True) + "\n")

    def append(self, name: str, line: str) -> None:
        """One write(2)."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, f"{line}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def link(self, name: str, target: str) -> None:
        """By rename(2)."""
        replace_link(self.root / name, target)

    def linked(self, name: str) -> str | None:
        """The target of a link."""
        path = self.root / name
        return str(path.readlink()) if path.is_symlink() else None

    def make_folders(self, *names: str) -> None:
        """Make folders."""
        for name in names:
            (self.root / name).mkdir(parents=True, exist_ok=True)

    def names(self, folder: str) -> list[str]:
        """What lies in a folder."""
        try:
            return sorted(path.name for path in (self.root / folder).iterdir())
        except OSError:
            return []

    def remove(self, *names: str) -> None:
        """Remove what is there."""
        for name in names:
            path = self.root / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def fill(self, folder: str, source: Path) -> None:
        """Of copies, as the source may change or go."""
        target = self.root / folder
        new = target.with_name(f".{target.name}.{os.getpid()}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        _copy(source, new)
        new.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        new.replace(target)

    def copy(self, source: str, folder: str) -> None:
        """As `fill`."""
        self.fill(folder, self.root / source)


def _copy(source: Path, target: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        for file in source.iterdir():
            shutil.copyfile(file, target / file.name)
            (target / file.name).chmod(0o644)  # containers have a user of their own
