"""The Makefile's targets and the pipeline's scripts: what they call exists, and what makes no sense is refused."""

import importlib.util
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main

import deploy.cli
from tests.support.need import root
from tests.support.slow_import import Lazy
from tests.support.workflows import MAKEFILE, SCRIPTS, targets


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
