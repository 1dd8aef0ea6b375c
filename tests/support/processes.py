"""Real processes for tests: started in their own group, waited for, always stopped by pid."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.support.waiting import PATIENCE_S, pauses


class Process:
    """A running program whose output goes to a file; a context manager that stops it and its children."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.log = log
        with log.open("ab") as out:
            self.popen = subprocess.Popen(
                [str(part) for part in command],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id, and the id of the process group."""
        return self.popen.pid

    def tail(self, lines: int = 30) -> str:
        """The last lines of the output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def wait_until_http(
        self, url: str, *, seconds: float = PATIENCE_S, headers: Mapping[str, str] | None = None
    ) -> float:
        """Wait until `url` answers with 200; returns the seconds that it took.

        Raises:
            RuntimeError: the process ended, or the time is over; the message holds the last output.
        """
        begin = time.monotonic()
        resting = pauses()
        while time.monotonic() - begin < seconds:
            if self.popen.poll() is not None:
                raise RuntimeError(f"ended with {self.popen.returncode} before {url} answered:\n{self.tail()}")
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(url, timeout=10, headers=headers).status_code == httpx.codes.OK:
                    return time.monotonic() - begin
            time.sleep(next(resting))
        raise RuntimeError(f"{url} did not answer within {seconds:g} s:\n{self.tail()}")

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send a signal to the process itself."""
        self.popen.send_signal(number)

    def stop(self, *, grace: float = PATIENCE_S) -> int:
        """SIGTERM, then SIGKILL to the whole group once the grace is over; returns the exit status."""
        if self.popen.poll() is None:
            self.popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(grace)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self.popen.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
