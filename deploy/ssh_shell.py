"""One shell on another machine for many small scripts: a script costs a round trip, not a session and a login each."""

from __future__ import annotations

import contextlib
import os
import secrets
import selectors
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

__all__ = ["RemoteShell", "Said", "ShellEnded"]

_CHUNK = 65_536
# Told the lengths of a script and of its input, it reads them, runs the script, and ends both outputs with a token
# that nothing else holds. What a script leaves of its input is read away, or the next one would begin in it.
_LOOP = r"""
end() { printf '\n%s %s\n' TOKEN "$1"; printf '\n%s %s\n' TOKEN "$1" >&2; }
end 0
while read -r script input; do
    text=$(head -c "$script"; echo .)
    head -c "$input" | { sh -c "${text%.}"; code=$?; cat >/dev/null; exit $code; }
    end $?
done
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command there has left."""

    code: int
    out: bytes
    error: str


class ShellEnded(Exception):
    """The shell ended; the text is what was last heard of it."""


class _Output:
    """What was heard on one pipe since the last script's end."""

    def __init__(self, pipe: IO[bytes], token: bytes) -> None:
        self.pipe = pipe
        self._mark = b"\n" + token + b" "
        self._heard = bytearray()
        self._searched = 0

    def hear(self) -> bool:
        """Take what is there; False at the pipe's end."""
        more = os.read(self.pipe.fileno(), _CHUNK)
        self._heard += more
        return bool(more)

    def taken(self) -> tuple[bytes, int] | None:
        """What a script printed, and its exit code, once it has ended."""
        at = self._heard.find(self._mark, self._searched)
        if at < 0:
            self._searched = max(0, len(self._heard) - len(self._mark))
            return None
        end = self._heard.find(b"\n", at + 1)
        if end < 0:
            self._searched = at
            return None
        found = bytes(self._heard[:at]), int(self._heard[at + len(self._mark) : end])
        del self._heard[: end + 1]
        self._searched = 0
        return found

    def left(self) -> str:
        """What is not a script's."""
        return self._heard.decode(errors="replace").strip()


class RemoteShell:
    """`command` makes the command line that runs a script there; `seconds` is how long it may take to begin.

    One script at a time. After an exception of whatever kind it is used up.

    Raises:
        ShellEnded: it could not be started.
        TimeoutError: it did not begin.
    """

    def __init__(self, command: Callable[[str], Sequence[str]], seconds: float) -> None:
        token = secrets.token_hex(16)
        self._process = subprocess.Popen(
            command(_LOOP.replace("TOKEN", token)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # a terminal's Ctrl-C ends the command here, which still has to tidy up there
        )
        process = self._process
        assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018 - pipes were asked for
        self._input = process.stdin
        self._out, self._error = (_Output(pipe, token.encode()) for pipe in (process.stdout, process.stderr))
        for pipe in (process.stdin, process.stdout, process.stderr):
            os.set_blocking(pipe.fileno(), False)
        try:
            self._exchange(b"", seconds)
        except BaseException:
            self.close()
            raise

    def run(self, script: str, given: bytes, seconds: float) -> Said:
        """Run a script with an input.

        Raises:
            ShellEnded: the shell, or what leads to it, ended.
            TimeoutError: there was no answer.
        """
        text = script.encode()
        return self._exchange(f"{len(text)} {len(given)}\n".encode() + text + given, seconds)

    def close(self) -> None:
        """A script at work ends by itself."""
        with contextlib.suppress(OSError):
            self._input.close()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for output in (self._out, self._error):
            output.pipe.close()

    def _exchange(self, request: bytes, seconds: float) -> Said:
        end = time.monotonic() + seconds
        left = memoryview(request)
        waiting = dict.fromkeys((self._out, self._error))
        found: dict[_Output, tuple[bytes, int]] = {}
        with selectors.DefaultSelector() as selector:
            for output in waiting:
                selector.register(output.pipe, selectors.EVENT_READ, output)
            if left:
                selector.register(self._input, selectors.EVENT_WRITE)
            while len(found) < len(waiting):
                ready = selector.select(max(0.0, end - time.monotonic()))
                if not ready:
                    raise TimeoutError
                for key, _ in ready:
                    if isinstance(key.data, _Output):
                        self._hear(key.data, found)
                    else:
                        left = self._send(left)
                        if not left:
                            selector.unregister(self._input)
        (out, code), (error, _) = found[self._out], found[self._error]
        return Said(code, out, error.decode(errors="replace").strip())

    def _send(self, left: memoryview) -> memoryview:
        try:
            return left[os.write(self._input.fileno(), left[:_CHUNK]) :]
        except BrokenPipeError as error:
            raise ShellEnded(self._error.left()) from error

    def _hear(self, output: _Output, found: dict[_Output, tuple[bytes, int]]) -> None:
        if not output.hear():
            with contextlib.suppress(BlockingIOError):
                while self._error.hear():
                    pass
            raise ShellEnded(self._error.left())
        taken = output.taken()
        if taken:
            found[output] = taken
