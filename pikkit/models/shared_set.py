"""What the workers of an instance agree on: which model set serves, and how the last looks at MODEL_DIR went.

The workers share a runtime folder. One of them at a time looks at MODEL_DIR (a file lock decides), converts what is new
in a child process, and lays the result down before it changes the `current` file, which all of them read.

Which set: the one in MODEL_DIR when it is complete; else the newest in the model store (inside a Bento: its own).
One in MODEL_DIR that can't be used leaves the old one serving, and is tried again: when its files change, and now and
then as they are, in case it was not their fault.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from pikkit.errors import ModelError
from pikkit.models import store
from pikkit.models.conversion import convert
from pikkit.models.model_set import MANIFEST, is_sound
from pikkit.models.user_files import (
    METADATA_FILE,
    REQUIRED,
    ROI_FILE,
    WIN_FILE,
    Changing,
    Incomplete,
    Signature,
    UserFiles,
    signature,
    take_copy,
)
from pikkit.settings import Settings
from pikkit.telemetry.logs import get_logger

__all__ = ["Agreement", "Shared"]

_SETTLE_S = 1.0  # a set counts once nobody has written to it for so long
_SETTLE_PART_S = 5.0  # and for so long where some of its files are those of the set that serves
_MAX_RETRY_S = 3600.0
_KEPT_SETS = 3  # on disk; a worker that loads slowly must still find its set

_log = get_logger("pikkit.reload")


@dataclass(frozen=True, slots=True)
class Shared:
    """The `current` file: what the workers of an instance agree on."""

    folder: str | None = None
    tag: str | None = None
    sha256: str | None = None
    files: dict[str, str] = field(default_factory=dict)
    seen: list[list[Any]] = field(default_factory=list)  # signature of MODEL_DIR that was dealt with
    taken: list[list[Any]] = field(default_factory=list)  # and of the set that serves
    error: str | None = None
    failures: int = 0
    tries: int = 0  # of what lies there now
    retry_at: float = 0.0
    checked: float = 0.0


class Agreement:
    """Read by every worker at any time; changed by the one that holds `lock`."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        ending: threading.Event,
        *,
        on_failure: Callable[[str], None],
        on_success: Callable[[], None],
    ) -> None:
        """Make one, and its folder.

        Args:
            settings: MODEL_DIR and RELOAD_INTERVAL.
            folder: shared by the workers of this instance.
            ending: set when this worker ends, so that a look does not wait on.
            on_failure: told the error code of each set that can't be used, in the worker that found it.
            on_success: told when a look found nothing wrong.
        """
        self._folder = settings.model_dir
        self._interval = settings.reload_interval
        self._runtime = folder
        self._runtime.mkdir(parents=True, exist_ok=True)
        self._file = folder / "current"
        self.lock = FileLock(folder / "lock")
        self._ending = ending
        self._on_failure = on_failure
        self._on_success = on_success
        self._quiet: tuple[Signature, float] = ((), 0.0)  # what lies in MODEL_DIR, and since when

    def forget(self) -> None:
        """Have the set that serves made again by the next look. Needs the lock."""
        self._write(_without_set(self.read()))

    def look(self, *, settle: bool, again: bool = False) -> bool:
        """Look at MODEL_DIR and make what is new the current set of all workers. Needs the lock.

        Args:
            settle: wait until nobody writes; at the start there is nothing to serve meanwhile.
            again: also look at what was dealt with before.

        Returns:
            False where somebody is writing, so that it is to be looked at again soon.
        """
        shared = self.read()
        now = signature(self._folder)
        if now != self._quiet[0]:
            self._quiet = (now, time.monotonic())
        if shared.folder and not (Path(shared.folder) / MANIFEST).is_file():  # swept away with other old files
            shared = _without_set(shared)
        seen = [list(entry) for entry in now]
        is_dealt_with = shared.retry_at > time.time() if shared.error else bool(shared.folder and now)
        if not again and seen == shared.seen and is_dealt_with:
            self._write(replace(shared, checked=time.time()))
            return True
        try:
            has_files = bool(now or shared.files)  # files that were taken away are no reason to serve others
            shared = self._take(shared, settle=settle, again=again) if has_files else self._carried(shared)
            self._on_success()
        except Changing:
            self._write(replace(shared, checked=0.0))
            return False
        except Exception as cause:  # noqa: BLE001 - whatever it is, the old set serves, and it is told once
            shared = self._refused(shared, cause, is_new=seen != shared.seen)
        self._write(replace(shared, seen=seen, checked=time.time()))
        return True

    def _take(self, shared: Shared, *, settle: bool, again: bool) -> Shared:
        """The shared state with the set that lies there now, converted; as it is, if that one serves already."""
        before = signature(self._folder)
        if settle and before:
            self._ending.wait(_SETTLE_S)
            if signature(self._folder) != before:
                raise Changing("it is being written")
        with tempfile.TemporaryDirectory(dir=self._runtime, prefix="copy-") as name:
            copy = take_copy(self._folder, Path(name))
            taken = [list(entry) for entry in before]
            if copy.sha256 != shared.sha256:
                _check_consistent(copy, shared, taken)
                is_part = any(copy.files[name] == shared.files.get(name) for name in REQUIRED)
                if is_part and not again and time.monotonic() - self._quiet[1] < _SETTLE_PART_S:
                    raise Changing("more files may follow")
                folder, tag = self._converted(copy)
                shared = replace(shared, folder=str(folder), tag=tag, sha256=copy.sha256, files=dict(copy.files))
        return replace(shared, taken=taken, error=None, tries=0)

    def _carried(self, shared: Shared) -> Shared:
        """The shared state with the set from the model store, as there are no files.

        Raises:
            Incomplete: it has none.
        """
        found = store.newest()
        if found is None:
            raise Incomplete(
                f"no model set in MODEL_DIR ({self._folder}) or the model store: import one with import_models.py"
            )
        if shared.folder != str(found.folder):
            sha256 = found.load().sha256
            shared = replace(shared, folder=str(found.folder), tag=found.tag, sha256=sha256, files={})
        return replace(shared, error=None, tries=0)

    def _refused(self, shared: Shared, cause: Exception, *, is_new: bool) -> Shared:
        """The shared state after a failure: told once, and tried again, ever more seldom where it costs something."""
        known = isinstance(cause, ModelError)
        message = cause.message if isinstance(cause, ModelError) else f"the set could not be taken: {cause!r:.200}"
        if is_new or message != shared.error:
            event = "model set refused, the old one serves" if shared.folder else "model set refused"
            _log.error(event, reason=message, exc_info=None if known else cause)
            self._on_failure(cause.code if isinstance(cause, ModelError) else "internal_error")
            shared = replace(shared, error=message, failures=shared.failures + 1, tries=0)
        wait = 0.0 if isinstance(cause, Incomplete) else min(self._interval * 2**shared.tries, _MAX_RETRY_S)
        shared = replace(shared, tries=min(shared.tries + 1, 20), retry_at=time.time() + wait)
        if shared.folder is None:  # nothing serves yet: better the set from the store than none
            try:
                shared = replace(self._carried(shared), error=message, tries=shared.tries)
            except ModelError:
                return shared
            _log.warning("the set from the model store serves instead", tag=shared.tag)
        return shared

    def _converted(self, copy: UserFiles) -> tuple[Path, str | None]:
        """Folder and tag of the converted set: from the store, where it was imported, else made here."""
        stored = store.find(copy.sha256)
        if stored:
            return stored.folder, stored.tag
        sets = self._runtime / "sets"
        sets.mkdir(exist_ok=True)
        target = sets / copy.sha256[:32]
        if not is_sound(target):
            shutil.rmtree(target, ignore_errors=True)
            work = Path(tempfile.mkdtemp(dir=self._runtime, prefix="set-"))
            try:
                convert(copy, work / "set")
                (work / "set").rename(target)
            finally:
                shutil.rmtree(work, ignore_errors=True)
        target.touch()
        for old in sorted(sets.iterdir(), key=lambda path: path.stat().st_mtime)[:-_KEPT_SETS]:
            shutil.rmtree(old, ignore_errors=True)
        return target, None

    def read(self) -> Shared:
        """The `current` file."""
        try:
            return Shared(**json.loads(self._file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Shared()

    def _write(self, shared: Shared) -> None:
        with tempfile.NamedTemporaryFile("w", dir=self._runtime, delete=False, encoding="utf-8") as file:
            json.dump(asdict(shared), file)
        Path(file.name).replace(self._file)


def _without_set(shared: Shared) -> Shared:
    return replace(shared, folder=None, sha256=None, files={}, seen=[], taken=[])


def _check_consistent(copy: UserFiles, shared: Shared, now: list[list[Any]]) -> None:
    """Refuse new models under old metadata: the trainer has not written its last file yet.

    Raises:
        Incomplete: so it is.
    """
    if shared.files.get(METADATA_FILE) != copy.files[METADATA_FILE]:
        return
    if any(entry[0] == METADATA_FILE and entry not in shared.taken for entry in now):
        return  # written again, with the same content
    changed = [name for name in (WIN_FILE, ROI_FILE) if copy.files[name] != shared.files.get(name)]
    if not changed:
        return  # a new history for the same models
    raise Incomplete(
        f"{' and '.join(changed)} changed, but {METADATA_FILE} did not: a new set counts once its metadata is "
        "written too (touch it, if it stays as it is)"
    )
