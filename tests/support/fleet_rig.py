"""Two real hosts on this machine: one local, one reached by a real sshd; both with stub services."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.support.deploy_rig import Rig
from tests.support.need import need, root
from tests.support.sshd import Sshd

_SHIM = """import os, sys
os.environ["STUB_RELEASES"] = {releases!r}
os.environ["PATH"] = {path!r}
os.chdir({root!r})
os.execv({python!r}, [{python!r}, "-m", "tests.support.deploy_stack", *sys.argv[1:]])
"""


def _git(folder: Path, *arguments: str) -> str:
    author = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com")
    done = subprocess.run(["git", *author, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class FleetRig:
    """`near` is the local host's stack, `far` the other's; `run` runs a fleet command as an operator does."""

    def __init__(self, folder: Path) -> None:
        need("sshd")
        self.folder = folder
        self.near = Rig(folder / "near")
        self.far = Rig(folder / "far")
        while self.far.port == self.near.port:
            self.far.port += 10
        self.far.environment["DEPLOY_BASE_PORT"] = str(self.far.port)
        self.far.url = f"http://127.0.0.1:{self.far.port}"
        (folder / "ssh").mkdir()
        self.sshd = Sshd(folder / "ssh")
        (folder / "ssh/known_hosts").write_text(self.sshd.known_host + "\n")
        self.origin = folder / "origin"
        self.clone = folder / "a clone"  # a space, so that quoting is seen to work
        self._checkout(path=str(Path(sys.executable).parent) + ":/usr/sbin:/usr/bin:/bin")
        self.inventory = folder / "hosts.toml"
        self.inventory.write_text(
            f'[[hosts]]\nname = "near"\nlocal = true\n[hosts.env]\n{self._settings(self.near)}'
            f'[[hosts]]\nname = "far"\nssh = "{self.sshd.user}@127.0.0.1:{self.sshd.port}"\nfolder = "{self.clone}"\n'
            f'key = "{self.sshd.key}"\nknown_hosts = "{folder}/ssh/known_hosts"\n'
            f"[hosts.env]\n{self._settings(self.far)}"
        )

    def _checkout(self, path: str) -> None:
        """What stands in for the clone on the other host: its `python -m deploy` is the stub stack."""
        (self.origin / "deploy").mkdir(parents=True)
        shim = _SHIM.format(releases=str(self.far.releases), path=path, root=str(root()), python=sys.executable)
        (self.origin / "deploy/__main__.py").write_text(shim)
        (self.origin / "Makefile").write_text(".venv/.installed:\n\t@touch made-by-ship\n.PHONY: .venv/.installed\n")
        _git(self.origin, "init", "-q")
        self.commits = [self.commit("One")]
        subprocess.run(["git", "clone", "-q", self.origin, self.clone], check=True)
        (self.clone / ".venv/bin").mkdir(parents=True)
        (self.clone / ".venv/bin/python").symlink_to(sys.executable)

    def commit(self, message: str) -> str:
        (self.origin / "note").write_text(message)
        _git(self.origin, "add", "-A")
        _git(self.origin, "commit", "-q", "-m", message)
        return _git(self.origin, "rev-parse", "HEAD")

    def shipped(self) -> str:
        """The commit that the other host has checked out."""
        return _git(self.clone, "rev-parse", "HEAD")

    @staticmethod
    def _settings(rig: Rig) -> str:
        names = sorted(name for name in rig.environment if name.startswith("DEPLOY_"))
        return "".join(f'{name} = "{rig.environment[name]}"\n' for name in names)

    def run(self, *arguments: str, code: int = 0, commit: str = "") -> str:
        """The output of `fleet …`; it must end with `code`."""
        options = ["--inventory", str(self.inventory), "--commit", commit or self.commits[-1]]
        return self.near.run("fleet", *options, *arguments, code=code)

    def release(self, *versions: str) -> None:
        for rig in (self.near, self.far):
            rig.release(*versions)

    def versions(self) -> tuple[str, str]:
        """What answers clients: near, far."""
        return self.near.version(), self.far.version()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.near.__exit__()
        self.far.__exit__()
        self.sshd.stop()
        shutil.rmtree(self.folder / "ssh", ignore_errors=True)
