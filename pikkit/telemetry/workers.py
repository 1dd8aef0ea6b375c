"""The worker processes of one service instance: who lives, and what each last said of itself.

Each worker holds a lock on a file of its own for as long as it lives. The kernel frees the lock when the process
ends, however it ends, so a killed worker is seen at the next look even when its parent has not reaped it, and a
recycled process id can't stand in for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client.multiprocess import mark_process_dead

__all__ = ["Workers"]

_SUFFIX = ".worker"


class Workers:
    """The workers that share `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None
        self._length = 0

    @property
    def joined(self) -> bool:
        """Whether this process is one of the workers."""
        return self._file is not None

    def join(self, state: Mapping[str, Any]) -> None:
        """Count this process as a worker until it ends; a second call only publishes `state`."""
        if self._file is None:
            path = self._folder / f"{os.getpid()}{_SUFFIX}"
            unborn = path.with_suffix(".unborn")  # locked before it gets its name: never seen unlocked while alive
            self._file = os.open(unborn, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self.publish(state)
            unborn.rename(path)
        else:
            self.publish(state)

    def publish(self, state: Mapping[str, Any]) -> None:
        """Replace what this worker says of itself (plain JSON values); nothing before `join`."""
        if self._file is None:
            return
        text = json.dumps(state).encode()
        # One write, padded over the rest of a longer predecessor: a reader never sees half a state.
        os.pwrite(self._file, text.ljust(self._length), 0)
        self._length = max(self._length, len(text))

    def alive(self) -> dict[int, dict[str, Any]]:
        """State of each living worker by process id; what dead ones left of their gauges is removed."""
        states: dict[int, dict[str, Any]] = {}
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError), path.open("rb") as file:
                if _is_free(file.fileno()):
                    self._bury(path)
                else:
                    states[int(path.stem)] = json.loads(file.read())
        return states

    def _bury(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):  # another worker may do the same at this moment
            mark_process_dead(int(path.stem), path=str(self._folder))  # type: ignore[no-untyped-call]
        path.unlink(missing_ok=True)


def _is_free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
