"""The state file and the audit log survive what happens to files."""

from pathlib import Path

import pytest

from deploy.clock import SystemClock
from deploy.disk import Disk
from deploy.journal.audit import AuditLog
from deploy.journal.lock import Lock
from deploy.journal.state import Operation, State, StateFile
from deploy.processes import ProcessId

STATE = State(Operation("deploy", "2", "green", "start", 1.5, 7), "blue", "1", "0", (10, 25))


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    file = StateFile(Disk(tmp_path))
    file.save(STATE)
    assert file.load() == STATE
    assert list(tmp_path.iterdir()) == [tmp_path / "state.json"]


@pytest.mark.parametrize("cut", [0, 1, 20, 100])
def test_half_a_state_is_no_state(tmp_path: Path, cut: int) -> None:
    file = StateFile(Disk(tmp_path))
    file.save(STATE)
    (tmp_path / "state.json").write_text((tmp_path / "state.json").read_text()[:cut])
    assert file.load() is None


@pytest.mark.parametrize("content", ["[]", "{}", '{"format": 99}', '{"format": 1}', "null"])
def test_another_file_is_no_state(tmp_path: Path, content: str) -> None:
    file = StateFile(Disk(tmp_path))
    (tmp_path / "state.json").write_text(content)
    assert file.load() is None


def test_a_phase_is_of_an_operation() -> None:
    at = STATE.at("switch").operation
    assert at is not None
    assert at.phase == "switch"
    with pytest.raises(ValueError, match="without an operation"):
        State().at("switch")


def test_the_audit_log_passes_over_a_damaged_line(tmp_path: Path) -> None:
    log = AuditLog(Disk(tmp_path), SystemClock())
    assert log.read() == []
    log.write("deploy", "done", to="2")
    with (tmp_path / "audit.jsonl").open("a") as out:
        out.write('{"half\n')
    log.write("rollback", "done")
    assert [entry["command"] for entry in log.read()] == ["deploy", "rollback"]
    assert [entry["command"] for entry in log.read(1)] == ["rollback"]
    assert log.read()[0]["at"].endswith("Z")


def test_a_lock_is_gone_after_the_command_failed(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"

    def fail() -> None:
        with Lock(path, "deploy"):
            assert path.exists()
            raise RuntimeError("x")

    with pytest.raises(RuntimeError, match="x"):
        fail()
    assert not path.exists()


def test_a_process_is_its_pid_and_its_start_time() -> None:
    own = ProcessId.own()
    assert own.alive()
    assert not ProcessId(own.pid, own.started_at - 10).alive()
    assert ProcessId.of(2**22 + 1) is None
