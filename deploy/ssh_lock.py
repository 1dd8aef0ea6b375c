"""The lock of a stack on another machine: flock(1) there, held by a script that lives as long as this command.

It ends with its input: when this process ends in whatever way, when the connection breaks, or when nothing was heard
from here for a minute (a laptop that was closed). Then the record is another holder's or none, and what this command
would still write is refused.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from shlex import quote
from types import TracebackType
from typing import Self

from deploy.errors import Locked
from deploy.lock import Owner
from deploy.site import CommandLock
from deploy.ssh_connection import SshConnection
from deploy.ssh_disk import LOCK_RECORD, SshDisk

__all__ = ["SshLock", "hold_script"]

_BEAT_S = 15
_SILENCE_S = 60
_HELD = b"held\n"


def hold_script(root: str, record: str, token: str, *, silence_s: int = _SILENCE_S) -> str:
    """Takes the lock, prints `held`, and keeps it while something is heard; else prints who holds it, and ends."""
    return f"""
cd {quote(root)} || exit 1
exec 9>>lock
n=0
until flock -n 9; do
    n=$((n + 1))
    if [ $n -ge 10 ]; then cat {LOCK_RECORD}; exit 75; fi
    sleep 0.2
done
[ lock -ef /proc/self/fd/9 ] || exit 75
printf '%s\\n' {quote(record)} >{LOCK_RECORD}.$$ && mv -f {LOCK_RECORD}.$$ {LOCK_RECORD}
echo held
while [ -n "$(exec 9>&-; timeout {silence_s} dd bs=1 count=1 2>/dev/null)" ]; do :; done
if grep -qF {quote(token)} {LOCK_RECORD}; then rm -f {LOCK_RECORD}; fi
"""


class SshLock(CommandLock):
    """A context manager, for one command."""

    def __init__(self, connection: SshConnection, disk: SshDisk, command: str, say: Callable[[str], None]) -> None:
        self._connection = connection
        self._disk = disk
        self._command = command
        self._say = say
        self._holding: subprocess.Popen[bytes] | None = None
        self._done = threading.Event()

    def holder(self) -> Owner | None:
        """Who has it, as its record tells while somebody has."""
        root = quote(str(self._disk.root))
        held = f"cd {root} && [ -e lock ] && ! flock -sn lock true && cat {LOCK_RECORD}"
        return _owner(self._connection.run(held).out)

    def break_(self) -> Owner | None:
        """A new file for the next one; who had the old one finds its record gone and changes nothing more."""
        said = self._connection.run(
            f"cd {quote(str(self._disk.root))} && {{ cat {LOCK_RECORD}; rm -f lock {LOCK_RECORD}; }}"
        )
        return _owner(said.out)

    def __enter__(self) -> Self:
        token = secrets.token_hex(8)
        who = f"{_user()}@{socket.gethostname()}"
        record = {"user": who, "pid": os.getpid(), "started_at": time.time(), "command": self._command, "token": token}
        left = self._disk.read_json(LOCK_RECORD)
        script = hold_script(str(self._disk.root), json.dumps(record), token)
        holding = self._connection.hold(script)
        assert holding.stdout is not None  # noqa: S101 - a pipe was asked for
        heard = holding.stdout.readline()
        if heard != _HELD:
            heard += holding.stdout.read()
            self._end(holding)
            self._connection.check()
            owner = _owner(heard) or "another command"
            raise Locked(f"locked by {owner}: wait for it, or end it; `python -m deploy status` shows its phase")
        if left:
            self._say(f"took over the lock of {left.get('user')} at `{left.get('command')}`, whose connection is gone")
        self._holding = holding
        self._disk.token = token
        threading.Thread(target=self._beat, args=(holding,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._disk.token = ""
        if self._holding:
            self._end(self._holding)

    def _beat(self, holding: subprocess.Popen[bytes]) -> None:
        assert holding.stdin is not None  # noqa: S101 - a pipe was asked for
        with contextlib.suppress(OSError, ValueError):
            while not self._done.wait(_BEAT_S):
                holding.stdin.write(b".")

    @staticmethod
    def _end(holding: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(OSError):
            if holding.stdin:
                holding.stdin.close()
        try:
            holding.wait(10)
        except subprocess.TimeoutExpired:
            holding.kill()
            holding.wait()
        if holding.stdout:
            holding.stdout.close()


def _owner(record: bytes) -> Owner | None:
    try:
        data = json.loads(record)
        return Owner(str(data["user"]), int(data["pid"]), float(data["started_at"]), str(data["command"]))
    except (ValueError, KeyError, TypeError):
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
