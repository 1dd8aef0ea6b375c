"""Another machine for tests: a network namespace with a loopback of its own, in which sshd and a container engine run.

Its disk is this machine's, but for the folder of who deploys, which it does not see. Needs root.
"""

import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.engine import Engine, engine
from tests.support.need import need
from tests.support.sshd import Sshd

_NUMBERS = itertools.count()


@dataclass
class FarHost:
    """`docker_host` is its engine by ssh; `folder` is where a stack may be kept on it."""

    address: str
    engine: Engine
    sshd: Sshd
    folder: Path

    @property
    def docker_host(self) -> str:
        return f"ssh://{self.sshd.user}@{self.address}:{self.sshd.port}"


@contextmanager
def far_host(folder: Path, hidden: Path) -> Iterator[FarHost]:
    """Start one; `hidden` is a folder of this machine that it finds empty."""
    for program in ("ip", "nsenter", "unshare", "sshd", "ssh"):
        need(program)
    number = next(_NUMBERS)
    name = f"pikkit-{os.getpid()}-{number}"
    network = f"10.{200 + number}.{os.getpid() % 256}"
    if os.geteuid() or subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        if os.environ.get("CI"):
            pytest.fail("no network namespace can be made here, and in CI nothing may be skipped")
        pytest.skip("another machine for tests is a network namespace, which needs root")
    with ExitStack() as stack:
        stack.callback(subprocess.run, ["ip", "netns", "delete", name], check=False)
        near, far = f"pk{os.getpid() % 100000}n{number}", f"pk{os.getpid() % 100000}f{number}"
        inside = ["ip", "netns", "exec", name]
        for line in (
            ["ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", name],
            ["ip", "address", "add", f"{network}.1/30", "dev", near],
            ["ip", "link", "set", near, "up"],
            [*inside, "ip", "address", "add", f"{network}.2/30", "dev", far],
            [*inside, "ip", "link", "set", far, "up"],
            [*inside, "ip", "link", "set", "lo", "up"],
        ):
            subprocess.run(line, check=True)
        script = 'mount -t tmpfs none "$0" && exec "$@"'
        within = ["nsenter", f"--net=/run/netns/{name}", "unshare", "--mount", "sh", "-c", script, str(hidden)]
        (folder / "ssh").mkdir(parents=True)
        sshd = Sshd(folder / "ssh", address=f"{network}.2", within=within)
        stack.callback(sshd.stop)
        running = stack.enter_context(engine(within))
        sshd.wrap(f"export DOCKER_HOST=unix://{running.socket}")  # a context's endpoint can't name the socket
        yield FarHost(f"{network}.2", running, sshd, folder / "stack")
