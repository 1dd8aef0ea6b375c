"""Where a stack runs: the port to that machine, and this machine as one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from deploy.disk import Disk, LocalDisk
from deploy.lock import Lock, Owner
from deploy.pids import port_owner

__all__ = ["CommandLock", "LocalSite", "Site"]


class CommandLock(AbstractContextManager[object], Protocol):
    """One command at a time for a stack, whoever gives it, wherever."""

    def holder(self) -> Owner | None:
        """Whose command is at work; None when none is."""
        ...

    def break_(self) -> Owner | None:
        """Free it, whoever holds it; returns who is on record."""
        ...


class Site(Protocol):
    """The machine that slots and proxy run on. Ports are those of its loopback.

    `user` is the user id and group id of who writes to `disk`. `client_folder` is a folder of this machine for what
    command lines here read: the disk's own where the site is this machine.
    """

    name: str
    local: bool
    user: tuple[int, int]
    disk: Disk
    client_folder: Path

    def environment(self) -> Mapping[str, str]:
        """The environment in which `docker` reaches the engine of that machine."""
        ...

    def reach(self, port: int) -> int:
        """The port of this machine's loopback that leads to that port."""
        ...

    def port_owner(self, port: int) -> str | None:
        """Who listens on a port, in words; None when nobody does or it can't be told."""
        ...

    def lock(self, command: str, say: Callable[[str], None] = ...) -> CommandLock:
        """The stack's lock, for a command in words."""
        ...

    def check(self) -> None:
        """See that the machine is still reached.

        Raises:
            DeployError: it is not.
        """
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class LocalSite(Site):
    """This machine; `folder` is the stack's."""

    name = "this machine"
    local = True

    def __init__(self, folder: Path) -> None:
        self.user = (os.geteuid(), os.getegid())
        self.disk = LocalDisk(folder)
        self.client_folder = folder

    def environment(self) -> Mapping[str, str]:
        """As it is."""
        return os.environ

    def reach(self, port: int) -> int:
        """The same."""
        return port

    def port_owner(self, port: int) -> str | None:
        """As the kernel tells."""
        return port_owner(port)

    def lock(self, command: str, say: Callable[[str], None] = lambda _: None) -> CommandLock:
        """By pid."""
        return Lock(self.client_folder / "lock.json", command, say=say)

    def check(self) -> None:
        """Always."""

    def close(self) -> None:
        """Nothing to let go of."""
