"""A real sshd with throw-away keys, for tests: on loopback, or on an address of another network namespace."""

import getpass
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.need import need
from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.waiting import eventually

_LISTENS = "Server listening"


class Sshd:
    """Runs until `stop`; `key` is the private key that it lets in, `known_host` the line for known_hosts."""

    def __init__(self, folder: Path, *, address: str = "127.0.0.1", within: Sequence[str] = ()) -> None:
        sshd = need("sshd")
        self.folder = folder
        self.user = getpass.getuser()
        self.key = folder / "user"
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        (folder / "authorized_keys").write_text((folder / "user.pub").read_text())
        self.port = free_port()
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress {address}\nHostKey {folder / 'host'}\nPidFile {folder / 'sshd.pid'}\n"
            f"AuthorizedKeysFile {folder / 'authorized_keys'}\nPasswordAuthentication no\nStrictModes no\n"
            "UsePAM no\nPermitRootLogin prohibit-password\n"
        )
        Path("/run/sshd").mkdir(exist_ok=True)
        host_key = " ".join((folder / "host.pub").read_text().split()[:2])
        self.known_host = f"[{address}]:{self.port} {host_key}"
        self._command: list[str | Path] = [*within, sshd, "-D", "-e", "-f", folder / "sshd_config"]
        self.start()

    def start(self) -> None:
        log = self.folder / "sshd.log"
        before = log.read_text().count(_LISTENS) if log.exists() else 0
        self._process = Process(self._command, log=log)
        eventually(lambda: log.read_text().count(_LISTENS) > before, told=self.tail)

    def wrap(self, before: str) -> None:
        """Every command runs after `before`, as after a login's profile."""
        key = (self.folder / "user.pub").read_text()
        (self.folder / "authorized_keys").write_text(
            f'command="bash -c \'{before}; eval \\"$SSH_ORIGINAL_COMMAND\\"\'" {key}'
        )

    def client_config(self) -> Path:
        """An ssh_config with which this server is known and lets one in."""
        known = self.folder / "known_hosts"
        known.write_text(self.known_host + "\n")
        config = self.folder / "ssh_config"
        config.write_text(f"IdentityFile {self.key}\nIdentitiesOnly yes\nUserKnownHostsFile {known}\n")
        return config

    def tail(self) -> str:
        return self._process.tail()

    def stop(self) -> None:
        self._process.stop()
