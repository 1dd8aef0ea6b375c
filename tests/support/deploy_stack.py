"""`python -m tests.support.deploy_stack …`: the deploy commands, with stub services in place of Bentos.

Releases are JSON files in $STUB_RELEASES: what the stub is told (see deploy_stub), plus `golden`.
$KILL_AFTER names a phase after which the command kills itself, as `kill -9` would. A file `clock` beside the releases
holds the seconds that the machine's clock was stepped by; it is read at each look at the clock. $READ_FILES names a
file that gets a line for each file that the command reads. With $FULL_DISK the command can make links, folders and
empty files, but can't write a byte.
"""

import contextlib
import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.canary.judge import Verdict
from deploy.cli import main
from deploy.clock import Clock
from deploy.compose import Composer
from deploy.errors import UsageError
from deploy.flow.progress import Progress
from deploy.release.release import Golden, Release
from deploy.settings import DeploySettings

_ROOT = Path(__file__).resolve().parents[2]  # `need` has it too, and pytest: a tenth of what this command takes


class StubReleases:
    """Folder of `<version>.json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, version: str) -> Release | None:
        path = self.folder / f"{version}.json"
        if not path.exists():
            return None
        data = json.loads(path.read_text())
        golden = tuple(Golden(bet, expected) for bet, expected in data.get("golden", []))
        sha256 = data.get("release_models", "a" * 64)
        return Release(version, "tree", "commit", sha256, "1", path.stat().st_mtime, golden)

    def find(self, version: str, models: Path | None, *, as_built: bool = False) -> Release:
        release = self.get(version)
        if release is None:
            raise UsageError(f"no stub release {version}")
        return release

    build = find

    def releases(self) -> Sequence[Release]:
        found = [self.get(path.stem) for path in self.folder.glob("*.json")]
        return sorted((release for release in found if release), key=lambda release: -release.built_at)

    def delete(self, version: str) -> None:
        (self.folder / f"{version}.json").unlink()


class SteppedClock(Clock):
    """The machine's, as it would be after a step of `clock` seconds."""

    def now(self) -> float:
        with contextlib.suppress(OSError, ValueError):
            return super().now() + float((Path(os.environ["STUB_RELEASES"]) / "clock").read_text())
        return super().now()


class Killer(Progress):
    """Passes everything on; kills this process after one phase."""

    def __init__(self, inner: Progress, phase: str) -> None:
        self.inner = inner
        self.phase = phase

    def begin(self, phase: str, title: str) -> None:
        self.inner.begin(phase, title)
        if self.phase == f"begin:{phase}":
            os.kill(os.getpid(), signal.SIGKILL)

    def done(self, phase: str, detail: str, seconds: float) -> None:
        self.inner.done(phase, detail, seconds)
        if self.phase == phase:
            os.kill(os.getpid(), signal.SIGKILL)

    def say(self, text: str) -> None:
        self.inner.say(text)

    def verdict(self, verdict: Verdict, weight: int) -> None:
        self.inner.verdict(verdict, weight)


def serve(release: Release, port: int) -> list[str]:
    config = (Path(os.environ["STUB_RELEASES"]) / f"{release.version}.json").read_text()
    code = (
        "import os, runpy, sys; os.environ['STUB'] = sys.argv.pop(1); sys.path.insert(0, sys.argv.pop(1)); "
        "runpy.run_module('tests.support.deploy_stub', run_name='__main__')"
    )
    return [sys.executable, "-c", code, config, str(_ROOT)]


def releases(_: DeploySettings) -> StubReleases:
    return StubReleases(Path(os.environ["STUB_RELEASES"]))


def progress(inner: Progress) -> Progress:
    return Killer(inner, os.environ.get("KILL_AFTER", ""))


COMPOSER = Composer(
    releases=releases,
    serve=serve,
    progress=progress,
    clock=SteppedClock,
    entry=(sys.executable, "-m", "tests.support.deploy_stack"),
)


def note_reads(file: str) -> None:
    """Have what is read noted. For a process of its own: where threads start under coverage, a hook ends them."""
    noted = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ("open", "sqlite3.connect") or not isinstance(arguments[0], str | os.PathLike):
            return
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_CREAT)
        if not writes:
            os.write(noted, f"{os.fspath(arguments[0])}\n".encode())

    sys.addaudithook(hook)


def command() -> None:
    """The command line in `sys.argv`."""
    if "READ_FILES" in os.environ:
        note_reads(os.environ["READ_FILES"])
    if "FULL_DISK" in os.environ:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    main(COMPOSER)


if __name__ == "__main__":
    command()
