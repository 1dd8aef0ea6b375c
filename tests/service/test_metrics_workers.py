"""Metrics over several processes, as under BentoML."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.exposition import Series, is_cumulative, series, value
from tests.support.need import root

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
        worker.popen.kill()  # not waited for: a zombie is not alive either
    for worker in four[2:]:
        assert worker.answer() == ""  # until it has ended
    after = four[1].scrape()
    assert value(after, "pikkit_workers_alive") == 2
    assert value(after, "pikkit_workers_expected") == 4
    assert value(after, "pikkit_active_requests") == 2
    assert not any("pid" in dict(labels) for _, labels in after)
    for key, count in before.items():
        if is_cumulative(key[0]):
            assert after[key] >= count


def test_model_info_counts_the_workers_that_serve_a_set(four: list[Worker]) -> None:
    found = four[3].scrape()
    infos = [(dict(labels)["version"], count) for (name, labels), count in found.items() if name == "pikkit_model_info"]
    assert infos == [("20251222_131123", 4)]
