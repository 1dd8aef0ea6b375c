"""The failures that people reported of other tools (one test each), on real processes and a real Nginx."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from deploy.errors import DeployError, GateFailed, Locked, RouterError, UsageError
from deploy.files import plain, write_json
from deploy.flow import operations
from deploy.journal.lock import Lock, host
from deploy.processes import ProcessId
from deploy.proxy.nginx import Router
from tests.support.deploy_rig import Rig, kill
from tests.support.waiting import eventually

pytestmark = pytest.mark.system


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Release 1 in production (blue), 2 and 3 ready to be deployed."""
    with Rig(tmp_path) as stack:
        stack.release("1", "2", "3")
        stack.do(operations.deploy, "1")
        yield stack


def test_1_rollback_never_goes_onto_a_broken_copy(rig: Rig) -> None:
    rig.do(operations.deploy, "2")
    rig.release("broken", crash=True)
    with pytest.raises(GateFailed):
        rig.do(operations.deploy, "broken")  # takes the slot of 1, the rollback target
    assert rig.version() == "2"
    rig.do(operations.rollback)  # starts 1 anew, since no slot has it warm
    assert rig.version() == "1"


def test_1b_rollback_does_not_believe_in_a_warm_slot_that_went_bad(rig: Rig) -> None:
    rig.do(operations.deploy, "2")
    pid = rig.stack().runtime.observe("blue").pid
    assert pid is not None
    kill(pid)
    rig.do(operations.rollback)
    assert rig.version() == "1"


def test_2_the_lock_of_a_dead_owner_blocks_nobody(rig: Rig) -> None:
    lock = rig.run_dir / "lock.json"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    started = ProcessId.of(dead.pid)
    dead.wait()
    assert started is not None
    ann = {"user": "ann", "host": host(), "command": "deploy"}
    write_json(lock, {**ann, "process": plain(started)})
    assert "took over the lock of ann" in rig.run("deploy", "--version", "2")
    # a living process with the pid, but started at another time, is not the owner either
    write_json(lock, {**ann, "process": {**plain(ProcessId.own()), "start": 1}})
    rig.run("rollback")


def test_2b_the_lock_of_a_living_owner_is_respected(rig: Rig) -> None:
    with Lock(rig.run_dir / "lock.json", "deploy --version 9"):
        assert "deploy --version 9" in rig.run("deploy", "--version", "2", code=Locked.exit_code)
    rig.run("deploy", "--version", "2")


def test_2c_old_releases_do_not_fill_the_disk(rig: Rig) -> None:
    rig.environment["DEPLOY_KEEP_RELEASES"] = "1"
    for number, version in enumerate(("old1", "old2", "old3")):
        rig.release(version)
        os.utime(rig.releases / f"{version}.json", (number, number))
    rig.do(operations.deploy, "2")
    assert sorted(path.stem for path in rig.releases.glob("*.json")) == ["1", "2", "3"]


def test_3_a_configuration_that_nginx_refuses_leaves_the_live_colour_alone(rig: Rig) -> None:
    rig.environment["DEPLOY_TLS_CERTIFICATE"] = rig.environment["DEPLOY_TLS_KEY"] = str(rig.folder / "none.pem")
    output = rig.run("deploy", "--version", "2", code=RouterError.exit_code)
    assert "none.pem" in output
    del rig.environment["DEPLOY_TLS_CERTIFICATE"], rig.environment["DEPLOY_TLS_KEY"]
    assert rig.version() == "1"
    status = rig.status()
    assert status["production"] == "blue"
    assert status["slots"]["blue"]["running"]
    assert not status["slots"]["green"]["running"]
    assert status["rollback_to"] is None
    rig.do(operations.deploy, "2")
    assert rig.version() == "2"


def test_3b_a_reload_that_silently_did_nothing_is_found_out_and_undone(rig: Rig) -> None:
    """The new port is held by someone else: `nginx -t` and the signal succeed, and nothing is applied."""
    router = rig.stack().router
    assert isinstance(router, Router)
    before = (router.folder / "nginx.conf").read_text()
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        rig.environment["DEPLOY_STATUS_PORT"] = str(stranger.getsockname()[1])
        moved = rig.stack()
        with pytest.raises(RouterError, match="does not tell structure"):
            moved.router.reconcile()
    del rig.environment["DEPLOY_STATUS_PORT"]
    assert (router.folder / "nginx.conf").read_text() == before
    assert rig.version() == "1"


def test_4_an_edit_always_reaches_the_proxy_and_is_read_back(rig: Rig) -> None:
    for version in ("2", "3", "1", "2"):
        rig.do(operations.deploy, version)
        answers = {rig.client.get(f"{rig.url}/health").json()["version"] for _ in range(20)}
        assert answers == {version}


def test_4b_a_proxy_that_reads_another_folder_is_found_out(rig: Rig) -> None:
    stack = rig.stack()
    router = stack.router
    assert isinstance(router, Router)
    route = router.get()
    assert route is not None
    router._link = router.folder / "elsewhere"
    with pytest.raises(RouterError, match="not the folder that it reads"):
        router.set(route.moved(production="green", spare=None))
    assert rig.version() == "1"


def test_5_a_stopped_slot_in_the_configuration_takes_nothing_down(rig: Rig) -> None:
    config = (rig.run_dir / "nginx" / "nginx.conf").read_text()
    assert f"127.0.0.1:{rig.port + 3}" in config  # the canary, which never ran
    stack = rig.stack()
    stack.router.stop(grace_s=2)
    stack.router.reconcile()
    assert rig.version() == "1"


# What it says of its readiness, its set and its version is the matter of test_gates.
LIES: dict[str, dict[str, object]] = {
    "serves version": {"version": "1"},
    "golden bet 0": {"golden": [[{}, {"win_probability": 0.7}]]},
    "ended before it was ready": {"crash": True},
}


def test_6_a_release_that_lies_about_being_ready_gets_no_traffic(rig: Rig) -> None:
    with rig.traffic(clients=4) as tally:
        for why, told in LIES.items():
            rig.environment["DEPLOY_READY_TIMEOUT_S"] = "20" if "version" in told else "240"
            rig.release("liar", **told)
            with pytest.raises(GateFailed, match=why) as refused:
                rig.do(operations.deploy, "liar")
            assert any("liar" in line for line in refused.value.log)
            assert not rig.status()["slots"]["green"]["running"]
    assert tally.failures == {}
    assert set(tally.served) == {"blue"}


def test_7_a_request_in_flight_for_long_ends_with_200_and_the_old_slot_gets_no_new_one(rig: Rig) -> None:
    rig.environment |= {"DEPLOY_READ_TIMEOUT_S": "600", "DEPLOY_DRAIN_TIMEOUT_S": "0"}
    stack = rig.stack()
    stack.router.reconcile()
    with ThreadPoolExecutor(1) as beside, rig.traffic(clients=8) as tally:
        slow = beside.submit(rig.predict, **{"x-held": "yes"})
        blue = stack.runtime.base_url("blue")
        try:
            eventually(lambda: "pikkit_active_requests 1" in (stack.probe.metrics(blue) or ""))
            rig.do(operations.deploy, "2")

            def nothing_new_comes() -> bool:
                old = stack.window.counters("blue")
                time.sleep(1)
                return stack.window.counters("blue") == old

            eventually(nothing_new_comes)  # what was under way at the switch is counted once it ends
            assert "still has 1 request" in rig.stack().gates.drained("blue", 0)
            # the next deploy takes the old slot: it waits for the request before it stops it
            rig.environment["DEPLOY_DRAIN_TIMEOUT_S"] = "600"
            threading.Timer(3, httpx.get, [f"{blue}/let-go"]).start()
            rig.do(operations.deploy, "3")
        except BaseException:
            httpx.get(f"{blue}/let-go")
            raise
        answer = slow.result()
    assert (answer.status_code, answer.json()["release"]) == (200, "1")
    assert tally.failures == {}


def test_8_idle_keep_alive_connections_survive_a_switch(rig: Rig) -> None:
    rig.do(operations.deploy, "2")
    stack = rig.stack()
    with rig.traffic(clients=32, pause=0.05) as tally:
        for colour in ("blue", "green") * 10:
            route = stack.router.get()
            assert route is not None
            stack.router.set(route.moved(production=colour, spare=None))
            time.sleep(0.05)
    assert tally.failures == {}
    assert set(tally.served) == {"blue", "green"}


def test_9_the_rollback_target_is_never_pruned(rig: Rig) -> None:
    rig.environment["DEPLOY_KEEP_RELEASES"] = "1"
    os.utime(rig.releases / "1.json", (1, 1))  # the oldest of all
    rig.release("a", "b", "c", "d")
    rig.do(operations.deploy, "2")
    assert (rig.releases / "1.json").exists()
    rig.do(operations.rollback)
    assert rig.version() == "1"


def test_10_without_the_journal_routing_and_rollback_go_on(rig: Rig) -> None:
    journal = rig.run_dir / "journal.db"
    for damage in ("lost", "half-written", "empty"):
        rig.do(operations.deploy, "2")
        production = rig.status()["production"]
        if damage == "lost":
            journal.unlink()
        else:
            journal.write_bytes(journal.read_bytes()[:40] if damage == "half-written" else b"")
        assert rig.status()["production"] == production, damage
        rig.do(operations.rollback)
        assert rig.version() == "1", damage
        assert rig.status()["journal"] == "ok", damage


def test_also_aborting_with_nothing_running_leaves_production_alone(rig: Rig) -> None:
    with pytest.raises(UsageError, match="no release to go back to"):
        rig.do(operations.rollback)
    with pytest.raises(UsageError, match="is production"):
        rig.do(operations.stop, "blue")
    rig.do(operations.stop, "canary")
    with pytest.raises(UsageError, match="nothing to abort"):
        rig.do(operations.abort)
    assert rig.version() == "1"


def test_also_100_to_0_is_100_to_0(rig: Rig) -> None:
    rig.do(operations.canary, "2", weight=0)
    seen = {rig.predict(**{"x-client-id": f"c{n}"}).headers["x-served-by"] for n in range(60)}
    assert seen == {"blue"}
    rig.do(operations.canary, None, weight=100)
    seen = {rig.predict(**{"x-client-id": f"c{n}"}).headers["x-served-by"] for n in range(60)}
    assert seen == {"canary"}


def test_also_no_canary_route_is_left_after_the_canary(rig: Rig) -> None:
    rig.do(operations.canary, "2", weight=50)
    rig.do(operations.abort)
    route = rig.stack().router.get()
    assert route is not None
    assert (route.weight, route.canary) == (0, False)
    for headers in ({"x-deployment-target": "canary"}, {"cookie": "deployment=canary"}):
        assert rig.predict(**headers).headers["x-served-by"] == "blue"
    assert not rig.status()["slots"]["canary"]["running"]


def test_also_a_port_that_is_taken_is_said_before_anything_happens(rig: Rig) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", rig.port + 2))
        stranger.listen()
        with pytest.raises(DeployError, match=f"port {rig.port + 2} of green is taken by"):
            rig.do(operations.deploy, "2")
    assert rig.version() == "1"


def test_also_a_failed_boot_leaves_no_process_behind(rig: Rig) -> None:
    rig.environment["DEPLOY_READY_TIMEOUT_S"] = "1"
    rig.release("stuck", ready=False)
    with pytest.raises(GateFailed):
        rig.do(operations.deploy, "stuck")
    mark = str(rig.run_dir / "slots" / "green")
    left = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PIKKIT_SLOT") == mark:
                left.append(process)
        except psutil.Error:
            continue
    assert left == []


def test_a_slot_and_nginx_that_die_are_seen_and_started_again(rig: Rig) -> None:
    rig.run("up")
    before = rig.status()["slots"]["blue"]
    kill(before["pid"])

    def back() -> Any:
        seen = rig.status()["slots"]["blue"]
        return seen["pid"] != before["pid"] and seen["health"] == "healthy" and seen

    assert eventually(back)["restarts"] >= 1
    master = rig.run_dir / "nginx" / "master.json"
    died = master.read_text()
    os.kill(json.loads(died)["pid"], signal.SIGTERM)
    eventually(lambda: master.read_text() != died and rig.version() == "1")


def test_a_recycled_pid_is_not_believed(rig: Rig) -> None:
    record = rig.run_dir / "slots" / "green" / "process.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    told = {"version": "9", "command": [], "environment": {}, "workers": 1, "kept": True, "restarts": 0}
    write_json(record, {**told, "last_restart": 0.0, "process": {**plain(ProcessId.own()), "start": 12345}})
    assert not rig.status()["slots"]["green"]["running"]
    rig.do(operations.deploy, "2")  # and this process was not ended for it
    assert rig.version() == "2"


def test_ctrl_c_leaves_a_state_that_the_next_command_understands(rig: Rig) -> None:
    rig.release("slow", boot_delay=30)
    with rig.start("deploy", "--version", "slow") as command:
        eventually(lambda: "phase wait" in (rig.status()["at_work"] or ""))
        command.send_signal(signal.SIGINT)
        assert "interrupted" in command.output()
        assert command.wait() == 130
    assert "was interrupted at wait" in (rig.status()["interrupted"] or "")
    assert rig.version() == "1"
    rig.do(operations.deploy, "2")
    assert rig.version() == "2"
    assert rig.status()["interrupted"] is None


def test_up_brings_back_what_was_in_production_when_everything_was_stopped(rig: Rig) -> None:
    rig.do(operations.deploy, "2")
    rig.run("stop")
    with pytest.raises(httpx.HTTPError):
        rig.version()
    rig.run("up")
    assert rig.version() == "2"
    assert rig.status()["supervisor"] is not None


def test_a_lost_link_falls_to_a_default_that_serves_and_is_put_back(rig: Rig) -> None:
    rig.run("up")
    eventually(lambda: rig.stack().journal.fact("route") is not None)
    (rig.run_dir / "nginx/live").unlink()
    assert rig.version() == "1"
    eventually((rig.run_dir / "nginx/live").is_symlink)
    assert rig.status()["production"] == "blue"


def test_10b_a_lost_state_never_makes_a_candidate_the_rollback_target(rig: Rig) -> None:
    rig.run("deploy", "--version", "2", code=-9, KILL_AFTER="warm")
    (rig.run_dir / "journal.db").unlink()
    assert rig.status()["slots"]["green"]["health"] == "healthy"
    assert rig.status()["rollback_to"] is None
    with pytest.raises(UsageError, match="no release to go back to"):
        rig.do(operations.rollback)
    assert rig.version() == "1"


def test_history_tells_who_did_what_and_how_it_went(rig: Rig) -> None:
    rig.run("deploy", "--version", "2")
    rig.run("rollback")
    entries = [json.loads(line) for line in rig.run("history", "--json").splitlines()]
    assert [(entry["command"], entry["from"], entry["to"], entry["outcome"]) for entry in entries] == [
        ("deploy", None, "1", "done"),
        ("deploy", "1", "2", "done"),
        ("rollback", "2", "1", "done"),
    ]
    assert all(entry["who"] and entry["seconds"] > 0 for entry in entries)
    assert entries[1]["phases"].keys() >= {"build", "start", "switch", "drain"}
    assert entries[2]["phases"].keys() >= {"check", "switch"}
