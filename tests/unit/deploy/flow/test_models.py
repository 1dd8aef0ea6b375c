"""Which model set a slot serves, and the validation of a release's own, by a command in place of Python."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.errors import GateFailed
from deploy.files import ROOT
from deploy.flow import operations
from deploy.flow.models import check_not_older, validated
from deploy.flow.run import run
from tests.support.deploy_fakes import Rig, made


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What Python was asked for, and from where; it ends with 1 where the models' folder is `bad`."""
    lines, python = tmp_path / "asked", tmp_path / "python"
    python.write_text(
        f"""#!/bin/sh
echo "$PWD: $*" >> {shlex.quote(str(lines))}
case "$*" in *bad*) seq 1 20; echo "worse than before" >&2; exit 1;; esac
"""
    )
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    lines.touch()
    return lines


def lay(rig: Rig, version: str, folder: str | None, digest: str) -> None:
    rig.releases.made[version] = replace(rig.releases.made[version], models_dir=folder, models_digest=digest)


@pytest.mark.parametrize(
    ("production", "against"),
    [(("/old", "a"), " --against /old"), (("/old", "b"), ""), ((None, "a"), "")],
)
def test_models_are_validated_on_settled_bets_against_others_in_production(
    tmp_path: Path, asked: Path, production: tuple[str | None, str], against: str
) -> None:
    bets = tmp_path / "bets.csv"
    bets.touch()
    rig = made(tmp_path / "run", "0", "1", validate_bets=bets)
    lay(rig, "0", *production)
    lay(rig, "1", "/new", "b")
    run(rig.stack, operations.deploy(rig.stack, "0"))
    asked.write_text("")
    run(rig.stack, operations.canary(rig.stack, "1"))
    assert rig.progress.said[10] == "pikkit_ml_api:1 reused, validated, code tree, models 20260101"
    assert asked.read_text().splitlines() == [
        f"{ROOT}: -m training validate --models /new --bets {bets}{against}",
    ]
    run(rig.stack, operations.promote(rig.stack))
    assert len(asked.read_text().splitlines()) == 1  # as it was judged with the canary


def test_what_the_validation_refuses_is_not_started_and_its_last_lines_are_told(tmp_path: Path, asked: Path) -> None:
    rig = made(tmp_path / "run", "0", validate_bets=Path(__file__))
    lay(rig, "0", "/bad", "a")
    with pytest.raises(GateFailed, match=r"^the models of 0 did not pass `python -m training validate`$") as told:
        run(rig.stack, operations.deploy(rig.stack, "0"))
    assert told.value.log == (*map(str, range(10, 21)), "worse than before")
    assert rig.runtime.doing == []
    assert len(asked.read_text().splitlines()) == 1


def test_without_bets_nothing_is_validated(tmp_path: Path, asked: Path) -> None:
    rig = made(tmp_path / "run", "0")
    assert validated(rig.stack, rig.releases.made["0"]) == ""
    assert asked.read_text() == ""


@pytest.mark.parametrize(
    ("sha256", "version", "served", "other"),
    [
        ("sha 0", "20260101", "sha 0", False),
        ("sha 0", "20260101", "another", True),
        ("", "20260101", "another", False),  # of an old manifest: only the set's name is known
        ("", "20250101", "another", True),
    ],
)
def test_another_set_is_known_by_its_digest_or_else_by_its_name(
    tmp_path: Path, sha256: str, version: str, served: str, *, other: bool
) -> None:
    rig = made(tmp_path, "0")
    release = replace(rig.releases.made["0"], models_sha256=sha256, models_version=version)
    rig.runtime.start("blue", release, workers=1)
    rig.runtime.models["blue"] = served
    assert bool(rig.stack.gates.hot_reloaded("blue", release)) == other
    rig.runtime.stop("blue", grace_s=0)  # what answers nothing serves another one
    assert rig.stack.gates.hot_reloaded("blue", release)


@pytest.mark.parametrize("change", ["not running", "unknown release", "as built", "newer", "no answer"])
def test_a_set_is_only_older_than_one_that_was_hot_reloaded(tmp_path: Path, change: str) -> None:
    rig = made(tmp_path, "0", "1")
    new = replace(rig.releases.made["1"], models_version="20250101")
    check_not_older(rig.stack, new)  # nothing is in production yet
    run(rig.stack, operations.deploy(rig.stack, "0"))
    rig.runtime.models["blue"] = "another set"
    match change:
        case "not running":
            rig.runtime.stop("blue", grace_s=0)
        case "unknown release":
            rig.releases.delete("0")
        case "as built":
            rig.runtime.models["blue"] = "sha 0"
        case "newer":
            new = replace(new, models_version="20260101")
        case _:
            rig.probe.health = lambda _: None  # type: ignore[method-assign,assignment]
    check_not_older(rig.stack, new)
