"""Metrics over several processes, as under BentoML."""

import shutil
import signal
import subprocess
import sys
import timeit
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.exposition import Series, is_cumulative, series, value
from tests.support.need import root
from tests.support.waiting import eventually

_COUNTS = 50


class Worker:
    def __init__(self, folder: Path) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "tests.support.metrics_worker", str(folder), str(_COUNTS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root(),
        )
        self.answer("ready")

    def answer(self, last: str = "done") -> str:
        assert self.popen.stdout is not None
        lines: list[str] = []
        while (line := self.popen.stdout.readline()) and line.strip() != last:
            lines.append(line)
        return "".join(lines)

    def tell(self, command: str) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(f"{command}\n")
        self.popen.stdin.flush()

    def do(self, command: str) -> str:
        self.tell(command)
        return self.answer()

    def scrape(self) -> Series:
        return series(self.do("render"))

    def end(self) -> None:
        self.popen.kill()
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        self.popen.stdin.close()
        self.popen.stdout.close()
        self.popen.wait()

    def kill(self) -> None:
        self.popen.kill()
        assert self.answer() == ""  # until it has ended; not waited for: a zombie is not alive either


@contextmanager
def _workers(folder: Path, count: int) -> Iterator[list[Worker]]:
    workers = [Worker(folder) for _ in range(count)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.end()


@pytest.fixture
def four(tmp_path: Path) -> Iterator[list[Worker]]:
    with _workers(tmp_path, 4) as workers:
        yield workers


def test_fifty_scrapes_over_four_workers_never_decrease(four: list[Worker]) -> None:
    last: Series = {}
    for i in range(50):
        for other in four[1:]:
            other.tell("count")
        found = four[0].scrape()  # while the others count
        for other in four[1:]:
            other.answer()
        for key, before in last.items():
            if is_cumulative(key[0]):
                assert found[key] >= before, (i, key)
        last = found
    total = four[0].scrape()
    assert value(total, "pikkit_grades_total", grade="A") == 50 * 3 * _COUNTS
    assert value(total, "pikkit_prediction_latency_seconds_count", endpoint="predict") == 50 * 3 * _COUNTS


def test_killed_workers_leave_no_stale_series_and_are_no_longer_alive(four: list[Worker]) -> None:
    for worker in four:
        worker.do("count")
        worker.do("hold")
    before = four[0].scrape()
    assert value(before, "pikkit_workers_alive") == 4
    assert value(before, "pikkit_active_requests") == 4
    for worker in four[2:]:
        worker.kill()
    after = four[1].scrape()
    assert value(after, "pikkit_workers_alive") == 2
    assert value(after, "pikkit_workers_expected") == 4
    assert value(after, "pikkit_active_requests") == 2
    assert not any("pid" in dict(labels) for _, labels in after)
    for key, count in before.items():
        if is_cumulative(key[0]):
            assert after[key] >= count


def test_it_is_told_how_many_workers_serve_a_set_and_what_they_use(four: list[Worker]) -> None:
    found = four[3].scrape()
    infos = [(dict(labels)["version"], one) for (name, labels), one in found.items() if name == "pikkit_model_info"]
    assert infos == [("20251222_131123", 1)]
    assert value(found, "pikkit_model_workers", sha256="abababababab") == 4
    each = [value(found, "pikkit_worker_resident_memory_bytes", worker=str(number)) for number in (1, 2, 3, 4)]
    assert min(each) > 10e6
    assert value(found, "process_resident_memory_bytes") == sum(each)
    assert value(found, "process_cpu_seconds_total") > 4 * 0.1
    assert value(found, "process_open_fds") > 4 * 3


def test_a_worker_that_stands_still_is_ended_by_another_and_one_that_goes_on_is_not(tmp_path: Path) -> None:
    with _workers(tmp_path, 3) as [looking, goes_on, stopped]:
        stopped.popen.send_signal(signal.SIGSTOP)
        for _ in range(10):
            goes_on.do("beat")
            looking.do("look")
        assert stopped.popen.wait() == -signal.SIGKILL
        found = looking.scrape()
        assert value(found, "pikkit_workers_ended_total") == 1
        assert value(found, "pikkit_workers_alive") == 2


def _errors(found: Series) -> set[str]:
    return {dict(labels)["source"] for name, labels in found if name == "pikkit_scrape_errors"}


def _grades(found: Series) -> float:
    return value(found, "pikkit_grades_total", grade="A")


def test_what_dead_workers_counted_stays_in_one_file(tmp_path: Path) -> None:
    with _workers(tmp_path, 1) as [living]:
        for _ in range(5):
            with _workers(tmp_path, 1) as [worker]:
                worker.do("count")
                worker.kill()
        assert _grades(living.scrape()) == _grades(living.scrape()) == 5 * _COUNTS
        assert sorted(path.suffix or path.name for path in tmp_path.iterdir()) == [".worker", "ended", "lock"]


def test_a_worker_that_dies_while_it_moves_what_a_dead_one_counted_counts_nothing_twice(tmp_path: Path) -> None:
    with _workers(tmp_path, 2) as [living, worker]:
        worker.do("count")
        [file] = [path for path in tmp_path.glob("*.worker") if path.name.startswith(f"{worker.popen.pid}-")]
        worker.kill()
        kept = file.read_bytes()
        assert _grades(living.scrape()) == _COUNTS
        file.write_bytes(kept)  # as if the one who moved it had not come to remove it
        assert _grades(living.scrape()) == _COUNTS
        assert not file.exists()


def _flipped(content: bytes) -> bytes:
    return bytes(byte ^ 1 if i % 4096 == 4095 else byte for i, byte in enumerate(content))


def test_damaged_files_are_left_out_named_and_written_anew(tmp_path: Path) -> None:
    with _workers(tmp_path, 2) as [one, other]:
        other.do("count")
        file = next(tmp_path.glob(f"{other.popen.pid}-*"))
        dead = tmp_path / "1-dead.worker"
        dead.write_bytes(file.read_bytes())
        assert _grades(one.scrape()) == 2 * _COUNTS
        for content in (b"no such thing", b"pikkit1\n" + b"\xff" * 99, _flipped(file.read_bytes())):
            dead.touch()
            for path in tmp_path.iterdir():
                path.write_bytes(content)
            found = one.scrape()
            assert _errors(found) == {"ended", dead.name, file.name}
            assert _grades(found) == 0
            assert value(found, "pikkit_workers_alive") == 2
            other.do("beat")
            found = one.scrape()
            assert _errors(found) == {"ended"}
            dead.write_bytes(file.read_bytes())
            one.scrape()
            assert _errors(one.scrape()) == set()
            assert not dead.exists()


def test_deleted_files_are_made_again_by_those_who_need_them(four: list[Worker], tmp_path: Path) -> None:
    for worker in four:
        worker.do("count")
    four[3].kill()
    assert _grades(four[0].scrape()) == 4 * _COUNTS
    shutil.rmtree(tmp_path)
    for worker in four[:3]:
        worker.do("beat")
    for worker in four[:3]:
        found = worker.scrape()
        assert _grades(found) == 4 * _COUNTS
        assert value(found, "pikkit_workers_alive") == 3


def test_a_full_disk_takes_no_worker_down_and_each_still_counts_itself(four: list[Worker], tmp_path: Path) -> None:
    four[3].do("count")
    four[3].kill()
    for worker in four[:3]:
        worker.do("full")
        worker.do("count")
    assert [_grades(worker.scrape()) for worker in four[:3]] == [2 * _COUNTS] * 3
    assert value(four[0].scrape(), "pikkit_workers_alive") == 3
    with _workers(tmp_path, 1) as [late]:
        late.do("full")
        late.do("count")
        assert _grades(late.scrape()) == 2 * _COUNTS


def test_a_scrape_of_eight_workers_takes_no_longer_after_a_hundred_deaths(tmp_path: Path) -> None:
    with _workers(tmp_path, 8) as workers:
        for worker in workers:
            worker.do("count")
        template = next(tmp_path.glob("*.worker")).read_bytes()
        workers[0].scrape()

        def seconds() -> float:
            return min(timeit.repeat(lambda: workers[0].do("render"), number=1, repeat=9))

        before = seconds()
        for i in range(100):
            (tmp_path / f"{i}-dead.worker").write_bytes(template)
        assert _grades(workers[0].scrape()) == 108 * _COUNTS
        assert len(list(tmp_path.iterdir())) == 10
        eventually(lambda: seconds() < 3 * before)  # all nine may meet a busy moment
