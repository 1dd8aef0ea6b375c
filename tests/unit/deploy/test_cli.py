"""The commands over a stack of fakes: what they tell programs."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.compose import Composer
from deploy.errors import UsageError
from deploy.flow import operations
from deploy.flow.run import run
from deploy.flow.stack import Stack
from deploy.settings import DeploySettings
from tests.support.deploy_fakes import Rig, made


@dataclass
class Composed:
    """The fakes, whatever is asked for."""

    rig: Rig

    def settings(self) -> DeploySettings:
        return self.rig.stack.settings

    def stack(self, *_: object) -> Stack:
        return self.rig.stack


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = made(tmp_path, "1", "2")
    run(rig.stack, operations.deploy(rig.stack, "1"))
    return rig


def told(rig: Rig, *line: str) -> Any:
    ran = CliRunner().invoke(app, [*line, "--json"], obj=Composed(rig))
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def test_a_plan_is_told_to_programs(rig: Rig) -> None:
    plan = told(rig, "plan", "deploy", "--version", "2")
    assert "deploy 2" in plan["about"]
    assert [phase["name"] for phase in plan["phases"]][:2] == ["build", "claim"]


def test_a_verdict_is_told_to_programs(rig: Rig) -> None:
    run(rig.stack, operations.canary(rig.stack, "2", weight=10))
    verdict = told(rig, "judge")
    assert verdict["weight"] == 10
    assert verdict["outcome"] in ("pass", "fail", "inconclusive")


def test_a_release_that_is_built_is_told_to_programs(rig: Rig) -> None:
    assert told(rig, "build", "--version", "2")["tag"] == "pikkit_ml_api:2"


def test_what_is_no_address_is_refused_before_anything_is_asked(rig: Rig) -> None:
    ran = CliRunner().invoke(app, ["verify", "--url", "nonsense"], obj=Composed(rig))
    assert ran.exit_code == 2
    assert "nonsense is no address: give http://HOST[:PORT]" in ran.output


@pytest.mark.parametrize("name", ["DEPLOY_RUN_DIR", "deploy_rundir"])
def test_settings_are_looked_at_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, str(Path(__file__)))
    ran = CliRunner().invoke(app, ["status"], obj=Composer())
    assert ran.exit_code == 2
    assert len(ran.output.splitlines()) == 1
    assert "DEPLOY_RUN_DIR" in ran.output


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("deploy",), "deploy needs a --version"),
        (("deploy", "--version", "none"), "none can't be built"),
        (("canary", "--version", "none"), "none can't be built"),
        (("canary",), "no canary runs: name its --version"),
        (("rollback", "--version", "none"), "release none is gone"),
        (("promote",), "no canary runs: there is nothing to promote"),
        (("promote", "--version", "2"), "promote takes no --version: it is the canary's, whichever runs"),
        (("abort", "--version", "2"), "abort takes no --version: it is the canary's, whichever runs"),
    ],
)
def test_what_the_command_would_refuse_is_not_planned(rig: Rig, line: tuple[str, ...], said: str) -> None:
    def find(version: str, models: Path | None, *, as_built: bool = False) -> None:
        raise UsageError(f"{version} can't be built")

    rig.releases.find = find  # type: ignore[method-assign]
    ran = CliRunner().invoke(app, ["plan", *line], obj=Composed(rig))
    assert ran.exit_code == 2
    assert said in ran.output
    assert rig.runtime.doing == ["start blue 1"]
