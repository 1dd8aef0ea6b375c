"""The real service as a process: `python -m pikkit.serve` on a free port."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import psutil
from filelock import FileLock

from tests.support.need import root
from tests.support.ports import free_port
from tests.support.processes import Process

_shared: Path | None = None


def share_store(folder: Path) -> None:
    """Where the processes of one run have one store, made by the first that needs it: it takes five seconds."""
    global _shared  # noqa: PLW0603 - one a process, as the tests that start servers are
    _shared = folder


@cache
def _store() -> Path:
    """A model store with the models of the checkout, imported as by `make serve`."""
    folder = _shared
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="pikkit-store-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    environment = {**os.environ, "BENTOML_HOME": str(folder), "MODEL_DIR": str(root() / "models")}
    done = folder / "imported"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            subprocess.run(
                [sys.executable, "import_models.py"], cwd=root(), env=environment, check=True, stdout=subprocess.DEVNULL
            )
            done.touch()
    return folder


def stocked(folder: Path) -> Path:
    """A store of its own in `folder`, with the models of the checkout."""
    store = folder / "bentoml"
    if not store.exists():
        shutil.copytree(_store(), store)
    return store


class Server(Process):
    """A running service; `url` is its address, `ready_after` the seconds until /ready answered 200.

    The models of the checkout are in its store, unless MODEL_DIR or BENTOML_HOME is given. `within` is a command that
    runs the one after it.
    """

    def __init__(
        self, folder: Path, *, wait: bool = True, within: Sequence[str] = (), **settings: str | float | Path
    ) -> None:
        self.port = int(settings.pop("PORT", 0)) if "PORT" in settings else free_port()  # type: ignore[arg-type]
        self.url = f"http://127.0.0.1:{self.port}"
        store = folder / "bentoml"
        if not settings.keys() & {"MODEL_DIR", "BENTOML_HOME"}:
            stocked(folder)
        env = {
            "PORT": str(self.port),
            "MODEL_DIR": str(root() / "models"),
            "DATA_DIR": str(folder / "data"),
            "BENTOML_HOME": str(store),
            "ALERTS_ENABLED": "false",
            **{name: str(value) for name, value in settings.items()},
        }
        super().__init__(
            [*within, sys.executable, "-m", "pikkit.serve"], log=folder / f"serve-{self.port}.log", env=env, cwd=root()
        )
        self.ready_after = 0.0
        if wait:
            try:
                self.ready_after = self.wait_until_http(f"{self.url}/ready")
            except BaseException:
                self.stop()
                raise

    def worker(self) -> psutil.Process:
        """The process that answers, or the largest of several: BentoML's parent and its helpers hold less."""
        return max(psutil.Process(self.pid).children(recursive=True), key=lambda process: process.memory_info().rss)
