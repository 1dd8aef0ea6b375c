"""The workflows: schema, rights, secrets, pins, and the order of stages."""

import itertools
import json
import re
import shlex

import pytest
import yaml

from tests.conftest import GROUPS, group_of
from tests.support.need import root
from tests.support.slow_import import github_schema, jsonschema
from tests.support.workflows import FILES, JOBS, MAKEFILE, STEPS, WORKFLOWS, targets

# What a job may do beside reading the code, and nothing more.
RIGHTS = {
    "ci-cd/security": {"security-events"},
    "ci-cd/image": {"packages", "id-token", "attestations", "security-events"},
    "release/release": {"contents", "id-token", "attestations"},
}
# Where its secrets are kept: neither other jobs nor other branches get them.
ENVIRONMENTS = {"ci-cd/deploy": "production", "ci-cd/announce": "announce"}
SECRETS = {
    "ci-cd/deploy": {"TOOLS_VM_SSH_KEY", "TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID", "VERIFY_API_KEY"},
    "ci-cd/announce": {"TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID"},
}


def test_what_is_published_or_deployed_is_made_without_a_cache_that_other_runs_write() -> None:
    caching = {name for name, step in STEPS if step.get("uses", "").startswith("actions/cache@")}
    assert {"ci-cd/lint", "ci-cd/unit", "ci-cd/test", "ci-cd/coverage", "ci-cd/validate", "ci-cd/build"} <= caching
    assert not caching & {"ci-cd/image", "release/release", *ENVIRONMENTS}
    keys = [step["with"]["key"] for _, step in STEPS if step.get("uses", "").startswith("actions/cache@")]
    files = [file for key in keys for file in re.findall(r"hashFiles\('([^']+)'\)", key)]
    assert len(files) == len(keys)
    assert all((root() / file).is_file() for file in files)


def test_workflows_keep_to_githubs_schema() -> None:
    schema = github_schema()
    checker = jsonschema().validators.validator_for(schema)(schema)
    for file, workflow in zip(FILES, WORKFLOWS.values(), strict=True):
        # YAML 1.1 reads the key `on` as true.
        content = json.loads(json.dumps({("on" if key is True else key): value for key, value in workflow.items()}))
        assert [error.message for error in checker.iter_errors(content)] == [], file.name
        broken = {**content, "jobs": {name: {**job, "timeout": 5} for name, job in content["jobs"].items()}}
        assert list(checker.iter_errors(broken))


@pytest.mark.parametrize("job", sorted(JOBS))
def test_every_job_has_a_time_limit_and_only_the_rights_it_needs(job: str) -> None:
    assert WORKFLOWS[job.partition("/")[0]]["permissions"] == {}
    assert 0 < JOBS[job]["timeout-minutes"] <= 60
    rights = JOBS[job]["permissions"]
    assert rights["contents"] in {"read", "write"}
    assert {name for name, right in rights.items() if right == "write"} == RIGHTS.get(job, set())
    assert set(rights.values()) <= {"read", "write"}


def test_every_step_calls_a_command_of_this_repository() -> None:
    calls = 0
    for _, step in STEPS:
        for line in step.get("run", "").splitlines():
            words = [word for word in shlex.split(line) if word != "sudo" and not word.startswith("--preserve-env=")]
            if words[0] == "make":
                assert set(words[1:]) <= targets(), line
            else:
                program = root() / words[0]
                assert program.is_file(), line
                assert program.stat().st_mode & 0o111, line
            calls += 1
    assert calls >= 15


def test_every_action_is_pinned_by_commit_and_checkouts_keep_no_credentials() -> None:
    pinned: dict[str, str] = {}
    for _, step in STEPS:
        if "uses" in step:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"])
            action, commit = step["uses"].split("@")
            assert pinned.setdefault(action, commit) == commit
            if action == "actions/checkout":
                assert step["with"]["persist-credentials"] is False
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"continue-on-error|\|\| true", text)
        assert all(re.search(r"@[0-9a-f]{40} # v\d", line) for line in text.splitlines() if "uses:" in line)


def test_secrets_are_given_to_the_jobs_that_need_them_and_never_to_a_pull_request() -> None:
    found: dict[str, set[str]] = {}
    for name, job in JOBS.items():
        for secret in re.findall(r"secrets\.(\w+)", str(job)):
            found.setdefault(name, set()).add(secret)
            assert "github.event_name == 'workflow_dispatch'" in job["if"]
            assert "github.ref == 'refs/heads/main'" in job["if"]
    assert found == SECRETS
    assert {name: job["environment"] for name, job in JOBS.items() if "environment" in job} == ENVIRONMENTS
    assert set(found) == set(ENVIRONMENTS)
    for workflow in WORKFLOWS.values():
        assert not {"pull_request_target", "workflow_run"} & set(workflow[True])
        assert not re.search(r"secrets\.|github\.token", str({**workflow, "jobs": {}}))
    assert "!github.event.repository.fork" in JOBS["ci-cd/image"]["if"]
    assert "github.event_name != 'pull_request'" in JOBS["ci-cd/image"]["if"]


def test_a_deploy_needs_approval_and_a_stage_each_and_two_never_cross() -> None:
    job = JOBS["ci-cd/deploy"]
    assert job["environment"] == "production"
    assert job["concurrency"] == {"group": "deploy-production", "cancel-in-progress": False}
    # A run that waits for its tests or for approval holds back no other: a rollback comes through.
    own = WORKFLOWS["ci-cd"]["concurrency"]
    assert "github.event_name == 'workflow_dispatch' && github.run_id || github.ref" in own["group"]
    assert own["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"
    assert WORKFLOWS["release"]["concurrency"] == {"group": "release", "cancel-in-progress": False}
    needed, seen = ["build"], set()
    while needed:
        name = needed.pop()
        seen.add(name)
        needs = JOBS[f"ci-cd/{name}"].get("needs", [])
        needed += [needs] if isinstance(needs, str) else needs
    assert seen == {"build", "unit", "coverage", "test", "validate", "security", "lint", "request"}
    actions = WORKFLOWS["ci-cd"][True]["workflow_dispatch"]["inputs"]["action"]["options"]
    ship = (root() / "deploy/pipeline/ship.sh").read_text(encoding="utf-8")
    assert actions == ["blue-green", "canary", "promote", "abort", "rollback"]
    assert all(action in ship for action in actions)


def test_nothing_is_put_into_a_shell_by_templating() -> None:
    assert not [step for _, step in STEPS if "${{" in step.get("run", "")]


def test_no_step_may_fail_unseen() -> None:
    for name, step in STEPS:
        assert "continue-on-error" not in step, name
        assert not re.search(r"\|\||;|\bset \+e|\bexit 0", step.get("run", "")), step
        condition = str(step.get("if", ""))
        assert "failure()" not in condition
        assert "always()" not in condition
    for name, job in JOBS.items():
        assert "continue-on-error" not in job, name
        assert "container" not in job, name
        assert job["runs-on"] == "ubuntu-24.04"  # a machine for this one job


def test_every_stage_comes_after_the_one_before() -> None:
    needs = {name: job.get("needs", []) for name, job in JOBS.items()}
    for stage in ("unit", "coverage", "test", "validate", "security"):
        assert needs[f"ci-cd/{stage}"] == "lint"
    assert needs["ci-cd/lint"] == "request"
    assert set(needs["ci-cd/build"]) == {"unit", "coverage", "test", "validate", "security"}
    assert needs["ci-cd/image"] == "build"
    assert set(needs["ci-cd/deploy"]) == {"request", "build", "image"}
    assert set(needs["ci-cd/announce"]) == {name.partition("/")[2] for name in JOBS if name.startswith("ci-cd/")} - {
        "announce"
    }
    condition = JOBS["ci-cd/deploy"]["if"]
    assert "needs.build.result == 'success' && needs.image.result == 'success'" in condition
    assert "!cancelled() && needs.request.result == 'success'" in condition
    for name, job in JOBS.items():  # a status function lets a job begin after one that failed
        if name not in {"ci-cd/deploy", "ci-cd/announce"}:
            assert not re.search(r"(always|failure|cancelled|success)\(", str(job.get("if", ""))), name


def test_the_image_is_scanned_and_signed_before_the_version_is_given_to_it() -> None:
    steps = JOBS["ci-cd/image"]["steps"]
    kinds = [step.get("run") or step["uses"].partition("@")[0] for step in steps]
    order = ["make image", "make push-image", "aquasecurity/trivy-action"]
    order += ["github/codeql-action/upload-sarif", "actions/attest-build-provenance", "make tag-image"]
    assert [kind for kind in kinds if kind in order] == order
    by_kind = dict(zip(kinds, steps, strict=True))
    digest = "${{ steps.push.outputs.digest }}"
    assert by_kind["make push-image"]["id"] == "push"
    assert by_kind["aquasecurity/trivy-action"]["with"]["image-ref"].endswith("@" + digest)
    assert by_kind["actions/attest-build-provenance"]["with"]["subject-digest"] == digest
    assert by_kind["make tag-image"]["env"]["DIGEST"] == digest
    for name in ("ci-cd/image", "ci-cd/security"):
        scans = [step["with"] for step in JOBS[name]["steps"] if "trivy" in step.get("uses", "")]
        assert [(scan["exit-code"], scan["severity"]) for scan in scans] == [("1", "HIGH,CRITICAL")]


def test_what_a_release_holds_is_made_without_the_right_to_publish_it() -> None:
    assert JOBS["release/release"]["needs"] == "files"
    writing = [step.get("run") for step in JOBS["release/release"]["steps"] if "run" in step]
    assert writing == ["deploy/pipeline/release.sh publish"]  # nothing is installed there, nothing built
    assert not re.search(r"secrets\.|github\.token", str(JOBS["release/files"]))


def test_dependabot_looks_after_packages_actions_and_images() -> None:
    content = yaml.safe_load((root() / ".github/dependabot.yml").read_text(encoding="utf-8"))
    found = {update["package-ecosystem"]: update["directory"] for update in content["updates"]}
    assert found == {"github-actions": "/", "pip": "/", "docker": "/deploy", "docker-compose": "/deploy"}


def test_the_jobs_that_test_share_out_every_group() -> None:
    assert tuple(JOBS["ci-cd/test"]["strategy"]["matrix"]["group"]) == GROUPS
    for engine, system, file in itertools.product((False, True), (False, True), ("test_deploy_canary.py", "test_x.py")):
        assert group_of(engine=engine, system=system, file=file) in GROUPS


def test_the_step_with_the_hosts_key_installs_nothing() -> None:
    steps = JOBS["ci-cd/deploy"]["steps"]
    with_secrets = [i for i, step in enumerate(steps) if "secrets." in str(step)]
    [before] = [i for i, step in enumerate(steps) if step.get("run") == "make environment"]
    assert with_secrets == [before + 1]
    installs = re.findall(r"^.*pip (?:install|sync).*$", MAKEFILE.replace("\\\n", " "), re.MULTILINE)
    assert len(installs) == 1
    assert installs[0].count("--require-hashes") == 3  # uv itself, by uv, and by pip where there is no uv
