"""What the pipeline's checks refuse: each is shown a fault."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.need import root
from tests.support.pipeline import ci_module
from tests.support.simulated import write_bets

pytestmark = pytest.mark.system


def run(*command: object, cwd: Path | None = None, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd or root(),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    code, told = run("git", *who, *arguments, cwd=folder)
    assert code == 0, told


def test_a_secret_is_found_in_the_history_after_it_was_removed(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "notes.txt").write_text("nothing\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    code, told = run(root() / ".ci/secrets", tmp_path)
    assert code == 0, told
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-m", "PEM", "-N", "", "-f", tmp_path / "key"], check=True)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "two")
    git(tmp_path, "rm", "-q", "key", "key.pub")
    git(tmp_path, "commit", "-qm", "three")
    code, told = run(root() / ".ci/secrets", tmp_path)
    assert code != 0
    assert "PRIVATE KEY" in told.upper()


def test_this_repository_and_its_history_hold_no_secret() -> None:
    code, told = run(root() / ".ci/secrets")
    assert code == 0, told


def test_workflows_scripts_and_dockerfiles_are_clean() -> None:
    code, told = run(root() / ".ci/yaml")
    assert code == 0, told


UNKNOWN_STEP = """\
on: push
permissions: {}
concurrency: x
jobs:
  a:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions: {}
    steps:
      - run: make x
        env:
          A: ${{ steps.nobody.outputs.a }}
"""


FAULTS = (
    ("check-jsonschema", ".github/workflows/a.yml", "on: push\njobs:\n  a:\n    steps: []\n", "runs-on"),
    (
        "zizmor",
        ".github/workflows/b.yml",
        "on: push\npermissions: {}\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4\n",
        "unpinned-uses",
    ),
    ("jactionlint", ".github/workflows/c.yml", UNKNOWN_STEP, 'property "nobody" is not defined'),
    ("shellcheck", "d.sh", "#!/bin/bash\nrm $1\n", "SC2086"),
    ("hadolint", "e/Dockerfile", "FROM debian:12\nRUN sudo true\n", "DL3004"),
    ("yamllint", "f.yaml", "a: 1\na: 2\n", "duplication"),
)


def test_a_fault_of_each_kind_is_refused_and_all_are_told_in_one_go(tmp_path: Path) -> None:
    for name in (".ci", ".github"):
        shutil.copytree(root() / name, tmp_path / name)
    for name in (".yamllint", ".gitignore"):
        shutil.copy(root() / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(root() / ".venv")
    for _, file, content, _ in FAULTS:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(content)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".ci", ".github", *(file for _, file, _, _ in FAULTS))
    code, told = run(tmp_path / ".ci/yaml", cwd=tmp_path)
    assert code == 1
    [last] = [line for line in told.splitlines() if line.startswith("refused by ")]
    for tool, file, _, words in FAULTS:
        assert tool in last.split()
        assert words in told
        assert Path(file).name in told


FINE = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "c", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "offline", "code", "words"),
    [
        ([FINE], False, 0, "1 packages audited, 0 vulnerable, 0 not looked up"),
        ([FINE, BAD], True, 1, "b 2: CVE-1, mended by 3"),
        ([FINE, UNKNOWN], True, 1, "NOT AUDITED"),
        ([UNKNOWN], False, 1, "NOT AUDITED"),
        ([UNKNOWN], True, 0, "NOT AUDITED"),
        ([], False, 1, "NOT AUDITED"),
    ],
)
def test_an_audit_that_looked_nothing_up_is_no_pass(
    packages: list[dict[str, Any]], offline: bool, code: int, words: str
) -> None:
    found, lines = ci_module("audit").judge(packages, offline=offline)
    assert found == code
    assert any(words in line for line in lines)


def cloned(folder: Path) -> Path:
    """A clone of what is committed, on its own `main`, with this checkout's environment."""
    clone = folder / "clone"
    code, told = run("git", "clone", "-q", root(), clone)
    assert code == 0, told
    git(clone, "checkout", "-q", "-B", "main")
    (clone / ".venv").symlink_to(root() / ".venv")
    return clone


def test_a_release_is_made_from_its_tag_and_given_to_github(tmp_path: Path) -> None:
    clone = cloned(tmp_path)
    changelog = clone / "CHANGELOG.md"
    changelog.write_text(
        changelog.read_text().replace("## [Unreleased]", "## [Unreleased]\n\n### Fixed\n- A thing.", 1)
    )
    code, told = run(root() / ".venv/bin/python", ".ci/changelog.py", "cut", "97.0.0", cwd=clone)
    assert code == 0, told
    git(clone, "commit", "-qam", "Release 97.0.0")
    git(clone, "tag", "-a", "v97.0.0", "-m", "97.0.0")
    script = clone / "deploy/pipeline/release.sh"
    own = {"BENTOML_HOME": str(tmp_path / "bentoml"), "MAIN": "main"}

    code, told = run(script, "files", cwd=clone, TAG="v98.0.0", **own)
    assert code == 1
    assert "whose version is 97.0.0" in told
    code, told = run(script, "files", cwd=clone, TAG="v97.0.0", **{**own, "MAIN": "main~1"})
    assert code == 1
    assert "not on main" in told
    code, told = run(script, "files", cwd=clone, TAG="v97.0.0", **own)
    assert code == 0, told

    made = {path.name for path in (clone / "dist/release").iterdir()}
    names = {"pikkit-ml-api-97.0.0.bento", "pikkit-ml-api-97.0.0.cdx.json", "SHA256SUMS"}
    assert made == {*names, "notes.md"}
    code, told = run("sha256sum", "--check", "SHA256SUMS", cwd=clone / "dist/release")
    assert code == 0, told
    bill = json.loads((clone / "dist/release/pikkit-ml-api-97.0.0.cdx.json").read_text())
    assert {"bentoml", "xgboost-cpu"} <= {part["name"] for part in bill["components"]}
    assert "- A thing." in (clone / "dist/release/notes.md").read_text()

    # GitHub's client is doubled: what it is asked for is written down.
    client = tmp_path / "bin/gh"
    client.parent.mkdir()
    client.write_text(f'#!/bin/bash\nprintf "%s\\n" "$@" >{tmp_path}/asked\n')
    client.chmod(0o755)
    path = f"{client.parent}:{os.environ['PATH']}"
    code, told = run(script, "publish", cwd=clone, TAG="v97.0.0", PATH=path)
    assert code == 0, told
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[:4] == ["release", "create", "v97.0.0", "--verify-tag"]
    assert {Path(word).name for word in asked if word.startswith("dist/")} == {*names, "notes.md"}


def test_models_to_be_shipped_are_judged_against_those_of_the_last_release(tmp_path: Path) -> None:
    clone = cloned(tmp_path)
    summary = tmp_path / "summary.md"
    validate = clone / "training/validate.sh"
    git(clone, "tag", "v1.0.0")
    git(clone, "commit", "-q", "--allow-empty", "-m", "next")
    code, told = run(validate, cwd=clone, GITHUB_STEP_SUMMARY=str(summary), BETS="", AGAINST="", MODEL_DIR="")
    assert code == 0, told
    assert "the models are those of v1.0.0" in told
    assert "validation passed" in summary.read_text()

    # Others than the last release's: the same set under another name, so it can't be worse.
    metadata = clone / "models/model_metadata_latest.json"
    metadata.write_text(metadata.read_text().replace("20260101_000000", "20260102_000000"))
    bets = write_bets(tmp_path / "bets.csv", 4000, 1)
    code, told = run(validate, cwd=clone, GITHUB_STEP_SUMMARY=str(summary), BETS=str(bets), AGAINST="", MODEL_DIR="")
    assert code == 0, told
    assert "compared with those of v1.0.0" in told
    assert "not worse than production" in summary.read_text()
    assert "not worse than production" in (clone / "dist/validation.html").read_text()

    # No starter set: simulated bets are no judge of it.
    metadata.write_text(metadata.read_text().replace('"starter": true', '"starter": false'))
    code, told = run(validate, cwd=clone, GITHUB_STEP_SUMMARY=str(summary), BETS="", AGAINST="", MODEL_DIR="")
    assert code == 1
    assert "no starter set" in told
