import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pikkit.bento.run_folder import prepare_runtime_dir


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("PIKKIT_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    yield
    monkeypatch.undo()


def test_the_workers_of_an_instance_share_a_folder_in_the_data_folder(tmp_path: Path) -> None:
    folder = prepare_runtime_dir(tmp_path, "blue")
    assert folder.parent == tmp_path / "run"
    assert folder.name.startswith("blue-")
    assert prepare_runtime_dir(tmp_path, "blue") == folder


def test_two_instances_with_one_data_folder_share_nothing_and_keep_each_other_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare_runtime_dir(tmp_path, "blue")
    monkeypatch.delenv("PIKKIT_RUNTIME_DIR")
    assert prepare_runtime_dir(tmp_path, "green") != first
    assert first.is_dir()


def test_what_a_killed_instance_left_is_removed_once_its_last_worker_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / "run/blue-left"
    (left / "workers").mkdir(parents=True)
    (left / "owner").touch()
    worker = left / "workers/1-a.worker"
    with worker.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        prepare_runtime_dir(tmp_path, "blue")
        assert worker.exists()
    monkeypatch.delenv("PIKKIT_RUNTIME_DIR")
    prepare_runtime_dir(tmp_path, "blue")
    assert not left.exists()


def _in_the_way(data: Path, _monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "run").write_text("in the way")


def _full(_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=1000))


@pytest.mark.parametrize(("wrong", "reason"), [(_in_the_way, "File exists"), (_full, "No space left on device")])
def test_a_data_folder_that_takes_no_files_is_told_in_a_line_and_no_reason_not_to_start(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wrong: Callable[[Path, pytest.MonkeyPatch], None],
    reason: str,
) -> None:
    wrong(tmp_path, monkeypatch)
    folder = prepare_runtime_dir(tmp_path, "blue")
    assert folder.is_dir()
    assert tmp_path not in folder.parents
    [line] = capsys.readouterr().out.splitlines()
    for said in ("DATA_DIR takes no files", str(tmp_path), str(folder), reason):
        assert said in line
