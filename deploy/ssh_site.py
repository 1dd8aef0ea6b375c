"""Another machine as the place where a stack runs. It needs Docker, an SSH server and a shell; nothing is installed.

The engine's socket and the ports of its loopback are forwarded over one connection; state, lock and files stay there.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from shlex import quote

from deploy.docker_endpoint import SshEndpoint
from deploy.errors import DeployError, UsageError
from deploy.settings import DeploySettings
from deploy.site import CommandLock, Site
from deploy.ssh_connection import SshConnection
from deploy.ssh_disk import SshDisk
from deploy.ssh_lock import SshLock

__all__ = ["SshSite", "listening"]

_TOOLS = ("docker", "flock", "tar", "timeout")
_TRIES = 5
_SET_ASIDE = ("DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
_LISTEN = "0A"


def listening(table: str) -> set[int]:
    """The ports that something listens on, by /proc/net/tcp and tcp6."""
    rows = [line.split() for line in table.splitlines()]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == _LISTEN}  # noqa: PLR2004


class SshSite(Site):
    """Connected until `close`.

    Raises:
        UsageError: it can't be reached, or lacks something.
    """

    local = False

    def __init__(self, endpoint: SshEndpoint, settings: DeploySettings) -> None:
        self.name = str(endpoint)
        self._connection = SshConnection(endpoint, settings.ssh_config)
        self._ports: dict[int, int] = {}
        try:
            facts = self._look(settings.remote_dir)
            self.user = (int(facts["uid"]), int(facts["gid"]))
            self._disk = SshDisk(Path(facts["root"]), self._connection)
            self.disk = self._disk
            self._socket = self._connection.folder / "docker.sock"
            self._forward_socket(endpoint.socket or _socket_path(facts["engine"]))
        except BaseException:
            self.close()
            raise
        self.client_folder = settings.run_dir / "sites" / re.sub(r"[^A-Za-z0-9@._-]", "_", self.name[len("ssh://") :])
        self.client_folder.mkdir(parents=True, exist_ok=True)

    def environment(self) -> Mapping[str, str]:
        """With the forwarded socket."""
        kept = {name: value for name, value in os.environ.items() if name not in _SET_ASIDE}
        return {**kept, "DOCKER_HOST": f"unix://{self._socket}"}

    def reach(self, port: int) -> int:
        """By a forward that is made when it is first asked for."""
        if port not in self._ports:
            self._ports[port] = self._forward(port)
        return self._ports[port]

    def port_owner(self, port: int) -> str | None:
        """The kernel there tells that, but not who, to anybody."""
        table = self._connection.run("cat /proc/net/tcp /proc/net/tcp6 2>/dev/null").out.decode()
        return f"a process of {self.name}" if port in listening(table) else None

    def lock(self, command: str, say: Callable[[str], None] = lambda _: None) -> CommandLock:
        """There."""
        return SshLock(self._connection, self._disk, command, say)

    def check(self) -> None:
        """Ask for an answer."""
        self._connection.check()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _forward_socket(self, there: str) -> None:
        refused = self._connection.forward(str(self._socket), there)
        if refused:
            raise UsageError(f"{self.name} does not let its socket {there} be forwarded: {refused}")

    def _forward(self, port: int) -> int:
        refused: str | None = None
        for _ in range(_TRIES):  # a port that was free a moment ago may be taken
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                free = int(probe.getsockname()[1])
            refused = self._connection.forward(f"127.0.0.1:{free}", f"127.0.0.1:{port}")
            if refused is None:
                return free
        raise DeployError(f"port {port} of {self.name} can't be forwarded ({refused}): see AllowTcpForwarding there")

    def _look(self, folder: str) -> dict[str, str]:
        path = quote(folder.removeprefix("~/"))
        said = self._connection.run(
            f"cd; for t in {' '.join(_TOOLS)}; do command -v $t >/dev/null || echo missing=$t; done; "
            "echo system=$(uname -s); echo uid=$(id -u); echo gid=$(id -g); "
            f'mkdir -p {path} && cd {path} && echo "root=$(pwd -P)"; '
            "echo engine=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null)"
        )
        lines = said.out.decode(errors="replace").splitlines()
        facts = dict(line.split("=", 1) for line in lines if "=" in line)
        lacks = [line.partition("=")[2] for line in lines if line.startswith("missing=")]
        if lacks:
            raise UsageError(f"{self.name} lacks {', '.join(lacks)}: install that there")
        if facts.get("system") != "Linux":
            raise UsageError(f"{self.name} is {facts.get('system', 'no Unix')}: slots need the network of a Linux host")
        if "root" not in facts:
            raise UsageError(f"{self.name} has no folder {folder} ({said.error}): set DEPLOY_REMOTE_DIR")
        return facts


def _socket_path(engine: str) -> str:
    if engine.startswith("unix://"):
        return engine.removeprefix("unix://")
    if engine:
        raise UsageError(
            f"docker there uses {engine}, not a socket: name it, as in ssh://USER@HOST/var/run/docker.sock"
        )
    return "/var/run/docker.sock"
