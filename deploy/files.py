"""Files that are whole or not there: temp file, fsync, rename, fsync of the folder."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

__all__ = ["Record", "read_json", "replace_link", "sync_folder", "write_json", "write_text"]

T = TypeVar("T")
_UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)  # whatever a damaged file may hold


def write_text(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace `path` by `text` in one step; a crash leaves the old content or the new, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """The same for JSON."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: Path) -> Any:
    """The decoded content; None when the file is missing, empty or half-written."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def replace_link(link: Path, target: str) -> None:
    """Point `link` at `target` by rename(2): every reader sees the old or the new target, never none."""
    temporary = link.with_name(f".{link.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)
    sync_folder(link.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, as far as the disk still can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Record(Generic[T]):
    """A JSON file that one process writes and others read: read again only when it was changed.

    `parse` makes a value of the decoded content; whatever it can't make one of counts as no record.
    """

    def __init__(self, path: Path, parse: Callable[[Any], T], form: Callable[[T], Any]) -> None:
        self.path = path
        self._parse = parse
        self._form = form
        self._seen: tuple[int, int, int] | None = None
        self._value: T | None = None

    def read(self) -> T | None:
        """The value; None when the file is missing or damaged."""
        seen = self._identity()
        if seen != self._seen:
            try:
                self._value = self._parse(read_json(self.path)) if seen else None
            except _UNREADABLE:
                self._value = None
            self._seen = seen
        return self._value

    def write(self, value: T) -> bool:
        """Replace it; False where the disk refuses: this process goes on with the value, others don't see it."""
        self._value = value
        try:
            write_json(self.path, self._form(value))
        except OSError:
            return False
        finally:
            self._seen = self._identity()
        return True

    def remove(self) -> None:
        """Forget it."""
        self._value = None
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        self._seen = self._identity()

    def _identity(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
