"""A process is its pid, its boot and its start tick: neither a recycled pid nor a stepped clock is believed."""

import json
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from deploy.clock import Clock
from deploy.errors import DeployError
from deploy.files import parsed, plain
from deploy.processes import ProcessId, is_free, port_owner
from deploy.release.release import Release
from deploy.settings import DeploySettings
from deploy.slots.processes import ProcessRuntime
from tests.support.deploy_fakes import FakeClock
from tests.support.disk import full_disk
from tests.support.ports import free_block
from tests.support.waiting import eventually


def test_a_process_is_its_pid_its_boot_and_its_start() -> None:
    own = ProcessId.own()
    assert own.alive()
    assert not ProcessId(own.pid, own.boot, own.start - 1).alive()
    assert not ProcessId(own.pid, "another boot", own.start).alive()
    assert not ProcessId(0, own.boot, own.start).alive()
    assert ProcessId.of(2**22 + 1) is None
    assert parsed(ProcessId, json.loads(json.dumps(plain(own)))) == own


def test_a_step_of_the_clock_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ProcessId.own()
    told = psutil.Process.create_time
    monkeypatch.setattr(psutil, "boot_time", lambda: 0.0)
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: told(self) + 3600)
    assert own.alive()
    assert ProcessId.own() == own


def test_what_can_not_be_put_on_record_is_not_started(tmp_path: Path) -> None:
    (tmp_path / "slots/blue/process.json/taken").mkdir(parents=True)  # stands for a full disk
    settings = DeploySettings(run_dir=tmp_path, base_port=free_block())
    runtime = ProcessRuntime(settings, Clock(), environment={}, command=lambda *_: ["sleep", "60"])
    with pytest.raises(DeployError, match="can't be written, so blue is not started"):
        runtime.start("blue", Release("1", "tree", "commit", "sha", "1", 0.0), workers=1)
    assert not runtime.observe("blue").running


def test_what_was_started_again_on_a_full_disk_is_seen_by_all_and_on_record_once_there_is_room(tmp_path: Path) -> None:
    settings = DeploySettings(run_dir=tmp_path, base_port=free_block())
    listen = f"import socket, time; s = socket.create_server(('127.0.0.1', {settings.port('blue')})); time.sleep(900)"
    line = [sys.executable, "-c", listen]

    def runtime() -> ProcessRuntime:
        return ProcessRuntime(settings, Clock(), environment={}, command=lambda *_: line)

    supervisor = runtime()
    supervisor.start("blue", Release("1", "tree", "commit", "sha", "1", 0.0), workers=1)
    try:
        with full_disk():
            supervisor.keep("blue", kept=True)  # on disk it is not
            died = supervisor.observe("blue").pid
            assert died
            os.kill(died, signal.SIGKILL)
            eventually(lambda: supervisor.heal("blue"))
            eventually(lambda: runtime().observe("blue").running)
            assert runtime().observe("blue").pid == supervisor.observe("blue").pid != died
        assert not runtime().observe("blue").kept
        assert supervisor.heal("blue") is False
        assert runtime().observe("blue") == supervisor.observe("blue")
        assert runtime().observe("blue").kept
    finally:
        supervisor.stop("blue", grace_s=1)
    assert not runtime().observe("blue").running


def test_what_was_being_started_when_its_starter_was_killed_is_seen_before_it_listens_and_is_ended(
    tmp_path: Path,
) -> None:
    settings = DeploySettings(run_dir=tmp_path, base_port=free_block())

    def runtime() -> ProcessRuntime:
        return ProcessRuntime(settings, Clock(), environment={}, command=lambda *_: ["sleep", "60"])

    starter = runtime()
    starter.start("blue", Release("1", "tree", "commit", "sha", "1", 0.0), workers=1)
    pid = starter.observe("blue").pid
    record = tmp_path / "slots/blue/process.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "process": None}))  # as it is just before the end
    assert pid is not None
    eventually(lambda: runtime().observe("blue").running)  # the kernel shows its environment an instant later
    assert (runtime().observe("blue").pid, runtime().observe("blue").version) == (pid, "1")
    runtime().stop("blue", grace_s=1)
    assert not runtime().observe("blue").running
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


# What becomes of a process that gives itself a title, as BentoML's master does: nothing is left of its environment.
_TITLED = """
import os, sys
os.execve(sys.executable, ["titled", "-c", sys.argv[1], sys.executable, os.environ["PIKKIT_SLOT"], *sys.argv[2:]], {})
"""
_MASTER = """
import subprocess, sys
while True:
    subprocess.run([sys.argv[1], "-c", sys.argv[3]], env={"PIKKIT_SLOT": sys.argv[2], "APP_VERSION": "1"})
"""


def test_a_master_whose_title_hides_its_environment_is_seen_and_ended_without_a_record(tmp_path: Path) -> None:
    settings = DeploySettings(run_dir=tmp_path, base_port=free_block())
    listen = f"import socket, time; s = socket.create_server(('127.0.0.1', {settings.port('blue')})); time.sleep(900)"
    line = [sys.executable, "-c", _TITLED, _MASTER, listen]

    def runtime() -> ProcessRuntime:
        return ProcessRuntime(settings, Clock(), environment={}, command=lambda *_: line)

    starter = runtime()
    starter.start("blue", Release("1", "tree", "commit", "sha", "1", 0.0), workers=1)
    pid = starter.observe("blue").pid
    assert pid is not None
    try:
        eventually(lambda: port_owner(settings.port("blue")))
        (tmp_path / "slots/blue/process.json").unlink()
        seen = runtime().observe("blue")
        assert (seen.pid, seen.version) == (pid, "1")
    finally:
        runtime().stop("blue", grace_s=1)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert is_free(settings.port("blue"))


def test_a_master_that_heeds_no_signal_is_ended_after_its_grace(tmp_path: Path) -> None:
    settings = DeploySettings(run_dir=tmp_path, base_port=free_block())
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(900)"
    line = [sys.executable, "-c", _TITLED, deaf]
    runtime = ProcessRuntime(settings, Clock(), environment={}, command=lambda *_: line)
    runtime.start("blue", Release("1", "tree", "commit", "sha", "1", 0.0), workers=1)
    pid = runtime.observe("blue").pid
    assert pid is not None
    eventually(lambda: "deaf" in runtime.log_lines("blue", 1))
    runtime.stop("blue", grace_s=0.2)
    assert not runtime.observe("blue").running
    assert not psutil.pid_exists(pid)


def test_a_slot_that_dies_soon_after_each_start_is_started_ever_more_slowly_until_it_has_lasted(tmp_path: Path) -> None:
    clock = FakeClock()
    settings = DeploySettings(run_dir=tmp_path, base_port=free_block())
    runtime = ProcessRuntime(settings, clock, environment={}, command=lambda *_: ["true"])
    runtime.start("blue", Release("1", "tree", "commit", "sha", "1", 0.0), workers=1)
    runtime.keep("blue", kept=True)
    waited = []
    for after_s in (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3600, 0, 0, 0):
        eventually(lambda: not runtime.observe("blue").running)
        clock.sleep(after_s)
        began = clock.monotonic()
        while not runtime.heal("blue"):
            clock.sleep(0.5)
        waited.append(clock.monotonic() - began)
    assert waited == [0, 0, 1, 2, 4, 8, 16, 30, 30, 30, 0, 0, 1, 2]


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "null", "{}", '"text"', "1e999", "[[[", '{"process": 7}', '{"process": {"pid": "x"}}'),
        '{"version": null, "command": 1, "environment": [], "workers": "two", "process": null}',
        json.dumps({"version": "9", "command": [], "environment": {}, "workers": 1, "process": {"pid": 1}}),
    ],
)
def test_a_damaged_record_of_a_slot_is_no_record(tmp_path: Path, content: str) -> None:
    (tmp_path / "slots/blue").mkdir(parents=True)
    (tmp_path / "slots/blue/process.json").write_text(content)
    runtime = ProcessRuntime(DeploySettings(run_dir=tmp_path), Clock(), environment={})
    assert not runtime.observe("blue").running
    assert runtime.heal("blue") is False
    runtime.keep("blue", kept=True)
    runtime.stop("blue", grace_s=0)
