"""What .github/workflows, the Makefile and the pipeline's scripts say."""

import re
from typing import Any

import yaml

from tests.support.need import root

FILES = sorted((root() / ".github/workflows").glob("*.yml"))
WORKFLOWS: dict[str, dict[Any, Any]] = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in FILES}
JOBS: dict[str, dict[str, Any]] = {
    f"{workflow}/{job}": content for workflow, read in WORKFLOWS.items() for job, content in read["jobs"].items()
}
STEPS: list[tuple[str, dict[str, Any]]] = [(name, step) for name, job in JOBS.items() for step in job["steps"]]
MAKEFILE = (root() / "Makefile").read_text(encoding="utf-8")
SCRIPTS = [
    *sorted(path for path in (root() / ".ci").iterdir() if path.is_file()),
    *sorted((root() / "deploy").rglob("*.sh")),
    *sorted((root() / "training").glob("*.sh")),
]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE))
