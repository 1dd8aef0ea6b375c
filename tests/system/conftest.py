"""What several system tests share because it takes half a minute to make."""

import os
from collections.abc import Iterator

import pytest

from tests.support.engine import Engine, shared_engine


@pytest.fixture(scope="session")
def container_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A container engine of the test run's own, the same for all its processes."""
    own = tmp_path_factory.getbasetemp()
    run = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with shared_engine(run / "engine") as running:
        yield running
