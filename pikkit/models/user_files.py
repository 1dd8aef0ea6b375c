"""The files that users put into MODEL_DIR: names, a digest over all, and a copy that no writer changes any more."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pikkit.errors import ModelError

__all__ = [
    "HISTORY_FILE",
    "METADATA_FILE",
    "REQUIRED",
    "ROI_FILE",
    "WIN_FILE",
    "Changing",
    "Incomplete",
    "Signature",
    "UserFiles",
    "digests",
    "files_of",
    "last_change",
    "sha256_of",
    "signature",
    "take_copy",
    "with_history",
]

WIN_FILE = "win_probability_model_latest.pkl"
ROI_FILE = "roi_prediction_model_latest.pkl"
METADATA_FILE = "model_metadata_latest.json"
HISTORY_FILE = "history_latest.json"
REQUIRED = (WIN_FILE, ROI_FILE, METADATA_FILE)
_SETTLED = "settled bets"  # no file of the copy, but part of what the set is made of

_CHUNK = 1024 * 1024
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MAX_BYTES = 256 * 1024 * 1024

# Other endings under which a model may lie; what it is, its content tells. A copy has the first name.
_ENDINGS = (".pkl", ".joblib", ".pkl.gz", ".joblib.gz", ".pkl.zst", ".joblib.zst", ".ubj", ".json")

Signature = tuple[tuple[str, int, int, int], ...]


class Incomplete(ModelError):
    """A file of the set is missing."""

    code = "incomplete"


class Changing(ModelError):
    """A file of the set changed while it was read."""

    code = "incomplete"


@dataclass(frozen=True, slots=True)
class UserFiles:
    """A copied set: where it is, SHA-256 of each file, and one over all."""

    folder: Path
    files: Mapping[str, str]
    sha256: str


def _places(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name in a copy, and where it lies, of each file of the set that is there."""
    for name in (*REQUIRED, HISTORY_FILE):
        stem = name.removesuffix(_ENDINGS[0])
        for path in [folder / f"{stem}{ending}" for ending in _ENDINGS] if stem != name else [folder / name]:
            if path.exists():
                yield name, path


def signature(folder: Path) -> Signature:
    """What a look at the folder sees of each file: name, time of change, size, inode. Any write changes it."""
    found = []
    for name, path in _places(folder):
        try:
            status = path.stat()
        except OSError:
            continue
        found.append((name, status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


def last_change(folder: Path) -> float | None:
    """When a file of the set in `folder` was last written, renamed or touched (seconds since the epoch, ctime)."""
    found = []
    for _, path in _places(folder):
        try:
            found.append(path.stat().st_ctime)
        except OSError:
            continue
    return max(found, default=None)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of the set in `folder` that can be read."""
    found = {}
    for name, path in _places(folder):
        try:
            if path.is_file():
                with path.open("rb") as file:
                    found[name] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            continue
    return found


def files_of(folder: Path) -> dict[str, Path]:
    """Where each file of the set in `folder` lies, by its name in a copy.

    Raises:
        Incomplete: a required file is missing, or the folder is.
        ModelError: two files are there for one model.
    """
    if not folder.is_dir():
        raise Incomplete(f"{folder} is not a folder: name one that holds {', '.join(REQUIRED)}")
    found: dict[str, Path] = {}
    for name, path in _places(folder):
        if name in found:
            raise ModelError(f"{folder} has {found[name].name}, {path.name}: which one counts? Take the other away")
        found[name] = path
    missing = [name for name in REQUIRED if name not in found]
    if missing:
        others = [path.name for name in missing for path in sorted(folder.glob(f"{Path(name).stem}.*"))]
        hint = f"; {', '.join(others)} ends otherwise than in {', '.join(_ENDINGS)}" if others else ""
        raise Incomplete(f"{folder} has no {', '.join(missing)}: a set counts once it is complete{hint}")
    return found


def sha256_of(folder: Path) -> str:
    """The digest over the set in `folder`, as a copy of it would have it."""
    return _combined(digests(folder))


def take_copy(folder: Path, into: Path) -> UserFiles:
    """Copy the set in `folder` into the empty folder `into`.

    Raises:
        Incomplete: a required file is missing, or the folder is.
        Changing: it was written to meanwhile.
        ModelError: a file can't be read or copied, or two are there for one model.
    """
    before = signature(folder)
    places = files_of(folder)
    files = {}
    for name in places:
        try:
            about = places[name].stat()
            if not stat.S_ISREG(about.st_mode) or about.st_size > _MAX_BYTES:
                raise ModelError(f"{places[name]} is no file of up to {_MAX_BYTES:,} bytes: put the model itself there")
            files[name] = _copy(places[name], into / name)
        except FileNotFoundError as cause:
            raise Changing(f"{name} vanished while it was read: looking again") from cause
        except OSError as cause:
            if cause.errno in _NO_ROOM:
                raise ModelError(
                    f"{places[name]} can't be copied ({cause.strerror}): make room on the disk of {into.parent}"
                ) from cause
            raise ModelError(f"{places[name]} can't be read ({cause.strerror}): check its rights") from cause
    if signature(folder) != before:
        raise Changing(f"{folder} was written to while it was read: looking again")
    return UserFiles(into, files, _combined(files))


def with_history(copy: UserFiles, history: Mapping[str, Any], made_of: str | None = None) -> UserFiles:
    """The copy with this history instead of its own, and the digest that goes with it.

    Args:
        copy: of the user's files.
        history: as `History.to_json` writes it.
        made_of: SHA-256 of the settled bets that it was made of.
    """
    path = copy.folder / HISTORY_FILE
    path.write_text(json.dumps(history), encoding="utf-8")
    files = {**copy.files, HISTORY_FILE: hashlib.sha256(path.read_bytes()).hexdigest()}
    if made_of is not None:
        files[_SETTLED] = made_of
    return UserFiles(copy.folder, files, _combined(files))


def _combined(files: Mapping[str, str]) -> str:
    """SHA-256 over names and digests of files."""
    digest = hashlib.sha256()
    for name, sha256 in sorted(files.items()):
        digest.update(f"{name}\0{sha256}\n".encode())
    return digest.hexdigest()


def _copy(source: Path, target: Path) -> str:
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as write:
        while chunk := read.read(_CHUNK):
            digest.update(chunk)
            write.write(chunk)
        os.fchmod(write.fileno(), 0o644)
    return digest.hexdigest()
