"""Which engine is meant, by environment and contexts."""

import json
from pathlib import Path

import pytest

from deploy.docker_endpoint import SshEndpoint, ask_context, endpoint
from deploy.errors import UsageError
from deploy.ssh_connection import ssh_options

CONTEXTS = {"far": "ssh://ops@web1.example", "near": "unix:///run/user/1000/docker.sock", "open": "tcp://web1:2375"}


def found(folder: Path, current: str = "", **environment: str) -> SshEndpoint | None:
    (folder / "config.json").write_text(json.dumps({"currentContext": current} if current else {}))
    return endpoint({"DOCKER_CONFIG": str(folder), **environment}, CONTEXTS.__getitem__)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("", None),
        ("unix:///var/run/docker.sock", None),
        ("ssh://web1", SshEndpoint("web1")),
        ("ssh://ops@web1.example:2222", SshEndpoint("web1.example", "ops", 2222)),
        ("ssh://ops@web1/", SshEndpoint("web1", "ops")),
        ("ssh://web1/run/user/1000/docker.sock", SshEndpoint("web1", None, None, "/run/user/1000/docker.sock")),
        ("ssh://ops@[fd00::1]:22", SshEndpoint("fd00::1", "ops", 22)),
    ],
)
def test_docker_host_names_the_engine(tmp_path: Path, host: str, expected: SshEndpoint | None) -> None:
    assert found(tmp_path, DOCKER_HOST=host) == expected


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("tcp://10.0.0.1:2376", "an engine by TCP takes no files"),
        ("npipe:////./pipe/docker_engine", "Docker for Windows"),
        ("web1:2375", "neither unix:// nor ssh://"),
        ("/var/run/docker.sock", "neither unix:// nor ssh://"),
        ("ssh://", "names no host"),
        ("ssh://-oProxyCommand=x", "names no host"),
        ("ssh://-l@web1", "names no host"),
        ("ssh://ops:secret@web1", "asks for no password"),
        ("ssh://web1:port", "ssh://USER@HOST"),
    ],
)
def test_an_engine_that_can_not_be_used_is_refused_with_the_way_that_can(tmp_path: Path, host: str, told: str) -> None:
    with pytest.raises(UsageError, match="DOCKER_HOST is") as error:
        found(tmp_path, DOCKER_HOST=host)
    assert told in str(error.value)
    assert "ssh://USER@HOST" in str(error.value)


def test_a_context_counts_when_there_is_no_docker_host_and_the_named_one_before_the_current_one(tmp_path: Path) -> None:
    far = SshEndpoint("web1.example", "ops")
    assert found(tmp_path, current="far") == far
    assert found(tmp_path, DOCKER_CONTEXT="far") == far
    assert found(tmp_path, current="far", DOCKER_CONTEXT="near") is None
    assert found(tmp_path, current="far", DOCKER_CONTEXT="default") is None
    assert found(tmp_path, current="far", DOCKER_HOST="unix:///var/run/docker.sock") is None
    assert found(tmp_path, current="default") is None
    with pytest.raises(UsageError, match="endpoint of Docker context 'open' is 'tcp://web1:2375'"):
        found(tmp_path, current="open")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"currentContext": null}'])
def test_a_damaged_configuration_of_docker_names_no_context(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    assert endpoint({"DOCKER_CONFIG": str(tmp_path)}, CONTEXTS.__getitem__) is None
    assert endpoint({"HOME": str(tmp_path)}, CONTEXTS.__getitem__) is None


def test_the_client_is_asked_for_a_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = tmp_path / "docker"
    client.write_text('#!/bin/sh\n[ "$5" = far ] && echo ssh://web1 || { echo not found >&2; exit 1; }\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert ask_context("far") == "ssh://web1"
    with pytest.raises(UsageError, match="'gone': not found: `docker context ls`"):
        ask_context("gone")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(UsageError, match="install Docker's client"):
        ask_context("far")


def test_ssh_asks_nothing_and_goes_only_where_it_has_been_before() -> None:
    line = ssh_options(SshEndpoint("web1", "ops", 2222), Path("/etc/own config"))
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes", "ForwardAgent=no"} <= set(line)
    assert line[-6:] == ["-F", "/etc/own config", "-l", "ops", "-p", "2222"]
    assert "-p" not in ssh_options(SshEndpoint("web1"), None)
