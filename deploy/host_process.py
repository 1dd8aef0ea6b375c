"""Runs a command of one host: its lines come out with the host's name, a first Ctrl-C lets it end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import IO, Protocol

__all__ = ["Interrupts", "Output", "Runner", "capture", "run_streamed"]

_ENDS_S = 10


@dataclass(frozen=True, slots=True)
class Output:
    """What a command that was captured has left; `code` is None when it took too long."""

    code: int | None
    stdout: str
    stderr: str


@dataclass(slots=True)
class Interrupts:
    """Counts SIGINT and SIGTERM while it is watching.

    The first lets the host in hand end; the second is passed on to it.
    """

    count: int = 0
    say: Callable[[str], None] = lambda _: None
    running: subprocess.Popen[str] | None = field(default=None)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Own handlers within the block."""
        before = {number: signal.signal(number, self._take) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.count += 1
        if self.count == 1:
            self.say("interrupted: the host in hand is let end, no other is begun; once more cuts it short")
        elif self.running is not None:
            with contextlib.suppress(ProcessLookupError):
                self.running.send_signal(signal.SIGINT)


class Runner(Protocol):
    """Runs an argument list with an environment, gives each line to `line`, returns the exit code."""

    def __call__(self, argv: Sequence[str], environment: Mapping[str, str], line: Callable[[str], None], /) -> int:
        """128 + n where signal n ended it."""
        ...


def run_streamed(
    interrupts: Interrupts, argv: Sequence[str], environment: Mapping[str, str], line: Callable[[str], None]
) -> int:
    """A `Runner` once `interrupts` is bound. In a session of its own, so that the terminal's Ctrl-C does not reach it.

    Returns:
        The exit code; 128 + the signal that ended it.
    """
    process = _started(argv, environment, errors=subprocess.STDOUT)
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    interrupts.running = process
    reader = threading.Thread(target=_pass_on, args=(process.stdout, line), daemon=True)
    reader.start()
    code = process.wait()
    interrupts.running = None
    reader.join(_ENDS_S)  # a grandchild may hold the other end for good: then the pipe is left to it
    return code if code >= 0 else 128 - code


def _pass_on(stream: IO[str], line: Callable[[str], None]) -> None:
    with stream:
        for text in stream:
            line(text.rstrip("\n"))


def capture(argv: Sequence[str], environment: Mapping[str, str], seconds: float) -> Output:
    """Run to its end within `seconds`; the whole session is ended otherwise."""
    with _started(argv, environment, errors=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            return Output(None, out, err)
        return Output(process.returncode, out, err)


def _started(argv: Sequence[str], environment: Mapping[str, str], *, errors: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        list(argv),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        errors="replace",
        start_new_session=True,
    )
