import importlib.util
import itertools
import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

import deploy.cli
from tests.conftest import GROUPS, group_of
from tests.support.need import root
from tests.support.slow_import import Lazy, github_schema, jsonschema

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


def targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE))


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


def modules_called() -> set[str]:
    """Every `python -m …` of the Makefile and of the scripts that the pipeline runs, up to what a shell adds to it."""
    texts = [MAKEFILE, *(script.read_text(encoding="utf-8") for script in SCRIPTS)]
    pattern = re.compile(r"python\"? -m ([a-z_][\w.]*(?: +(?:--)?[a-z][\w-]*)*)")
    return {found for text in texts for found in pattern.findall(text.replace("\\\n", " "))}


def options(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


@pytest.mark.parametrize("call", sorted(modules_called()))
def test_every_module_that_a_target_or_script_runs_exists_with_that_command_and_option(call: str) -> None:
    module, *arguments = call.split()
    assert importlib.util.find_spec(module), call
    apps: dict[str, Any] = {"deploy": deploy.cli, "training": Lazy("training.cli")}
    flags = {word for word in arguments if word.startswith("--")}
    if module in apps and arguments:
        commands: Any = typer.main.get_command(apps[module].app)
        assert arguments[0] in commands.commands, call
        assert flags <= options(commands.commands[arguments[0]]), call
    elif (file := root() / Path(*module.split(".")).with_suffix(".py")).is_file():
        source = file.read_text(encoding="utf-8")
        assert all(word in source for word in arguments), call


def test_every_target_of_another_target_or_script_exists() -> None:
    recipes = re.sub(r"##.*", "", MAKEFILE)
    texts = [recipes, *(script.read_text(encoding="utf-8") for script in SCRIPTS)]
    called = {
        name
        for text in texts
        for name in re.findall(r"(?:\$\(MAKE\)|make) (?:--[\w-]+ )*([a-z][a-z-]+)(?: \w+=|$)", text, re.MULTILINE)
    }
    stages = (root() / ".ci/laptop").read_text(encoding="utf-8")
    called |= {name for names in re.findall(r'\]="([a-z -]+)"', stages) for name in names.split()}
    assert {"lint", "test", "build", "bench-gates"} <= called
    assert called <= targets()


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


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"ACTION": "rollback"}, ""),
        ({"ACTION": "promote"}, ""),
        ({"ACTION": "abort", "REF": "refs/heads/main", "EVENT": "workflow_dispatch", "FORK": "false"}, ""),
        ({"EVENT": "push", "REF": "refs/heads/other"}, ""),
        ({"EVENT": "pull_request", "REF": "refs/pull/1/merge", "FORK": "true"}, ""),
        *(
            ({"ACTION": action, "VERSION": "1.2.0", "REF": "refs/heads/mend-it"}, f"{action} is asked from mend-it")
            for action in ("blue-green", "canary", "promote", "abort", "rollback")
        ),
        ({"ACTION": "rollback", "FORK": "true"}, "rollback is asked of a fork"),
        ({"ACTION": "blue-green", "VERSION": "1.2.0"}, ""),
        ({"ACTION": "canary", "VERSION": "1.2.0-rc.1", "WEIGHT": "25"}, ""),
        ({"ACTION": "canary", "VERSION": "1.2.0", "RAMP": "10,25,100"}, ""),
        ({"ACTION": "blue-green"}, "blue-green needs one"),
        ({"ACTION": "blue-green", "VERSION": "V1"}, "VERSION is 'V1'"),
        ({"ACTION": "blue-green", "VERSION": "1.2.0; id"}, "VERSION is '1.2.0; id'"),
        ({"ACTION": "canary", "VERSION": "1.2.0", "WEIGHT": "0"}, "WEIGHT is '0'"),
        ({"ACTION": "canary", "VERSION": "1.2.0", "WEIGHT": "100"}, "WEIGHT is '100'"),
        ({"ACTION": "canary", "VERSION": "1.2.0", "RAMP": "25,10"}, "RAMP is '25,10'"),
        ({"ACTION": "canary", "VERSION": "1.2.0", "RAMP": "10,,50"}, "RAMP is '10,,50'"),
        ({"ACTION": "canary", "VERSION": "1.2.0", "RAMP": "10,a[0]"}, "RAMP is '10,a[0]'"),
        ({"ACTION": "green", "VERSION": "1.2.0"}, "ACTION is 'green'"),
        ({}, "ACTION is ''"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_before_anything_is_built(asked: dict[str, str], words: str) -> None:
    done = subprocess.run(
        [root() / "deploy/pipeline/request.sh"],
        env={"PATH": os.environ["PATH"], **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (2 if words else 0), done.stderr
    assert words in done.stderr


def test_every_file_that_a_target_or_script_names_exists() -> None:
    texts = [MAKEFILE, *(script.read_text(encoding="utf-8") for script in SCRIPTS)]
    named = {
        found
        for text in texts
        for found in re.findall(r"(?<![\w./$}-])((?:tests|deploy|training|requirements|\.ci)/[\w/.-]+\w)", text)
    }
    assert {"tests/unit/models/test_pickles.py", "deploy/pipeline/remote.sh", "requirements/serve.txt"} <= named
    assert [name for name in sorted(named) if not (root() / name).exists()] == []


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


def test_the_installer_that_the_makefile_takes_from_the_lock_file_is_pinned() -> None:
    [pick] = re.findall(r"<\((sed .*?)\)", MAKEFILE)
    done = subprocess.run(
        ["bash", "-c", pick.replace("$$", "$")], cwd=root(), capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert re.match(r"uv==[\d.]+ ", lines[0])
    assert len(lines) > 1
    assert all(re.match(r"    --hash=sha256:[0-9a-f]{64}", line) for line in lines[1:])


IMAGE = "ghcr.io/owner/name@sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("runtime", "image", "trusted", "code", "words", "ran"),
    [
        ("process", IMAGE, True, 0, "no image is taken", []),
        ("docker", IMAGE, True, 0, "", ["gh", "docker pull", "docker tag"]),
        ("docker", IMAGE, False, 1, "was not taken", ["gh"]),
        ("docker", "ghcr.io/owner/name:1.2.0", True, 1, "no image by its digest", []),
    ],
)
def test_a_host_takes_an_image_only_with_the_provenance_of_this_pipeline(
    tmp_path: Path, runtime: str, image: str, trusted: bool, code: int, words: str, ran: list[str]
) -> None:
    programs = {"gh": f"gh $* >>{tmp_path}/ran; exit {int(not trusted)}", "docker": f"docker $* >>{tmp_path}/ran"}
    for name, line in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\necho {line}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "ran").touch()
    done = subprocess.run(
        [root() / "deploy/pipeline/take_image.sh", "1.2.0", image, "owner/name"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "DEPLOY_RUNTIME": runtime},
        capture_output=True,
        text=True,
        check=False,
    )
    calls = (tmp_path / "ran").read_text().splitlines()
    assert done.returncode == code, done.stderr
    assert words in done.stdout + done.stderr
    assert len(calls) == len(ran)
    assert all(call.startswith(start) for call, start in zip(calls, ran, strict=True))
    if calls:
        assert {f"oci://{IMAGE}", "owner/name", "owner/name/.github/workflows/ci-cd.yml"} <= set(calls[0].split())
    if code == 0 and calls:
        assert calls[-1].split() == ["docker", "tag", IMAGE, "pikkit-ml-api:1.2.0"]
