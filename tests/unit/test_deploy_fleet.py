import contextlib
import json
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.compose import Composer
from deploy.errors import UsageError
from deploy.fleet import Fleet
from deploy.fleet_status import HostStatus, fleet_problems, fleet_status, read_status
from deploy.host_process import Interrupts, Output, capture, run_streamed
from deploy.inventory import Host, chosen, parse_inventory
from tests.support.inventories import COMMIT, LOCAL, REMOTE, THREE


def answer(version: str | None = "1", **more: object) -> Output:
    slot = {"version": version, "health": "healthy"}
    data = {
        "production": "blue" if version else None,
        "slots": {"blue": slot, "canary": {"version": "9"}},
        "proxy": "running",
        "canary_weight": None,
        "interrupted": None,
        "state_file": "ok",
        "rollback_to": None,
        **more,
    }
    return Output(0, json.dumps(data), "")


HOST = Host("a", {})
FAR = Host("b", {}, user="u", address="h", folder="/f")


@pytest.mark.parametrize(
    ("output", "reachable", "problem"),
    [
        (answer(), True, None),
        (answer(canary_weight=10), True, None),
        (answer(proxy="stopped"), True, "proxy stopped"),
        (answer(None), True, "nothing in production"),
        (answer(slots={"blue": {"version": "1", "health": "degraded"}}), True, "production (blue) is degraded"),
        (answer(slots={"blue": {"version": None, "health": None}}), True, "production (blue) is not running"),
        (answer(interrupted="deploy, phase warm"), True, "interrupted: deploy, phase warm"),
        (answer(state_file="lost"), True, "state file lost"),
        (Output(None, "", ""), False, "no answer within 5 s"),
        (Output(255, "", "x\nssh: no route\n\n"), False, "unreachable: ssh: no route"),
        (Output(9, "", "✗ no connection to ssh://x\n"), False, "unreachable: ✗ no connection to ssh://x"),
        (Output(127, "", "env: no python"), True, "`status` ended with 127: env: no python"),
        (Output(0, "[]", ""), True, "`status` ended with 0: no output that can be read"),
        (Output(0, '{"production": null}', ""), True, "`status` ended with 0: no output that can be read"),
    ],
)
def test_a_status_is_understood_or_its_trouble_told(output: Output, reachable: bool, problem: str | None) -> None:
    seen = read_status(FAR, output, 5)
    assert seen.reachable is reachable
    assert seen.problems == ((problem,) if problem else ())


def test_hosts_that_serve_different_versions_are_a_problem_and_equal_ones_are_none() -> None:
    one, two = HostStatus("a", "", True, "1"), HostStatus("b", "", True, "2")
    assert fleet_status([one, replace(one, name="c")])["ok"] is True
    assert fleet_problems([one, two]) == ["hosts differ: 1 in production on a; 2 in production on b"]
    assert "canary 3 at 10%" in fleet_problems([one, replace(one, name="b", canary="3", canary_weight=10)])[0]


class Hosts:
    """Hosts a, b and c without a process: each has a version; commands fail by order."""

    def __init__(self, text: str = THREE, only: str | None = None) -> None:
        self.served = {"a": "1", "b": "1", "c": "1"}
        self.fail: dict[tuple[str, str], int] = {}
        self.down: set[str] = set()
        self.ran: list[tuple[str, str]] = []
        self.said: list[str] = []
        self.commits: list[str] = []
        self.interrupts = Interrupts()
        self.after: Callable[[str], None] = lambda _: None
        hosts = parse_inventory(text, "x")
        self.fleet = Fleet(
            hosts=hosts,
            chosen=chosen(hosts, only=only),
            entry=["entry"],
            environment={},
            run=self.run,
            capture=self.capture,
            say=self.said.append,
            interrupts=self.interrupts,
            commit=lambda: COMMIT,
            again=["fleet"],
            by_name=only is not None,
        )

    @staticmethod
    def name(argv: Sequence[str]) -> str:
        return "a" if argv[0] == "entry" else argv[-2].removeprefix("deploy@")[0]

    def run(self, argv: Sequence[str], environment: Mapping[str, str], line: Callable[[str], None]) -> int:
        name = self.name(argv)
        words = argv[1:] if argv[0] == "entry" else shlex.split(argv[-1].rpartition("-m deploy ")[2])
        if words[0] == "verify":
            name = words[2][-1]
        self.ran.append((name, words[0]))
        if COMMIT in argv[-1]:
            self.commits.append(name)
        line("said")
        self.after(name)
        code = self.fail.get((name, words[0]), 0)
        if not code and words[0] == "deploy":
            self.served[name] = words[2]
        return code

    def capture(self, argv: Sequence[str], environment: Mapping[str, str], seconds: float) -> Output:
        name = self.name(argv)
        return Output(255, "", "gone") if name in self.down else answer(self.served[name])

    @property
    def told(self) -> str:
        return "\n".join(self.said)


DEPLOY = ["deploy", "--version", "2"]


def test_a_command_goes_host_by_host_and_only_hosts_behind_ssh_are_brought_to_the_commit() -> None:
    hosts = Hosts()
    assert hosts.fleet.change(DEPLOY) == 0
    assert hosts.ran == [("a", "deploy"), ("b", "deploy"), ("c", "deploy")]
    assert hosts.commits == ["b", "c"]
    assert "b | said" in hosts.said
    assert hosts.said[-1] == "done on a, b, c"


def test_the_first_failure_stops_it_and_tells_where_each_host_is_and_how_to_go_on_and_back() -> None:
    hosts = Hosts()
    hosts.fail["b", "deploy"] = 3
    assert hosts.fleet.change(DEPLOY) == 3
    assert hosts.ran == [("a", "deploy"), ("b", "deploy")]
    assert "  a: done; 2 in production (was 1 in production)" in hosts.said
    assert "  b: FAILED (exit code 3: a gate refused the release, production there is untouched); 1 in" in hosts.told
    assert "  c: untouched; 1 in production" in hosts.said
    assert f"to go on:   fleet --commit {COMMIT} --from b deploy --version 2" in hosts.said
    assert "to go back: fleet --only a rollback" in hosts.said


def test_hosts_that_were_named_are_named_again() -> None:
    hosts = Hosts(only="a,c")
    hosts.fail["a", "deploy"] = 3
    hosts.fleet.change(DEPLOY)
    assert f"to go on:   fleet --commit {COMMIT} --only a,c deploy --version 2" in hosts.said
    assert "to go back" not in hosts.told


def test_a_host_that_switched_before_its_connection_broke_is_among_those_to_take_back() -> None:
    hosts = Hosts()
    hosts.fail["b", "deploy"] = 255
    hosts.after = lambda name: hosts.served.update({name: "2"})
    assert hosts.fleet.change(DEPLOY) == 1
    assert "may still go on there" in hosts.told
    assert "to go back: fleet --only a,b rollback" in hosts.said


def test_a_host_that_was_done_and_can_not_be_seen_is_among_those_to_take_back() -> None:
    hosts = Hosts(REMOTE + LOCAL)
    hosts.fail["a", "deploy"] = 7
    hosts.after = lambda _: hosts.down.add("b")
    assert hosts.fleet.change(DEPLOY) == 7
    assert "  b: done; can't be seen" in hosts.said
    assert "to go back: fleet --only b rollback" in hosts.said


def test_nothing_is_begun_while_a_host_can_not_be_reached() -> None:
    hosts = Hosts()
    hosts.down.add("c")
    with pytest.raises(UsageError, match="nothing was changed: c unreachable: gone"):
        hosts.fleet.change(DEPLOY)
    assert hosts.ran == []


@pytest.mark.parametrize("command", ["rollback", "scale", "stop", "up"])
def test_what_a_rollback_does_not_undo_is_not_advised_to_be_rolled_back(command: str) -> None:
    hosts = Hosts()
    hosts.fail["b", command] = 2
    hosts.after = lambda name: hosts.served.update({name: "0"})
    assert hosts.fleet.change([command]) == 2
    assert "to go back" not in hosts.told


def test_an_interruption_lets_the_host_in_hand_end_and_begins_no_other() -> None:
    hosts = Hosts()
    hosts.after = lambda _: setattr(hosts.interrupts, "count", 1)
    assert hosts.fleet.change(DEPLOY) == 130
    assert hosts.ran == [("a", "deploy")]
    assert f"to go on:   fleet --commit {COMMIT} --from b deploy --version 2" in hosts.said


WITH_URL = THREE.replace("local = true", 'local = true\nurl = "http://a"').replace(
    'folder = "/srv/pik kit"', 'folder = "/srv"\nurl = "http://b"', 1
)


def test_a_host_with_an_address_is_verified_and_rolled_back_when_it_fails_that() -> None:
    hosts = Hosts(WITH_URL)
    hosts.fail["b", "verify"] = 8
    assert hosts.fleet.change(DEPLOY) == 8
    assert hosts.ran == [("a", "deploy"), ("a", "verify"), ("b", "deploy"), ("b", "verify"), ("b", "rollback")]
    assert "http://b did not pass verification and was rolled back" in hosts.told


def test_a_rollback_that_fails_its_verification_is_not_undone() -> None:
    hosts = Hosts(WITH_URL)
    hosts.fail["a", "verify"] = 8
    assert hosts.fleet.change(["rollback"]) == 8
    assert hosts.ran == [("a", "rollback"), ("a", "verify")]


def test_verify_asks_every_host_and_needs_their_addresses() -> None:
    hosts = Hosts(WITH_URL, only="a,b")
    hosts.fail["a", "verify"] = 8
    assert hosts.fleet.verify([]) == 8
    assert hosts.ran == [("a", "verify"), ("b", "verify")]
    with pytest.raises(UsageError, match="c has no url"):
        Hosts(WITH_URL).fleet.verify([])


def test_a_look_goes_on_after_a_failure() -> None:
    hosts = Hosts()
    hosts.fail["a", "history"] = 2
    hosts.fail["b", "history"] = 255
    assert hosts.fleet.look(["history"]) == 2
    assert len(hosts.ran) == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["deploy", "--version", "1", "--only", "a"], "--only is an option of fleet: write it before 'deploy'"),
        (["deploy", "--from=a"], "--from=a is an option of fleet"),
        (["unlock"], "fleet can't 'unlock': it can status, verify, up"),
        (["status", "--fast"], "takes --json only"),
        (["--commit", "main", "deploy"], "40 hex digits"),
        (["--inventory", "/nowhere.toml", "status"], "copy deploy/hosts.example.toml"),
        (["--only", "z", "status"], "it has a"),
    ],
)
def test_a_wrong_fleet_command_is_refused_before_anything_runs(tmp_path: Path, arguments: list[str], told: str) -> None:
    (tmp_path / "hosts.toml").write_text(LOCAL)
    composer = Composer(entry=("/nowhere/that-must-not-run",))
    result = CliRunner(env={"DEPLOY_INVENTORY": str(tmp_path / "hosts.toml")}).invoke(
        app, ["fleet", *arguments], obj=composer
    )
    assert result.exit_code == 2
    assert told in result.stderr


def test_lines_come_as_they_are_written_and_a_signal_is_an_exit_code() -> None:
    lines: list[str] = []
    script = "echo out; echo err >&2; kill -TERM $$"
    code = run_streamed(Interrupts(), ["sh", "-c", script], {}, lines.append)
    assert (code, lines) == (143, ["out", "err"])


def test_a_command_that_takes_too_long_is_ended_with_its_children() -> None:
    assert capture(["sh", "-c", "sleep 60 & sleep 60"], {"PATH": "/usr/bin:/bin"}, 0.2).code is None
    assert capture(["sh", "-c", "echo out; echo err >&2; exit 3"], {}, 5) == Output(3, "out\n", "err\n")


def test_the_first_signal_is_kept_and_the_second_is_passed_on() -> None:
    said: list[str] = []
    interrupts = Interrupts(say=said.append)
    before = signal.getsignal(signal.SIGINT)
    with interrupts.watching(), subprocess.Popen(["sleep", "60"]) as process, contextlib.ExitStack() as stack:
        stack.callback(process.kill)
        interrupts.running = process  # type: ignore[assignment]
        signal.raise_signal(signal.SIGTERM)
        assert process.poll() is None
        signal.raise_signal(signal.SIGINT)
        assert process.wait(5) == -signal.SIGINT
    assert interrupts.count == 2
    assert len(said) == 1
    assert signal.getsignal(signal.SIGINT) is before
