"""What the workers of an instance agree on: which model set serves, and how the last looks at MODEL_DIR went.

The workers share a runtime folder. One of them at a time looks at MODEL_DIR (a file lock decides), converts what is new
in a child process, and lays the result down before it changes the `current` file, which all of them read.

Which set: the active import (`pikkit.models.activation`), in local servers, as long as MODEL_DIR's files are as they
were; else the one in MODEL_DIR when it is complete; else the newest in the model store (inside a Bento: its own; a
deployed slot stays with the one that it found). One in MODEL_DIR that can't be used leaves the old one serving, and is
tried again: when its files change, and now and then as they are, in case it was not their fault.
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

from pikkit.errors import ModelError, outlived
from pikkit.files import replace_file
from pikkit.models import activation, store
from pikkit.models.conversion import convert
from pikkit.models.loading import MANIFEST, is_sound
from pikkit.models.user_files import (
    METADATA_FILE,
    REQUIRED,
    ROI_FILE,
    WIN_FILE,
    Changing,
    Incomplete,
    Signature,
    UserFiles,
    digests,
    signature,
    take_copy,
)
from pikkit.settings import Settings
from pikkit.telemetry.logs import get_logger

__all__ = ["LOCAL", "SharedSet", "State"]

LOCAL = "local"  # the DEPLOYMENT of a server that follows imports

_SETTLE_S = 1.0  # a set counts once nobody has written to it for so long
_SETTLE_PART_S = 5.0  # and for so long where some of its files are those of the set that serves
_MAX_RETRY_S = 3600.0
_KEPT_SETS = 3  # on disk; a worker that loads slowly must still find its set

_log = get_logger("pikkit.reload")


@dataclass(frozen=True, slots=True)
class State:
    """The `current` file: what the workers of an instance agree on."""

    folder: str | None = None
    source: str = ""  # where it came from: import, MODEL_DIR or store
    active: str = ""  # the active import that was dealt with
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


class SharedSet:
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
        self._is_local = settings.deployment == LOCAL
        self._runtime = folder
        self._runtime.mkdir(parents=True, exist_ok=True)
        self._file = folder / "current"
        self._unwritten: State | None = None
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
        state = self.read()
        now = signature(self._folder)
        if now != self._quiet[0]:
            self._quiet = (now, time.monotonic())
        if state.folder and not (Path(state.folder) / MANIFEST).is_file():  # swept away with other old files
            state = _without_set(state)
        imported = activation.active() if self._is_local else None
        active = f"{imported.tag} {imported.at}" if imported else ""
        seen = [list(entry) for entry in now]
        is_new = seen != state.seen or active != state.active
        is_settled = bool(state.folder and (now or state.source == "import"))  # a newer one in the store may follow
        is_dealt_with = state.retry_at > time.time() if state.error else is_settled
        if not again and not is_new and is_dealt_with:
            self._write(replace(state, checked=time.time()))
            return True

        def refused(cause: Exception) -> None:
            nonlocal state
            state = self._refused(state, cause, imported, is_new=is_new)

        try:
            with outlived(refused, but=(Changing,)):  # whatever it is, the old set serves, and it is told once
                # Files that were taken away are no reason to serve others.
                own = bool(now or state.source == "MODEL_DIR")
                outranks = imported and imported.outranks(self._folder) and (now or not own or active != state.active)
                found = store.find(imported.sha256, imported.tag) if imported and outranks else None
                if found:
                    state = replace(_serving(state, found, "import"), files=digests(self._folder), taken=seen)
                elif own:
                    state = self._take(state, settle=settle, again=again)
                else:
                    state = self._carried(state, imported)
                self._on_success()
        except Changing:
            self._write(replace(state, checked=0.0))
            return False
        self._write(replace(state, seen=seen, active=active, checked=time.time()))
        return True

    def _take(self, state: State, *, settle: bool, again: bool) -> State:
        """The state with the set that lies in MODEL_DIR now, converted; as it is, if that one serves already."""
        before = signature(self._folder)
        if settle and before:
            self._ending.wait(_SETTLE_S)
            if signature(self._folder) != before:
                raise Changing("it is being written")
        with tempfile.TemporaryDirectory(dir=self._runtime, prefix="copy-") as name:
            copy = take_copy(self._folder, Path(name))
            taken = [list(entry) for entry in before]
            if copy.sha256 != state.sha256:
                _check_consistent(copy, state, taken)
                is_part = any(copy.files[name] == state.files.get(name) for name in REQUIRED)
                if is_part and not again and time.monotonic() - self._quiet[1] < _SETTLE_PART_S:
                    raise Changing("more files may follow")
                folder, tag = self._converted(copy)
                state = replace(state, folder=str(folder), tag=tag, sha256=copy.sha256, files=dict(copy.files))
        return replace(state, source="MODEL_DIR", files=dict(copy.files), taken=taken, error=None, tries=0)

    def _carried(self, state: State, imported: activation.Activation | None) -> State:
        """The state with a set from the model store, as there are no files of use.

        Raises:
            Incomplete: it has none.
        """
        if state.source == "store" and state.folder and not self._is_local:
            return replace(state, error=None, tries=0)  # what is imported meanwhile is not for a deployed slot
        active = store.find(imported.sha256, imported.tag) if imported else None
        found = active or store.newest()
        if found is None:
            raise Incomplete(
                f"no model set in MODEL_DIR ({self._folder}) or the model store ({activation.home()}): "
                "import one with import_models.py"
            )
        return _serving(state, found, "import" if active else "store")

    def _refused(
        self, state: State, cause: Exception, imported: activation.Activation | None, *, is_new: bool
    ) -> State:
        """The state after a failure: told once, and tried again, ever more seldom where it costs something."""
        known = isinstance(cause, (ModelError, OSError))
        message = cause.message if isinstance(cause, ModelError) else f"the set could not be taken: {cause!r:.200}"
        if is_new or message != state.error:
            event = "model set refused, the old one serves" if state.folder else "model set refused"
            _log.error(event, reason=message, exc_info=None if known else cause)
            self._on_failure(cause.code if isinstance(cause, ModelError) else "internal_error")
            state = replace(state, error=message, failures=state.failures + 1, tries=0)
        wait = 0.0 if isinstance(cause, Incomplete) else min(self._interval * 2**state.tries, _MAX_RETRY_S)
        state = replace(state, tries=min(state.tries + 1, 20), retry_at=time.time() + wait)
        if state.folder is None:  # nothing serves yet: better the set from the store than none
            try:
                state = replace(self._carried(state, imported), error=message, tries=state.tries)
            except ModelError:
                return state
            _log.warning("the set from the model store serves instead", tag=state.tag)
        return state

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

    def read(self) -> State:
        """The `current` file; of a worker that can't write it, what it would say."""
        unwritten = self._unwritten  # another thread may write it meanwhile
        if unwritten:
            return unwritten
        try:
            return State(**json.loads(self._file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return State()

    def _write(self, state: State) -> None:
        try:
            replace_file(self._file, json.dumps(asdict(state)).encode())
        except OSError as error:  # each worker comes to the same by its own looks
            if self._unwritten is None:
                reason = error.strerror or str(error)
                _log.error(
                    "what serves can't be written down for the other workers", reason=reason, file=str(self._file)
                )
            self._unwritten = state
        else:
            self._unwritten = None


def _serving(state: State, found: store.Stored, source: str) -> State:
    """The state with this set of the store."""
    if state.folder != str(found.folder):
        sha256 = found.load().sha256
        state = replace(state, folder=str(found.folder), tag=found.tag, sha256=sha256)
    return replace(state, source=source, files={}, error=None, tries=0)


def _without_set(state: State) -> State:
    return replace(state, folder=None, source="", sha256=None, files={}, seen=[], taken=[])


def _check_consistent(copy: UserFiles, state: State, now: list[list[Any]]) -> None:
    """Refuse new models under old metadata: the trainer has not written its last file yet.

    Raises:
        Incomplete: so it is.
    """
    if state.files.get(METADATA_FILE) != copy.files[METADATA_FILE]:
        return
    if any(entry[0] == METADATA_FILE and entry not in state.taken for entry in now):
        return  # written again, with the same content
    changed = [name for name in (WIN_FILE, ROI_FILE) if copy.files[name] != state.files.get(name)]
    if not changed:
        return  # a new history for the same models
    raise Incomplete(
        f"{' and '.join(changed)} changed, but {METADATA_FILE} did not: a new set counts once its metadata is "
        "written too (touch it, if it stays as it is)"
    )
