"""One command over two real hosts, one of them behind a real sshd."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fleet_rig import FleetRig
from tests.support.need import root

pytestmark = pytest.mark.system


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[FleetRig]:
    with FleetRig(tmp_path) as rig:
        rig.release("1", "2", "3")
        yield rig


def advice(told: str, what: str) -> list[str]:
    """The arguments after `fleet` and the inventory of the command that is advised."""
    line = next(line for line in told.splitlines() if line.startswith(what))
    words = shlex.split(line.removeprefix(what))
    words = words[words.index("--inventory") + 2 :]
    return words[2:] if words[0] == "--commit" else words


def test_both_hosts_get_the_release_under_load_and_a_failure_on_the_second_tells_how_to_go_on_and_back(
    fleet: FleetRig,
) -> None:
    fleet.run("up", "--version", "1")
    with fleet.near.traffic(clients=6, pause=0.03) as near, fleet.far.traffic(clients=6, pause=0.03) as far:
        second = fleet.commit("Two")
        told = fleet.run("deploy", "--version", "2", commit=second)
        assert "near | " in told
        assert "far | " in told
        assert told.rstrip().endswith("done on near, far")
        assert fleet.versions() == ("2", "2")
        assert fleet.shipped() == second
        assert (fleet.clone / "made-by-ship").exists()

        fleet.far.release("3", crash=True)
        told = fleet.run("deploy", "--version", "3", code=3, commit=second)
        assert fleet.versions() == ("3", "2")
        assert "  near: done; 3 in production (was 2 in production)" in told
        assert "  far: FAILED (exit code 3: a gate refused the release, production there is untouched); 2 in" in told
        on, back = advice(told, "to go on:"), advice(told, "to go back:")
        assert on == ["--from", "far", "deploy", "--version", "3"]
        assert back == ["--only", "near", "rollback"]

        fleet.run(*back, commit=second)
        assert fleet.versions() == ("2", "2")
        fleet.near.release("4")
        fleet.far.release("4", crash=True)
        on = advice(fleet.run("deploy", "--version", "4", code=3, commit=second), "to go on:")
        assert fleet.versions() == ("4", "2")
        differ = fleet.run("status", code=1)
        assert "hosts differ: 4 in production on near; 2 in production on far" in differ
        fleet.far.release("4")  # mended
        fleet.run(*on, commit=second)
        assert fleet.versions() == ("4", "4")
    for tally in (near, far):
        assert tally.failures == {}
        assert tally.requests > 500
        assert {"blue", "green"} == set(tally.served)
    assert [entry["to"] for entry in fleet.far.machine().audit.read() if entry["command"] == "deploy"][-1] == "4"


def test_nothing_is_begun_while_a_host_has_another_key_or_is_down_and_status_over_all_shows_it(fleet: FleetRig) -> None:
    known = fleet.folder / "ssh/known_hosts"
    other = (fleet.folder / "ssh/user.pub").read_text().split()[1]
    known.write_text(f"[127.0.0.1]:{fleet.sshd.port} ssh-ed25519 {other}\n")
    assert "Host key verification failed" in fleet.run("up", "--version", "1", code=2)
    assert not fleet.near.run_dir.joinpath("nginx").exists()
    known.write_text(fleet.sshd.known_host + "\n")
    fleet.run("up", "--version", "1")
    data = json.loads(fleet.run("status", "--json"))
    assert (data["ok"], [host["production"] for host in data["hosts"]]) == (True, ["1", "1"])
    fleet.sshd.stop()
    began = time.monotonic()
    told = fleet.run("status", code=1)
    assert time.monotonic() - began < 15
    assert "unreachable" in told
    assert "far: unreachable: ssh: connect to host 127.0.0.1 port" in told
    told = fleet.run("deploy", "--version", "2", code=2)
    assert "nothing was changed: far unreachable" in told
    assert fleet.versions() == ("1", "1")
    fleet.run("--only", "near", "deploy", "--version", "2")
    assert fleet.versions() == ("2", "1")


def test_ctrl_c_lets_the_host_in_hand_end_and_begins_no_other(fleet: FleetRig) -> None:
    fleet.run("up", "--version", "1")
    fleet.near.release("2", boot_delay=1.5)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.support.deploy_stack", "fleet", "--inventory", str(fleet.inventory)),
            *("--commit", fleet.commits[-1], "deploy", "--version", "2"),
        ],
        env=fleet.near.environment,
        cwd=root(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    with process.stderr as stream:
        for line in stream:
            if "near | " in line and "start" in line:
                break
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        told = stream.read()
    assert process.wait(30) == 130
    assert "no other is begun" in told
    assert "  far: untouched; 1 in production" in told
    assert fleet.versions() == ("2", "1")
    assert advice(told, "to go on:") == ["--from", "far", "deploy", "--version", "2"]
