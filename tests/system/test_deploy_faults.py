"""What happens to machines: a dead Nginx master, a full disk, damaged records, a reboot; and keys that slots demand."""

import json
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from deploy.errors import RouterError
from deploy.files import parsed, read_json
from deploy.flow import operations
from deploy.processes import ProcessId
from deploy.watch.supervisor import stop_supervisor, supervisor_process
from tests.support.deploy_rig import Rig, kill
from tests.support.waiting import eventually

pytestmark = pytest.mark.system


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Release 1 in production (blue), 2 ready to be deployed."""
    with Rig(tmp_path) as stack:
        stack.release("1", "2")
        stack.do(operations.deploy, "1")
        yield stack


def master(rig: Rig) -> ProcessId:
    found = parsed(ProcessId, read_json(rig.run_dir / "nginx/master.json"))
    assert found is not None
    return found


def test_a_killed_nginx_master_is_replaced_by_the_supervisor_and_its_workers_are_let_go(rig: Rig) -> None:
    rig.run("up")
    before = master(rig)
    workers = psutil.Process(before.pid).children()
    before.signal(signal.SIGKILL)
    eventually(lambda: master(rig) != before and rig.version() == "1")
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert alive == []
    rig.do(operations.deploy, "2")
    assert rig.version() == "2"


def test_stop_ends_workers_without_a_master_and_says_what_it_can_not_end(rig: Rig) -> None:
    kill(master(rig).pid)
    rig.run("stop")
    with pytest.raises(httpx.ConnectError):
        rig.version()
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", rig.port))
        stranger.listen()
        assert "is still answered, by" in rig.run("stop", code=7)


def test_a_damaged_record_of_the_master_is_done_without(rig: Rig) -> None:
    record = rig.run_dir / "nginx/master.json"
    for content in ("[]", None):
        record.unlink() if content is None else record.write_text(content)
        assert rig.status()["proxy"] == "running"
        version = {"1": "2", "2": "1"}[rig.version()]
        rig.do(operations.deploy, version)
        assert rig.version() == version
    record.write_text("[]")
    rig.stack().router.stop(grace_s=2)
    with pytest.raises(httpx.ConnectError):
        rig.version()


def test_damaged_records_end_neither_a_command_nor_the_supervisor(rig: Rig) -> None:
    rig.run("up")
    rig.do(operations.deploy, "2")
    supervisor = supervisor_process(rig.run_dir)
    for name in ("slots/green/process.json", "nginx/master.json", "lock.json", "targets/pikkit.json", "journal.db"):
        for content in ("[]", ""):
            (rig.run_dir / name).write_text(content)
            assert rig.status()["production"] == "green"
            assert rig.version() == "2"
    time.sleep(1.5)
    assert supervisor is not None
    assert supervisor.alive()
    for content in ("[]", "null"):
        (rig.run_dir / "supervisor.json").write_text(content)
        assert rig.status()["supervisor"] is None
    supervisor.signal(signal.SIGTERM)
    rig.run("rollback", "1")
    assert rig.version() == "1"


def test_on_a_full_disk_production_goes_back_and_nothing_ends_in_a_traceback(rig: Rig) -> None:
    rig.do(operations.deploy, "2")
    assert (rig.run_dir / "nginx/routes").exists()
    with rig.traffic(clients=8) as tally:
        told = rig.run("rollback", FULL_DISK="yes")
        assert rig.version() == "1"
        assert "going on without" in told
        told += rig.run("deploy", "--version", "2", code=1, FULL_DISK="yes")
        for command in (("status",), ("history",), ("plan", "rollback"), ("abort",)):
            told += rig.run(*command, code=None, FULL_DISK="yes")
        assert "Traceback" not in told
        assert rig.version() == "1"
    assert tally.failures == {}
    rig.do(operations.canary, "2", weight=0)  # there is room again: what happened is noted
    live = rig.stack().journal.live()
    assert live is not None
    assert live.version == "1"
    assert rig.status()["rejected"] == "2"


def test_a_link_that_can_not_be_moved_leaves_the_old_route(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.do(operations.deploy, "2")
    live = rig.run_dir / "nginx/live"
    before = live.readlink()

    def refuse(*_: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(RouterError, match=r"Read-only file system.*old route stays"):
        rig.do(operations.rollback)
    monkeypatch.undo()
    assert live.readlink() == before
    assert rig.version() == "2"


def test_after_a_reboot_up_brings_back_what_was_live(rig: Rig) -> None:
    rig.do(operations.deploy, "2")
    rig.run("stop")
    for name in ("slots/green/process.json", "nginx/master.json"):  # as if they had died with the machine
        path = rig.run_dir / name
        process = {"pid": os.getpid(), "boot": "another", "start": 1}
        data = json.loads(path.read_text()) if path.exists() else process
        path.write_text(json.dumps({**data, "process": process} if "command" in data else process))
    assert rig.run("status", code=21)
    with rig.start("up", "--foreground") as unit:  # what systemd runs
        eventually(lambda: rig.version() == "2")
        eventually(lambda: supervisor_process(rig.run_dir) is not None)
        rig.run("status", code=0)
        unit.send_signal(signal.SIGTERM)
        assert unit.wait() == 0
    assert rig.version() == "2"  # slots and Nginx go on without their supervisor


def test_slots_that_demand_a_key_are_deployed_judged_verified_and_gone_back_from(tmp_path: Path) -> None:
    with Rig(tmp_path, API_KEYS="first-key-of-two,second", ADMIN_TOKEN="an-admin-token-of-length") as rig:
        rig.release("1", golden=[[{"sport": "x"}, {"win_probability": 0.55}]])
        rig.release("2", "3")
        rig.run("up", "--version", "1")
        assert rig.predict().status_code == 401
        rig.run("canary", "--version", "2", "--weight", "30")
        rig.run("promote", "--force")
        rig.run("deploy", "--version", "3")
        rig.run("rollback")
        assert "POST /api/v1/predict: status 401" not in rig.run("verify", "--requests", "20", code=8)  # a stub
        slots = rig.status()["slots"]
        assert {slot: slots[slot]["version"] for slot in slots if slots[slot]["health"]} == {"blue": "3", "green": "2"}
        eventually(lambda: "pikkit_probe_success 1" in httpx.get(f"http://127.0.0.1:{rig.port + 9}/traffic").text)
        stop_supervisor(rig.run_dir)


def test_a_deploy_reads_each_state_file_at_most_twice(rig: Rig, tmp_path: Path) -> None:
    told = tmp_path / "read"
    rig.run("deploy", "--version", "2", READ_FILES=str(told))
    assert rig.version() == "2"
    paths = map(Path, told.read_text(encoding="utf-8").splitlines())
    state = [path for path in paths if path.is_relative_to(rig.run_dir) and path.suffix in (".json", ".db")]
    seen = Counter(str(path.relative_to(rig.run_dir)) for path in state)
    assert {"slots/blue/process.json", "journal.db"} <= seen.keys()
    assert max(seen.values()) <= 2, seen
