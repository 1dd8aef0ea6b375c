"""What holds for all tests: a BentoML home of their own, and what must run in one process when several run them."""

import atexit
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

import httpx
import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from pikkit.settings import Settings
from tests.support.real import find_real_dir

_HOME = tempfile.mkdtemp(prefix="pikkit-tests-")
os.environ["BENTOML_HOME"] = _HOME
os.environ["BENTOML_DO_NOT_TRACK"] = "true"
# Waiting threads of OpenMP burn a core; beside other processes that makes learning twenty times as slow.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
for _name in Settings.model_fields:  # what the shell has set is no matter of the tests
    os.environ.pop(_name.upper(), None)
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
# Every `httpx.get` would read all of certifi's certificates anew: 20 ms, and a test that waits makes many.
vars(httpx._transports.default)["create_ssl_context"] = cache(httpx.create_ssl_context)
# Five seconds is what a busy machine may need for an answer; who tests a shorter time-out names it.
vars(httpx._config.DEFAULT_TIMEOUT_CONFIG).update(dict.fromkeys(("connect", "read", "write", "pool"), 60.0))
# jsonschema compiles a grammar of international addresses at its import: two seconds, and nobody here asks for one.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type] # as if it were not installed
# What takes half a minute and more, or mostly waits: begun after the others of their kind, they would end alone.
_LONG = tuple(
    f"test_{name}.py"
    for name in (
        *("monitoring_live", "extension_badges", "deploy_failures", "pipeline", "deploy_storm", "pipeline_checks"),
        *("deploy_product", "browser_pages", "training_pipeline", "alerts_n8n", "alerts_live", "bentoml_user"),
        *("browser_extension", "hot_reload", "api_fuzz", "tracker_export", "deploy_bento", "deploy_faults", "reload"),
    )
)


# How long an example takes says more of the machine than of the code. `make mutants` repeats tests hundreds of times:
# with few examples, the same each time.
hypothesis.settings.register_profile(
    "by count alone", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile(
    "few", hypothesis.settings.get_profile("by count alone"), max_examples=25, derandomize=True, database=None
)
hypothesis.settings.load_profile("few" if "MUTANT_UNDER_TEST" in os.environ else "by count alone")


# What the jobs of the pipeline share out among themselves (`make test-group`): each test is of exactly one.
GROUPS = ("fast", "product", "deploy", "engine")


def group_of(*, engine: bool, system: bool, file: str) -> str:
    """The group of a test, by its marks and its file's name."""
    if engine:
        return "engine"
    if not system:
        return "fast"
    return "deploy" if file.startswith("test_deploy_") else "product"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--group`: only the tests of one."""
    parser.addoption("--group", choices=GROUPS, help="only the tests of this group")


@pytest.fixture(scope="session")
def real_dir() -> Path:
    """The folder of real models and bets; what asks for it is marked `kept`."""
    found = find_real_dir()
    assert found
    return found


def pytest_report_header() -> str:
    """Where the data is that is kept elsewhere."""
    return f"kept data: {find_real_dir() or 'not here, so tests that need it are not selected (PIKKIT_REAL_DIR)'}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes longest begins first."""
    _select(config, items)
    items.sort(
        key=lambda item: (
            item.get_closest_marker("engine") is None,
            item.get_closest_marker("system") is None,
            _LONG.index(item.path.name) if item.path.name in _LONG else len(_LONG),
        )
    )


def _select(config: pytest.Config, items: list[pytest.Item]) -> None:
    group, kept = config.getoption("group"), find_real_dir() is not None
    away = []
    for item in items:
        if "real_dir" in getattr(item, "fixturenames", ()):
            item.add_marker("kept")
        engine, system = (item.get_closest_marker(name) is not None for name in ("engine", "system"))
        other = group and group_of(engine=engine, system=system, file=item.path.name) != group
        if other or (item.get_closest_marker("kept") and not kept):
            away.append(item)
    config.hook.pytest_deselected(items=away)
    unwanted = set(away)
    items[:] = [item for item in items if item not in unwanted]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Instead of `--dist`: a file's tests run in one process, which makes what they share once."""
    return LoadFileScheduling(config, log)
