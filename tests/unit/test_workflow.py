import re
from typing import Any

import pytest
import yaml

from tests.support.need import root

FILE = root() / ".github/workflows/ci-cd.yml"
WORKFLOW: dict[Any, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
STEPS = [(name, step) for name, job in JOBS.items() for step in job["steps"]]
MAKEFILE = (root() / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("job", sorted(JOBS))
def test_every_job_has_a_time_limit_and_only_the_rights_it_needs(job: str) -> None:
    assert WORKFLOW["permissions"] == {}
    assert 0 < JOBS[job]["timeout-minutes"] <= 60
    assert JOBS[job]["permissions"] == {"contents": "read"}


def test_every_step_calls_a_command_of_this_repository() -> None:
    for _, step in STEPS:
        for line in step.get("run", "").splitlines():
            command = line.removeprefix("sudo --preserve-env=PATH ").split()
            if command[0] == "make":
                for target in command[1:]:
                    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), line
            else:
                assert (root() / command[0]).is_file(), line


def test_every_action_is_pinned_by_commit_and_checkouts_keep_no_credentials() -> None:
    for _, step in STEPS:
        if "uses" in step:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"])
            if step["uses"].startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False
    assert not re.search(r"continue-on-error|\|\| true", FILE.read_text(encoding="utf-8"))


def test_secrets_are_given_to_the_deploy_job_alone_which_needs_approval_and_never_runs_for_a_pull_request() -> None:
    for name, step in STEPS:
        assert ("secrets." in str(step)) <= (name == "deploy")
    deploy = JOBS["deploy"]
    assert deploy["environment"] == "production"
    assert "workflow_dispatch" in deploy["if"]
    assert deploy["concurrency"] == {"group": "deploy-production", "cancel-in-progress": False}
    assert "pull_request_target" not in WORKFLOW[True]  # YAML reads `on` as true


def test_nothing_is_put_into_a_shell_by_templating() -> None:
    assert not [step for _, step in STEPS if "${{" in step.get("run", "")]
