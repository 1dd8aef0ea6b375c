"""Files that are whole or not there: temp file, fsync, rename, fsync of the folder. One that is damaged is None."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from pydantic import TypeAdapter, ValidationError

__all__ = [
    "ROOT",
    "Record",
    "Tail",
    "fill",
    "linked",
    "names",
    "parsed",
    "plain",
    "read_json",
    "read_text",
    "remove",
    "replace_link",
    "rotate",
    "template_of",
    "write_json",
    "write_text",
]

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""

T = TypeVar("T")


def read_text(path: Path) -> str | None:
    """The text of a file; None when there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def write_text(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace `path` by `text` in one step; a crash leaves the old content or the new, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
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
    _sync_folder(path.parent)


def read_json(path: Path) -> Any:
    """The decoded content; None when the file is missing, empty or half-written."""
    try:
        return json.loads(read_text(path) or "null")
    except (ValueError, RecursionError):
        return None


def write_json(path: Path, value: Any) -> None:
    """`write_text` for JSON, of a dataclass too."""
    write_text(path, json.dumps(plain(value), indent=2, sort_keys=True) + "\n")


def linked(link: Path) -> str | None:
    """The target of a link."""
    return str(link.readlink()) if link.is_symlink() else None


def replace_link(link: Path, target: str) -> None:
    """Point `link` at `target` by rename(2): every reader sees the old or the new target, never none."""
    temporary = _beside(link)
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)
    _sync_folder(link.parent)


def names(folder: Path) -> list[str]:
    """What lies in a folder, if it is there."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:
        return []


def remove(*paths: Path) -> None:
    """Remove files and folders that are there."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def fill(folder: Path, source: Path | None) -> None:
    """Make `folder` hold copies of the files of `source` (none where there is none), for every user to read."""
    new = folder.with_name(f".{folder.name}.new")
    remove(new)
    new.mkdir(parents=True)
    for file in filter(Path.is_file, source.iterdir()) if source and source.is_dir() else ():
        shutil.copyfile(file, new / file.name)
        (new / file.name).chmod(0o644)  # containers have a user of their own
    new.chmod(0o755)
    remove(folder)
    new.replace(folder)


def rotate(log: Path, limit: int, *, emptied: bool = False) -> bool:
    """Number a log over `limit` bytes, keeping three; whether it was. One that stays open is `emptied`, not renamed."""
    if not log.exists() or log.stat().st_size <= limit:
        return False
    for number in (2, 1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    newest = log.with_name(f"{log.name}.1")
    if emptied:
        with contextlib.suppress(OSError):
            shutil.copyfile(log, newest)
        os.truncate(log, 0)
    else:
        log.replace(newest)
    return True


class Tail:
    """What is written to a log from now on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode, self._offset, _ = _place(path) or (0, 0, 0)

    def read(self) -> list[str]:
        """The whole lines since the last look; what a rotation carried off in between is lost."""
        inode, size, _ = _place(self._path) or (0, 0, 0)
        if inode != self._inode or size < self._offset:
            self._inode, self._offset = inode, 0
        try:
            with self._path.open("rb") as log:
                log.seek(self._offset)
                whole = log.read().rpartition(b"\n")[0]
        except OSError:
            return []
        self._offset += len(whole) + bool(whole)
        return whole.decode(errors="replace").splitlines()


@cache
def template_of(path: Path, **filters: Callable[[Any], str]) -> Template:
    """A template of a file that is no HTML; a value that is missing is an error."""
    environment = Environment(  # noqa: S701 - nothing to escape
        loader=FileSystemLoader(path.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= filters
    return environment.get_template(path.name)


def plain(value: Any) -> Any:
    """What JSON can hold of a dataclass; anything else as it is."""
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def parsed(kind: Callable[..., T], data: Any) -> T | None:
    """`data` as the dataclass that it was; None where it is none of that kind, whatever a damaged file holds."""
    try:
        value: T = _adapter(kind).validate_python(data)
    except (ValidationError, RecursionError):
        return None
    return value


class Record(Generic[T]):
    """A dataclass in a JSON file that one process writes and others read: read again only when it was changed."""

    def __init__(self, path: Path, kind: type[T]) -> None:
        self.path = path
        self._kind = kind
        self._seen: tuple[int, int, int] | None = None
        self._value: T | None = None
        self.written = True
        """False where the last value is known to this process alone, as the disk refused it."""

    def read(self) -> T | None:
        """The value; None when the file is missing or damaged."""
        seen = _place(self.path)
        if seen != self._seen:
            self._value = parsed(self._kind, read_json(self.path)) if seen else None
            self._seen = seen
            self.written = True
        return self._value

    def write(self, value: T) -> bool:
        """Replace it; False where the disk refuses: this process goes on with the value, others don't see it."""
        self._value = value
        try:
            write_json(self.path, value)
            self.written = True
        except OSError:
            self.written = False
        self._seen = _place(self.path)
        return self.written

    def remove(self) -> None:
        """Forget it."""
        self._value = None
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        self._seen = _place(self.path)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _place(path: Path) -> tuple[int, int, int] | None:
    """Inode, size and time of the last change; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, as far as the disk still can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
