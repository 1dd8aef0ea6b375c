"""What several system tests share because it takes half a minute to make."""

from collections.abc import Iterator

import pytest

from tests.support.engine import Engine, engine


@pytest.fixture(scope="session")
def container_engine() -> Iterator[Engine]:
    """A container engine of the test run's own."""
    with engine() as running:
        yield running
