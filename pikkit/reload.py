"""The model set of the moment, in every worker: found at the start, swapped while serving.

The workers of an instance share its runtime folder. One of them at a time looks at MODEL_DIR (a file lock decides),
converts what is new in a child process, and lays the result down before it changes the `current` file; each worker
reads that file twice a second and loads what it names. A swap is one assignment, so a request that took the set
keeps it to its end.

Which set: the one in MODEL_DIR when it is complete; else the newest in the model store (inside a Bento: its own).
One in MODEL_DIR that can't be used leaves the old one serving, and is tried again: when its files change, and now and
then as they are, in case it was not their fault.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pikkit import store
from pikkit.bundle import MANIFEST, ModelSet, is_sound, load_set
from pikkit.convert import convert
from pikkit.errors import ModelError
from pikkit.logs import get_logger
from pikkit.settings import Settings
from pikkit.userfiles import (
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

__all__ = ["ModelHub", "ReloadResult", "ReloadStatus"]

_POLL_S = 0.5
_SETTLE_S = 1.0  # a set counts once nobody has written to it for so long
_SETTLE_PART_S = 5.0  # and for so long where some of its files are those of the set that serves
_LOCK_WAIT_S = 240.0  # above the time limit of a conversion
_TRIES = 20
_MAX_RETRY_S = 3600.0
_KEPT_SETS = 3  # on disk; a worker that loads slowly must still find its set

_log = get_logger("pikkit.reload")


@dataclass(frozen=True, slots=True)
class ReloadStatus:
    """How the last looks at MODEL_DIR went. Times are seconds since the epoch."""

    reload_error: str | None = None
    last_checked: float | None = None
    loaded_at: float | None = None
    failures_total: int = 0


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """What a look at MODEL_DIR came to."""

    changed: bool
    version: str
    message: str


@dataclass(frozen=True, slots=True)
class _Shared:
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


class ModelHub:
    """Holds the set that this worker serves."""

    def __init__(
        self,
        settings: Settings,
        runtime_dir: Path,
        *,
        on_failure: Callable[[str], None] = lambda _code: None,
        on_success: Callable[[], None] = lambda: None,
    ) -> None:
        """Make one; it holds nothing before `load_initial`.

        Args:
            settings: MODEL_DIR and RELOAD_INTERVAL.
            runtime_dir: shared by the workers of this instance.
            on_failure: told the error code of each set that can't be used, in the worker that found it.
            on_success: told when a look found nothing wrong.
        """
        self._folder = settings.model_dir
        self._interval = settings.reload_interval
        self._runtime = runtime_dir / "models"
        self._runtime.mkdir(parents=True, exist_ok=True)
        self._file = self._runtime / "current"
        self._lock = FileLock(self._runtime / "lock")
        self._on_failure = on_failure
        self._on_success = on_success
        self._current: ModelSet | None = None
        self._loaded_at: float | None = None
        self._adopted: str | None = None
        self._unloadable: tuple[str, str] | None = None  # folder, and why this worker can't load it
        self._load_again_at = 0.0
        self._quiet: tuple[Signature, float] = ((), 0.0)  # what lies in MODEL_DIR, and since when
        self._ending = threading.Event()
        self._adopting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._on_swap: Callable[[ModelSet], None] = lambda _models: None

    @property
    def current(self) -> ModelSet | None:
        """The set that serves; None before the first."""
        return self._current

    def load_initial(self) -> None:
        """Find a set and load it; the first worker converts, the others wait for it.

        Raises:
            ModelError: there is none that can be used. The hub keeps looking once it is started.
        """
        try:
            with self._lock.acquire(timeout=_LOCK_WAIT_S):
                if self._read().folder is None:
                    self._look(settle=False)
            self._adopt()
            if self._unloadable:  # its files were damaged meanwhile: make them again
                with self._lock.acquire(timeout=_LOCK_WAIT_S):
                    self._write(_without_set(self._read()))
                    self._look(settle=False)
                self._unloadable = None
                self._adopt()
        except Timeout as cause:
            raise ModelError("another worker takes too long to convert the model set: looking again later") from cause
        if self._current is None:
            raise ModelError(self.status().reload_error or f"no model set in {self._folder} or the model store")

    def start(self, on_swap: Callable[[ModelSet], None]) -> None:
        """Watch from now on, in a thread of this worker; `on_swap` is called there for each new set."""
        self._on_swap = on_swap
        self._thread = threading.Thread(target=self._watch, name="reload", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._ending.set()

    async def reload_now(self) -> ReloadResult:
        """Look at MODEL_DIR now, whatever was seen there before.

        Raises:
            ModelError: what lies there can't be used; the old set keeps serving.
        """
        return await asyncio.to_thread(self._reload_now)

    def status(self) -> ReloadStatus:
        """How the last looks went, for all workers together."""
        shared = self._read()
        error = shared.error or (self._unloadable[1] if self._unloadable else None)
        return ReloadStatus(error, shared.checked or None, self._loaded_at, shared.failures)

    def _reload_now(self) -> ReloadResult:
        before = self._current.sha256 if self._current else None
        try:
            for _ in range(_TRIES):
                with self._lock.acquire(timeout=_LOCK_WAIT_S):
                    if self._look(settle=True, again=True):
                        break
            else:
                raise Changing(f"{self._folder} is still being written to: try again once its writer is done")
        except Timeout as cause:
            raise ModelError("another worker is still converting a model set: try again in a minute") from cause
        self._adopt()
        error = self.status().reload_error
        if error or self._current is None:
            raise ModelError(error or "no model set is there")
        changed = self._current.sha256 != before
        message = f"model set {self._current.version} " + ("is loaded" if changed else "was loaded already")
        return ReloadResult(changed, self._current.version, message)

    def _watch(self) -> None:
        told = ""
        while not self._ending.wait(_POLL_S):
            try:
                self._adopt()  # before a look of its own, which takes a while
                if time.time() - self._read().checked >= self._interval:
                    with self._lock.acquire(timeout=0):
                        if time.time() - self._read().checked >= self._interval:
                            self._look(settle=True)
                    self._adopt()
                told = ""
            except Timeout:
                continue  # another worker looks
            except Exception as cause:  # noqa: BLE001 - the watch must outlive a full disk
                if repr(cause) != told:
                    told = repr(cause)
                    _log.error("looking for models failed", exc_info=cause)

    def _look(self, *, settle: bool, again: bool = False) -> bool:
        """Look at MODEL_DIR and make what is new the current set of all workers. Needs the lock.

        Args:
            settle: wait until nobody writes; at the start there is nothing to serve meanwhile.
            again: also look at what was dealt with before.

        Returns:
            False where somebody is writing, so that it is to be looked at again soon.
        """
        shared = self._read()
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

    def _take(self, shared: _Shared, *, settle: bool, again: bool) -> _Shared:
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

    def _carried(self, shared: _Shared) -> _Shared:
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

    def _refused(self, shared: _Shared, cause: Exception, *, is_new: bool) -> _Shared:
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

    def _adopt(self) -> None:
        """Load what the workers agreed on, if this one does not serve it yet."""
        with self._adopting:
            shared = self._read()
            if shared.folder is None or shared.folder == self._adopted:
                return
            if self._unloadable and self._unloadable[0] == shared.folder and time.monotonic() < self._load_again_at:
                return
            try:
                models = load_set(Path(shared.folder), tag=shared.tag)
                if self._thread:
                    self._on_swap(models)
            except Exception as cause:  # noqa: BLE001 - the old set serves on
                why = cause.message if isinstance(cause, ModelError) else f"the set can't be loaded: {cause!r:.200}"
                if self._unloadable != (shared.folder, why):
                    _log.error("model set can't be loaded, the old one serves", reason=why)
                    self._on_failure(cause.code if isinstance(cause, ModelError) else "internal_error")
                self._unloadable = (shared.folder, why)
                self._load_again_at = time.monotonic() + self._interval
                return
            self._unloadable = None
            self._current = models
            self._loaded_at = time.time()
            self._adopted = shared.folder

    def _read(self) -> _Shared:
        try:
            return _Shared(**json.loads(self._file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return _Shared()

    def _write(self, shared: _Shared) -> None:
        with tempfile.NamedTemporaryFile("w", dir=self._runtime, delete=False, encoding="utf-8") as file:
            json.dump(asdict(shared), file)
        Path(file.name).replace(self._file)


def _without_set(shared: _Shared) -> _Shared:
    return replace(shared, folder=None, sha256=None, files={}, seen=[], taken=[])


def _check_consistent(copy: UserFiles, shared: _Shared, now: list[list[Any]]) -> None:
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
