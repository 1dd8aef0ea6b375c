"""One ssh connection to a host: commands, forwarded ports and sockets all go over it, and end with it.

Nothing is asked: the host's key must be known, and the login must need no password. Once it is broken it stays broken:
a command that goes on over a second connection could meet another command's work.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.docker_endpoint import SshEndpoint
from deploy.errors import DeployError, Unreachable, UsageError
from deploy.ssh_shell import RemoteShell, Said, ShellEnded

__all__ = ["UNATTENDED", "SshConnection", "ssh_options"]

UNATTENDED = ("BatchMode=yes", "StrictHostKeyChecking=yes", "ForwardAgent=no", "ForwardX11=no")
"""Options of ssh wherever it is called: nothing is asked, the host is known, nothing of here is lent to it."""
_CONNECT_S = 30
_RUN_S = 60
_READY = "pikkit-connected"
_REMEDIES = {
    "Host key verification failed": "log in once by hand (`ssh …`) and check the key's fingerprint",
    "Permission denied": "a key that needs no passphrase typed (ssh-agent) must be let in there",
    "Could not resolve": "check the host's name",
}


def ssh_options(endpoint: SshEndpoint, config: Path | None) -> list[str]:
    """The options of every call of ssh, to be followed by `--` and the host."""
    settings = (
        *UNATTENDED,
        "PermitLocalCommand=no",
        "RequestTTY=no",
        "RemoteCommand=none",
        "ControlPersist=no",
        "ConnectTimeout=10",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=3",
        "ExitOnForwardFailure=yes",
    )
    options = [part for setting in settings for part in ("-o", setting)]
    options += ["-F", str(config)] if config else []
    options += ["-l", endpoint.user] if endpoint.user else []
    options += ["-p", str(endpoint.port)] if endpoint.port else []
    return options


class SshConnection:
    """Open until `close`, or until this process ends. `folder` is for sockets: closed to others, and short of name."""

    def __init__(self, endpoint: SshEndpoint, config: Path | None = None) -> None:
        self.endpoint = endpoint
        self.folder = Path(tempfile.mkdtemp(prefix="pikkit-"))
        self._options = ssh_options(endpoint, config)
        self._control = self.folder / "control"
        self._shell: RemoteShell | None = None
        try:
            self._master = self._open()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    @property
    def pid(self) -> int:
        """Of the ssh that holds the connection."""
        return self._master.pid

    def run(self, script: str, given: bytes = b"", *, seconds: float = _RUN_S) -> Said:
        """Run a script there, by `sh`.

        Raises:
            DeployError: the connection is broken.
        """
        try:
            if self._shell is None:
                self._shell = RemoteShell(self.command, _CONNECT_S)
            return self._shell.run(script, given, seconds)
        except BaseException as error:
            self._close_shell()
            if isinstance(error, ShellEnded):
                raise self.broken(str(error)) from error
            if isinstance(error, TimeoutError):
                raise self.broken(f"no answer after {seconds:g} s") from error
            raise

    def hold(self, script: str) -> subprocess.Popen[bytes]:
        """Start a script there whose input and output stay open."""
        return subprocess.Popen(
            self.command(script), stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, bufsize=0
        )

    def forward(self, here: str, there: str) -> str | None:
        """Have connections to `here` (address:port, or a path) arrive at `there`; None, or why not."""
        line = ["ssh", *self._over(), "-O", "forward", "-L", f"{here}:{there}", "--", self.endpoint.address]
        said = subprocess.run(line, capture_output=True, text=True, timeout=_RUN_S, check=False, start_new_session=True)
        if self._master.poll() is not None:
            raise self.broken(said.stderr.strip())
        return said.stderr.strip() or "refused" if said.returncode else None

    def check(self) -> None:
        """See that the host still answers.

        Raises:
            DeployError: it does not.
        """
        self.run(":", seconds=20)

    def broken(self, why: str) -> DeployError:
        """The error that tells so."""
        return DeployError(
            f"the connection to {self.endpoint} is broken ({why or 'closed'}): what was under way is on record there, "
            "and the next command goes on from it; traffic is served as it was"
        )

    def command(self, script: str) -> list[str]:
        """The command line of a script there."""
        return ["ssh", *self._over(), "--", self.endpoint.address, f"exec sh -c {shlex.quote(script)}"]

    def close(self) -> None:
        """End it, with all that goes over it."""
        self._close_shell()
        self._end(self._master)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _close_shell(self) -> None:
        shell, self._shell = self._shell, None
        if shell:
            shell.close()

    def _over(self) -> Sequence[str]:
        # Where the connection is gone, ssh would make a new one: it is given no way to.
        return ["-S", str(self._control), "-o", "ControlMaster=no", "-o", "ProxyCommand=false", *self._options]

    def _open(self) -> subprocess.Popen[bytes]:
        # Its own session ends with its input, that is with this process, even if that is killed.
        command = ["ssh", "-M", "-S", str(self._control), *self._options, "--", self.endpoint.address]
        log = self.folder / "ssh.log"
        try:
            with log.open("wb") as errors:
                master = subprocess.Popen(
                    [*command, f"echo {_READY}; exec cat >/dev/null"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,
                )
        except OSError as error:
            raise UsageError(f"ssh can't be run ({error.strerror}): install OpenSSH's client") from error
        if not _answers(master):
            self._end(master)
            said = log.read_text(errors="replace").strip().splitlines()[-3:]
            why = "; ".join(said) or f"no answer after {_CONNECT_S} s"
            remedy = next((words for text, words in _REMEDIES.items() if text in why), "is its SSH server reached?")
            raise Unreachable(f"no connection to {self.endpoint} ({why}): {remedy}")
        return master

    @staticmethod
    def _end(master: subprocess.Popen[bytes]) -> None:
        if master.stdin:
            with contextlib.suppress(OSError):
                master.stdin.close()
        try:
            master.wait(2)
        except subprocess.TimeoutExpired:
            master.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                master.wait(5)
            master.kill()
            master.wait()
        if master.stdout:
            master.stdout.close()


def _answers(master: subprocess.Popen[bytes]) -> bool:
    """Wait for the line that is printed there; a login may print others before."""
    assert master.stdout is not None  # noqa: S101 - a pipe was asked for
    end = time.monotonic() + _CONNECT_S
    heard = b""
    while _READY.encode() not in heard:
        left = end - time.monotonic()
        if left <= 0 or not select.select([master.stdout], [], [], left)[0]:
            return False
        more = os.read(master.stdout.fileno(), 4096)
        if not more:
            return False
        heard += more
    return True
