"""One command at a time, of this host or of another."""

import json
import os
import threading
from pathlib import Path

import pytest

from deploy.errors import Locked
from deploy.files import plain
from deploy.journal.lock import Lock, host
from deploy.processes import ProcessId


def other_start() -> ProcessId:
    own = ProcessId.own()
    return ProcessId(own.pid, own.boot, own.start - 1)


def owned(path: Path, process: ProcessId, where: str) -> None:
    path.write_text(json.dumps({"user": "ann", "host": where, "command": "deploy", "process": plain(process)}))


def test_a_lock_is_gone_after_the_command_failed(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"

    def fail() -> None:
        with Lock(path, "deploy"):
            assert path.exists()
            raise RuntimeError("x")

    with pytest.raises(RuntimeError, match="x"):
        fail()
    assert not path.exists()


def test_the_lock_of_a_dead_owner_is_taken_over(tmp_path: Path) -> None:
    path, said = tmp_path / "lock.json", list[str]()
    owned(path, other_start(), host())
    with Lock(path, "deploy", say=said.append):
        pass
    assert said == [f"took over the lock of ann, pid {ProcessId.own().pid}, at `deploy`, which no longer runs"]


def test_the_lock_of_before_a_reboot_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    own = ProcessId.own()
    owned(path, ProcessId(own.pid, "another boot", own.start), host())
    with Lock(path, "deploy"):
        assert json.loads(path.read_text())["process"]["boot"] == own.boot


def test_a_lock_of_another_host_is_never_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    owned(path, other_start(), "web2")
    with pytest.raises(Locked, match=r"ann on web2, .*unlock"), Lock(path, "deploy"):
        pass
    lock = Lock(path, "unlock")
    assert str(lock.break_()).startswith("ann on web2")
    with lock:
        pass


@pytest.mark.parametrize("content", ["", "[]", "null", "{}", '"x"', "7", '{"user": 1}', '{"pid": []}'])
def test_a_damaged_record_locks_nobody_out(tmp_path: Path, content: str) -> None:
    path = tmp_path / "lock.json"
    path.write_text(content)
    lock = Lock(path, "deploy")
    assert lock.holder() is None
    with lock:
        assert Lock(path, "status").holder() is not None


def test_a_command_waits_for_the_moment_that_the_supervisor_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    supervising = ProcessId.of(os.getppid())
    assert supervising is not None
    record = {"user": "x", "host": host(), "command": "supervise", "process": plain(supervising)}
    path.write_text(json.dumps(record))
    freed = threading.Timer(0.2, path.unlink)
    freed.start()
    with Lock(path, "rollback") as lock:
        owner = lock.owner()
        assert owner is not None
        assert owner.process == ProcessId.own()
    freed.join()
