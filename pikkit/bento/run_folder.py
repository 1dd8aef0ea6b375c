"""The folder that the workers of one service instance share while they run: DATA_DIR/run/<slot>-<random>.

Not in the system's folder for temporary files, which others fill and clean. The first process of an instance makes
it, and its workers inherit the name through the environment. What a killed instance left is removed by the next.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pikkit.files import why
from pikkit.telemetry.logs import get_logger

__all__ = ["prepare_runtime_dir"]

_VARIABLE = "PIKKIT_RUNTIME_DIR"
_OWNER = "owner"  # locked by the first process for as long as it lives
_ROOM_BYTES = 8 * 2**20  # what workers agree on and count; each has a mebibyte

_log = get_logger("pikkit.run_folder")


def prepare_runtime_dir(data_dir: Path, name: str) -> Path:
    """The instance's folder; made by its first process, which also removes it at its end.

    Must run before a service's own code makes a metric with the Prometheus client: BentoML's folder for those is in
    BENTOML_HOME and emptied whenever a service starts, so two slots with one home would delete each other's.

    Args:
        data_dir: DATA_DIR; where it can't be written or is full, the system's folder for temporary files serves.
        name: of the slot, for whoever looks into DATA_DIR.
    """
    inherited = os.environ.get(_VARIABLE)
    if inherited and Path(inherited).is_dir():
        folder = Path(inherited)
    else:
        folder = _make(data_dir / "run", name)
        os.environ[_VARIABLE] = str(folder)
        atexit.register(_remove, folder, os.getpid())
    metrics = folder / "metrics"
    metrics.mkdir(exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    return folder


def _make(runs: Path, name: str) -> Path:
    try:
        runs.mkdir(parents=True, exist_ok=True)
        _demand_room(runs)
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=runs.resolve()))
    except OSError as cause:
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        _log.warning(
            "DATA_DIR takes no files, so what workers share lies in the system's temporary folder: see to its disk and "
            "rights",
            data_dir=str(runs.parent.absolute()),
            reason=why(cause),
            folder=str(folder),
        )
        return folder
    with contextlib.suppress(OSError):
        # Held open until this process ends, however it ends.
        fcntl.flock(os.open(folder / _OWNER, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), fcntl.LOCK_EX)
        for other in runs.iterdir():
            if (other / _OWNER).is_file() and not any(map(_is_held, _locks(other))):
                shutil.rmtree(other, ignore_errors=True)
    return folder


def _demand_room(folder: Path) -> None:
    if shutil.disk_usage(folder).free < _ROOM_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _locks(folder: Path) -> Iterator[Path]:
    """Files that the processes of an instance hold: its first one, then its workers, who may outlive that."""
    yield folder / _OWNER
    yield from (folder / "workers").glob("*.worker")


def _is_held(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
