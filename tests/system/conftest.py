"""What several system tests share because it takes half a minute to make."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import Engine, shared_engine
from tests.support.server import share_store


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for all processes of the test run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def container_engine(run_folder: Path) -> Iterator[Engine]:
    """A container engine of the test run's own, the same for all its processes."""
    with shared_engine(run_folder / "engine") as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def model_store(run_folder: Path) -> None:
    """One, which servers copy."""
    share_store(run_folder / "store")
