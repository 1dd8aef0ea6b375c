"""The contracts of the layers refuse what they are there to refuse, on a copy of the product's own modules."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layers")
    for package in ("pikkit", "deploy", "training"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "static"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_make_lint_checks_the_layers() -> None:
    assert "lint-imports" in (ROOT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0]


# Where a line is added, the line, and the import that is then told.
FORBIDDEN = (
    ("pikkit/bets/odds.py", "from pikkit.settings import Settings", "pikkit.bets.odds -> pikkit.settings"),
    ("pikkit/grading/decision.py", "import time", "pikkit.grading.decision -> time"),
    (
        "pikkit/history/groups.py",
        "from pikkit.features.facts import Facts",
        "pikkit.history.groups -> pikkit.features.facts",
    ),
    (
        "pikkit/telemetry/drift.py",
        "from pikkit.models.hub import ModelHub",
        "pikkit.telemetry.drift -> pikkit.models.hub",
    ),
    ("pikkit/models/hub.py", "import deploy", "pikkit.models.hub -> deploy"),
    ("training/settled/simulate.py", "import training.score", "training.settled.simulate -> training.score"),
)


def test_imports_against_the_layers_are_refused_each_by_name(copy: Path) -> None:
    assert lint(copy).returncode == 0
    for module, line, _ in FORBIDDEN:
        path = copy / module
        path.write_text(f"{path.read_text()}\n{line}\n")
    found = lint(copy)
    assert found.returncode == 1
    for _, _, told in FORBIDDEN:
        assert told in found.stdout
