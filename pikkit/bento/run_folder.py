"""The folder that the workers of one service instance share while they run.

BentoML keeps its metrics folder in BENTOML_HOME and empties it whenever a service starts, so two slots with one
home would count into, and delete, each other's metrics. The first process of an instance makes a folder of its
own instead, and its workers inherit the name through the environment.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

__all__ = ["prepare_runtime_dir"]

_VARIABLE = "PIKKIT_RUNTIME_DIR"


def prepare_runtime_dir() -> Path:
    """The instance's folder; made by its first process, which also removes it at its end.

    Must run before the first metric is made: it points the Prometheus client's multiprocess folder there.
    """
    inherited = os.environ.get(_VARIABLE)
    if inherited and Path(inherited).is_dir():
        folder = Path(inherited)
    else:
        folder = Path(tempfile.mkdtemp(prefix="pikkit-"))
        os.environ[_VARIABLE] = str(folder)
        atexit.register(_remove, folder, os.getpid())
    metrics = folder / "metrics"
    metrics.mkdir(exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    return folder


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
