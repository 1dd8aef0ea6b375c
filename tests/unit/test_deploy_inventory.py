import shlex
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import UsageError
from deploy.host_commands import checked_commit, host_argv, host_environment
from deploy.inventory import Host, chosen, parse_inventory
from tests.support.inventories import COMMIT, LOCAL, REMOTE, THREE
from tests.support.need import root


def test_two_engines_are_two_machines_though_both_are_driven_from_here() -> None:
    engine = LOCAL + '[hosts.env]\nDEPLOY_RUNTIME = "docker"\nDOCKER_HOST = "ssh://one.example"\n'
    other = engine.replace("one.example", "two.example").replace('"a"', '"z"')
    assert [host.name for host in parse_inventory(engine + other, "hosts.toml")] == ["a", "z"]
    with pytest.raises(UsageError, match="on one machine with the same"):
        parse_inventory(engine + other.replace("two.example", "one.example"), "hosts.toml")


def test_the_example_is_a_valid_inventory() -> None:
    text = (root() / "deploy/hosts.example.toml").read_text()
    hosts = parse_inventory(text, "hosts.example.toml")
    assert [host.name for host in hosts] == ["web1", "web2", "here", "web3"]
    assert hosts[0].env == {"DEPLOY_WORKERS": "2"}
    assert (hosts[1].port, hosts[2].local) == (2222, True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hosts = [", "is not TOML"),
        ("", "has no hosts"),
        ("hosts = 3", "has no hosts"),
        ("host = 3", "unknown key 'host': known are hosts"),
        (LOCAL + "colour = 1", "unknown key 'colour': known are name, local"),
        (LOCAL + 'docker_host = "ssh://x"', 'DEPLOY_RUNTIME = "docker" and DOCKER_HOST'),
        (LOCAL.replace('"a"', '"A b"'), "name is 'A b'"),
        (LOCAL.replace('"a"', "3"), "name is 3"),
        ("[[hosts]]\nlocal = true", "name is ''"),
        (LOCAL.replace("true", "false"), "local is False"),
        ('[[hosts]]\nname = "a"', "needs either local = true or ssh"),
        (LOCAL + 'ssh = "u@h"', "and not both"),
        (LOCAL + 'folder = "/srv"', "folder is for hosts reached by ssh"),
        (REMOTE.replace("deploy@", ""), "write user@host or user@host:port"),
        (REMOTE.replace("deploy@", "-oProxyCommand=x@"), "write user@host"),
        (REMOTE.replace("@b", "@-b"), "write user@host"),
        (REMOTE.replace("2222", "70000"), "write user@host"),
        (REMOTE.replace("2222", "0"), "write user@host"),
        (REMOTE.replace("/srv/pik kit", "srv"), "absolute path"),
        (REMOTE.replace("/srv/pik kit", "/srv\\n"), "one line"),
        (LOCAL + 'url = "web1"', "write the live address"),
        (LOCAL + 'url = "http://u:p@h"', "write the live address"),
        (LOCAL + "env = 3", "write a table"),
        (LOCAL + "[hosts.env]\nDEPLOY_BASE_PROT = 1", "env.DEPLOY_BASE_PROT is not a setting"),
        (LOCAL + '[hosts.env]\nTELEGRAM_BOT_TOKEN = "x"', "every secret, belongs into `.env`"),
        (LOCAL + "[hosts.env]\nDEPLOY_WORKERS = []", "write a text, a number"),
        (LOCAL + '[hosts.env]\nDEPLOY_WORKERS = "many"', "env.DEPLOY_WORKERS is 'many'"),
        (LOCAL + "[hosts.env]\nDEPLOY_BASE_PORT = 80", "greater than or equal to 1024"),
        (LOCAL + '[hosts.env]\nDEPLOY_RUNTIME = "podman"', "'process', 'docker' or 'kubernetes'"),
        (LOCAL + '[hosts.env]\nDEPLOY_HOST = "a\\nb"', "one line"),
        (LOCAL + '[hosts.env]\nDEPLOY_TLS_KEY = "/k"', "belong together"),
        (LOCAL + LOCAL, "two hosts are named 'a'"),
        (LOCAL + LOCAL.replace('"a"', '"z"'), "same DEPLOY_RUN_DIR (.run)"),
        (LOCAL + LOCAL.replace('"a"', '"z"') + '[hosts.env]\nDEPLOY_RUN_DIR = "x"', "same DEPLOY_BASE_PORT (8000)"),
    ],
)
def test_a_wrong_inventory_is_refused_with_file_key_and_remedy(text: str, told: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_inventory(text, "my.toml")
    assert told in str(error.value)
    assert str(error.value).startswith("my.toml")


def test_a_setting_of_the_caller_is_not_blamed_on_the_inventory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOY_WORKERS", "many")
    assert parse_inventory(LOCAL + "[hosts.env]\nDEPLOY_BASE_PORT = 8100", "x")[0].env == {"DEPLOY_BASE_PORT": "8100"}


@pytest.mark.parametrize(
    ("first", "only", "names"),
    [(None, None, "abc"), ("b", None, "bc"), (None, "c,a", "ac"), (None, " b ", "b")],
)
def test_hosts_are_chosen_in_file_order(first: str | None, only: str | None, names: str) -> None:
    assert [host.name for host in chosen(parse_inventory(THREE, "x"), first=first, only=only)] == list(names)


@pytest.mark.parametrize(
    ("first", "only", "told"),
    [
        ("a", "b", "exclude"),
        ("z", None, "it has a, b, c"),
        (None, "a,z", "no host 'z'"),
        ("a,b", None, "one host"),
        (None, "", "names no host"),
    ],
)
def test_a_wrong_choice_is_refused(first: str | None, only: str | None, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        chosen(parse_inventory(THREE, "x"), first=first, only=only)


def test_a_local_host_runs_this_command_line_with_its_settings_over_those_of_the_caller() -> None:
    host = Host("a", {"DEPLOY_BASE_PORT": "8100"})
    assert host_argv(host, ["py", "-m", "deploy"], ["status"], commit=COMMIT) == ["py", "-m", "deploy", "status"]
    assert host_environment(host, {"DEPLOY_BASE_PORT": "1", "X": "2"}) == {"DEPLOY_BASE_PORT": "8100", "X": "2"}


def test_a_host_reached_by_ssh_is_asked_strictly_and_its_clone_brought_to_the_commit_first() -> None:
    host = replace(parse_inventory(REMOTE, "x")[0], key="/k", known_hosts="/known hosts", env={"DEPLOY_HOST": "::"})
    argv = host_argv(host, ["unused"], ["deploy", "--version", "1"], commit=COMMIT)
    assert argv[0] == "ssh"
    for option in ("BatchMode=yes", "StrictHostKeyChecking=yes", "ForwardAgent=no", "IdentitiesOnly=yes"):
        assert argv[argv.index(option) - 1] == "-o"
    assert 'UserKnownHostsFile="/known hosts"' in argv
    assert argv[-4:-1] == ["-p", "2222", "deploy@b.example.com"]
    assert argv[-1] == (
        f"set -eu; cd '/srv/pik kit'; git fetch --quiet origin {COMMIT}; git checkout --quiet --detach {COMMIT}; "
        "make --silent .venv/.installed; exec env DEPLOY_HOST=:: .venv/bin/python -m deploy deploy --version 1"
    )
    assert "git" not in host_argv(host, [], ["status"])[-1]
    assert host_environment(host, {"X": "2"}) == {"X": "2"}


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), max_size=4))
def test_a_shell_at_the_other_end_sees_the_arguments_as_they_were_given(arguments: list[str]) -> None:
    host = Host("b", {"DEPLOY_HOST": "$(x) 'y'"}, user="u", address="h", folder="/a b")
    last = host_argv(host, [], arguments)[-1].removeprefix("set -eu; cd '/a b'; exec ")
    assert shlex.split(last) == ["env", "DEPLOY_HOST=$(x) 'y'", ".venv/bin/python", "-m", "deploy", *arguments]


@pytest.mark.parametrize("commit", ["main", "abc", COMMIT + "; x", COMMIT.upper(), ""])
def test_a_commit_is_forty_hex_digits(commit: str) -> None:
    with pytest.raises(UsageError, match="40 hex digits"):
        checked_commit(commit)
    assert checked_commit(COMMIT) == COMMIT


def test_the_inventory_of_this_checkout_is_no_part_of_the_repository() -> None:
    assert "deploy/hosts.toml" in (root() / ".gitignore").read_text().splitlines()
    assert tomllib.loads((root() / "deploy/hosts.example.toml").read_text())
