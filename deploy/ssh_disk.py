"""The stack's folder on another machine, by small shell scripts: each does one change whole, or not at all.

What is sent is counted there before it is used, as a connection that breaks looks like the end of the input.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import Protocol

from deploy.disk import Disk
from deploy.errors import DeployError, Locked
from deploy.ssh_shell import Said

__all__ = ["LOCK_RECORD", "Shell", "SshDisk"]

LOCK_RECORD = "lock.json"
_ABSENT, _UNLOCKED = 44, 76


class Shell(Protocol):
    """Runs scripts by `sh` on the machine."""

    def run(self, script: str, given: bytes = b"") -> Said:
        """Run one."""
        ...


class SshDisk(Disk):
    """`token`, once set, must be in the record of the lock: a command that has lost its lock changes nothing more."""

    def __init__(self, root: Path, shell: Shell) -> None:
        self.root = root
        self.token = ""
        self._shell = shell

    def read(self, name: str) -> str | None:
        """By cat."""
        text = self._ask(f"[ -f {quote(name)} ] || exit {_ABSENT}; cat {quote(name)}")
        return None if text is None else text.decode(errors="replace")

    def write(self, name: str, text: str, *, mode: int = 0o644) -> None:
        """Temp file, sync, rename, sync of the folder."""
        data, folder = text.encode(), quote(_parent(name))
        steps = f'chmod {mode:o} "$t"; {_sync(chr(34) + "$t" + chr(34))}; mv -f "$t" {quote(name)}; {_sync(folder)}'
        self._change(f"{_receive(name, len(data))}; {steps}", data)

    def append(self, name: str, line: str) -> None:
        """One line at a time."""
        data = f"{line}\n".encode()
        self._change(f'{_receive(name, len(data))}; cat "$t" >>{quote(name)}; {_sync(quote(name))}', data)

    def link(self, name: str, target: str) -> None:
        """By `mv -T`, which is rename(2)."""
        folder = quote(_parent(name))
        self._change(f'{_temporary(name)}; ln -s {quote(target)} "$t"; mv -fT "$t" {quote(name)}; {_sync(folder)}')

    def linked(self, name: str) -> str | None:
        """By readlink."""
        text = self._ask(f"[ -L {quote(name)} ] || exit {_ABSENT}; readlink {quote(name)}")
        return None if text is None else text.decode().rstrip("\n")

    def make_folders(self, *names: str) -> None:
        """By mkdir."""
        self._change(f"mkdir -p {_words(names)}")

    def names(self, folder: str) -> list[str]:
        """By ls."""
        text = self._ask(f"[ -d {quote(folder)} ] || exit {_ABSENT}; ls -1A {quote(folder)}")
        return sorted((text or b"").decode().splitlines())

    def remove(self, *names: str) -> None:
        """By rm."""
        if names:
            self._change(f"rm -rf {_words(names)}")

    def fill(self, folder: str, source: Path) -> None:
        """As a tar archive."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for file in sorted(source.iterdir()) if source.is_dir() else ():
                member = tarfile.TarInfo(file.name)
                member.size, member.mode = file.stat().st_size, 0o644
                with file.open("rb") as content:
                    archive.addfile(member, content)
        data = packed.getvalue()
        unpack = 'tar -xof "$t" -C "$t.new"'
        self._change(f"{_receive(folder, len(data))}; {_renewed(folder, unpack)}", data)

    def copy(self, source: str, folder: str) -> None:
        """By cp."""
        each = f'if [ -d {quote(source)} ]; then cp -R {quote(source)}/. "$t.new"; fi'
        readable = 'find "$t.new" -type f -exec chmod 644 {} +'
        self._change(f"{_temporary(folder)}; {_renewed(folder, f'{each}; {readable}')}")

    def fetch(self, folder: str, target: Path) -> None:
        """As a tar archive; the folder here is whole or not there."""
        packed = self._ask(f"[ -d {quote(folder)} ] || exit {_ABSENT}; tar -cf - -C {quote(folder)} .")
        new = target.with_name(f".{target.name}.{os.getpid()}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        if packed is not None:
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                for member in archive:
                    content = archive.extractfile(member) if member.isfile() else None
                    if content:
                        (new / PurePosixPath(member.name).name).write_bytes(content.read())
        shutil.rmtree(target, ignore_errors=True)
        new.replace(target)

    def _ask(self, script: str) -> bytes | None:
        said = self._shell.run(f"cd {quote(str(self.root))} || exit {_ABSENT}; {script}")
        if said.code == _ABSENT:
            return None
        if said.code:
            raise DeployError(f"{self.root} can't be read there: {said.error or said.code}")
        return said.out

    def _change(self, script: str, given: bytes = b"") -> None:
        fence = f"grep -qF {quote(self.token)} {LOCK_RECORD} 2>/dev/null || exit {_UNLOCKED}; " if self.token else ""
        said = self._shell.run(f"set -eu; umask 022; cd {quote(str(self.root))}; {fence}{script}", given)
        if said.code == _UNLOCKED:
            raise Locked("this command's lock was broken or ran out: nothing more is changed; see `status`")
        if said.code:
            raise DeployError(f"{self.root} can't be written to there: {said.error or said.code}")


def _parent(name: str) -> str:
    return str(PurePosixPath(name).parent)


def _words(names: tuple[str, ...]) -> str:
    return " ".join(quote(name) for name in names)


def _temporary(name: str) -> str:
    """`$t` is a new name beside `name`, gone at the end."""
    path = PurePosixPath(name)
    folder = quote(str(path.parent))
    return f't={folder}/.{quote(path.name)}.$$.tmp; trap \'rm -rf "$t" "$t.new"\' EXIT; mkdir -p {folder}'


def _receive(name: str, size: int) -> str:
    """The input as the file `$t`, all of it."""
    return f'{_temporary(name)}; (umask 077; cat >"$t"); [ "$(wc -c <"$t")" -eq {size} ]'


def _renewed(folder: str, filled: str) -> str:
    """`$t.new`, filled, in place of the folder."""
    name = quote(folder)
    return f'mkdir "$t.new"; chmod 755 "$t.new"; {filled}; rm -rf {name}; mv -fT "$t.new" {name}'


def _sync(path: str) -> str:
    return f"{{ sync {path} 2>/dev/null || sync; }}"  # an old `sync` takes no names
