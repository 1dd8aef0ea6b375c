"""What holds for all tests: a BentoML home of their own, and what must run in one process when several run them."""

import atexit
import os
import shutil
import tempfile

import pytest

from pikkit.settings import Settings

_HOME = tempfile.mkdtemp(prefix="pikkit-tests-")
os.environ["BENTOML_HOME"] = _HOME
os.environ["BENTOML_DO_NOT_TRACK"] = "true"
# Waiting threads of OpenMP burn a core; beside other processes that makes learning twenty times as slow.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
for _name in Settings.model_fields:  # what the shell has set is no matter of the tests
    os.environ.pop(_name.upper(), None)
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests run in one process, those with an engine in one too; what takes longest begins first."""
    items.sort(key=lambda item: (item.get_closest_marker("engine") is None, item.get_closest_marker("system") is None))
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            group = "engine" if item.get_closest_marker("engine") else item.path.name
            item.add_marker(pytest.mark.xdist_group(group))
