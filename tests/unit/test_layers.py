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
    for package in ("pikkit", "deploy"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "static"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_make_lint_checks_the_layers() -> None:
    assert "lint-imports" in (ROOT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0]


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("bets/odds.py", "from pikkit.settings import Settings"),
        ("grading/decision.py", "import time"),
        ("history/groups.py", "from pikkit.features.facts import Facts"),
        ("telemetry/drift.py", "from pikkit.models.hub import ModelHub"),
        ("models/hub.py", "import deploy"),
    ],
)
def test_an_import_against_the_layers_is_refused(copy: Path, module: str, line: str) -> None:
    path = copy / "pikkit" / module
    before = path.read_text()
    path.write_text(f"{before}\n{line}\n")
    try:
        found = lint(copy)
    finally:
        path.write_text(before)
    assert found.returncode == 1
    assert "BROKEN" in found.stdout
    assert lint(copy).returncode == 0
