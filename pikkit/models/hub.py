"""The model set of the moment, in every worker: found at the start, swapped while serving.

The workers of an instance agree on a set (`pikkit.models.shared_set`). Each sees twice a second whether there is a
newer one, and loads it. A swap is one assignment, so a request that took the set keeps it to its end.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import Timeout

from pikkit.errors import ModelError, outlived
from pikkit.models.loading import load_set
from pikkit.models.model_set import ModelSet
from pikkit.models.shared_set import SharedSet
from pikkit.models.user_files import Changing
from pikkit.settings import Settings
from pikkit.telemetry.logs import Repeated, get_logger

__all__ = ["ModelHub", "ReloadResult", "ReloadStatus"]

_POLL_S = 0.5
_LOCK_WAIT_S = 240.0  # above the time limit of a conversion
_TRIES = 20

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
            on_success: told while nothing is wrong, whichever worker's look found that.
        """
        self._folder = settings.model_dir
        self._interval = settings.reload_interval
        self._on_failure = on_failure
        self._on_success = on_success
        self.current: ModelSet | None = None  # the set that serves
        self._loaded_at: float | None = None
        self.load_seconds = 0.0  # that the last set took
        self._adopted: tuple[str, str] | None = None  # folder and source
        self._unloadable: tuple[str, str] | None = None  # folder, and why this worker can't load it
        self._load_again_at = 0.0
        self._ending = threading.Event()
        self._shared = SharedSet(
            settings, runtime_dir / "models", self._ending, on_failure=on_failure, on_success=on_success
        )
        self._adopting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._on_swap: Callable[[ModelSet], None] = lambda _models: None
        self._failed = Repeated(_log, "looking for models failed")

    def load_initial(self) -> None:
        """Find a set and load it; the first worker converts, the others wait for it.

        Raises:
            ModelError: there is none that can be used. The hub keeps looking once it is started.
        """
        try:
            with self._shared.lock.acquire(timeout=_LOCK_WAIT_S):
                if self._shared.read().folder is None:
                    self._shared.look(settle=False)
            self._adopt()
            if self._unloadable:  # its files were damaged meanwhile: make them again
                with self._shared.lock.acquire(timeout=_LOCK_WAIT_S):
                    self._shared.forget()
                    self._shared.look(settle=False)
                self._unloadable = None
                self._adopt()
        except Timeout as cause:
            raise ModelError("another worker takes too long to convert the model set: looking again later") from cause
        except OSError as cause:
            raise ModelError(f"what workers agree on can't be written ({cause.strerror}): check DATA_DIR") from cause
        if self.current is None:
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
        shared = self._shared.read()
        error = shared.error or (self._unloadable[1] if self._unloadable else None)
        return ReloadStatus(error, shared.checked or None, self._loaded_at, shared.failures)

    def _reload_now(self) -> ReloadResult:
        before = self.current.sha256 if self.current else None
        try:
            for _ in range(_TRIES):
                with self._shared.lock.acquire(timeout=_LOCK_WAIT_S):
                    if self._shared.look(settle=True, again=True):
                        break
            else:
                raise Changing(f"{self._folder} is still being written to: try again once its writer is done")
        except Timeout as cause:
            raise ModelError("another worker is still converting a model set: try again in a minute") from cause
        self._adopt()
        error = self.status().reload_error
        if error or self.current is None:
            raise ModelError(error or "no model set is there")
        changed = self.current.sha256 != before
        message = f"model set {self.current.version} " + ("is loaded" if changed else "was loaded already")
        return ReloadResult(changed, self.current.version, message)

    def _watch(self) -> None:
        while not self._ending.wait(_POLL_S):
            with outlived(self._failed), suppress(Timeout):  # another worker looks
                self._adopt()  # before a look of its own, which takes a while
                if not self.status().reload_error:
                    self._on_success()
                if time.time() - self._shared.read().checked >= self._interval:
                    with self._shared.lock.acquire(timeout=0):
                        if time.time() - self._shared.read().checked >= self._interval:
                            self._shared.look(settle=True)
                    self._adopt()

    def _adopt(self) -> None:
        """Load what the workers agreed on, if this one does not serve it yet."""
        with self._adopting:
            shared = self._shared.read()
            if shared.folder is None or (shared.folder, shared.source) == self._adopted:
                return
            if self._unloadable and self._unloadable[0] == shared.folder and time.monotonic() < self._load_again_at:
                return
            with outlived(partial(self._not_loaded, shared.folder)):
                begin = time.perf_counter()
                models = load_set(Path(shared.folder), tag=shared.tag, source=shared.source)
                self.load_seconds = time.perf_counter() - begin
                if self._thread:
                    self._on_swap(models)
                self._unloadable = None
                self.current = models
                self._loaded_at = time.time()
                self._adopted = shared.folder, shared.source

    def _not_loaded(self, folder: str, cause: Exception) -> None:
        """The old set serves on; it is told once."""
        why = cause.message if isinstance(cause, ModelError) else f"the set can't be loaded: {cause!r:.200}"
        if self._unloadable != (folder, why):
            _log.error("model set can't be loaded, the old one serves", reason=why)
            self._on_failure(cause.code if isinstance(cause, ModelError) else "internal_error")
        self._unloadable = (folder, why)
        self._load_again_at = time.monotonic() + self._interval
