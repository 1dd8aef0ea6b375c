"""What a worker tells the others, and when; two of them in one process."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from pikkit.alerts.outbox import OutboxFigures
from pikkit.settings import Settings
from pikkit.telemetry.backlog import Answered
from pikkit.telemetry.metrics import Metrics
from pikkit.telemetry.series import Series
from pikkit.telemetry.worker_files import WorkerFiles
from pikkit.web.routes import endpoints
from tests.support.exposition import series, value
from tests.support.samples import a_bet, a_model_set, a_prediction


def _graded(metrics: Metrics) -> float:
    return value(series(metrics.render()), "pikkit_requests_total", endpoint="predict", status="200")


def test_what_a_loop_counts_reaches_the_others_an_instant_later_and_all_at_once(tmp_path: Path) -> None:
    one, other = (Metrics(Settings(), tmp_path, endpoints=["predict"]) for _ in range(2))
    other.worker.join()

    async def scenario() -> list[float]:
        one.worker.join()
        one.worker.start()
        for _ in range(3):
            one.answered(Answered("predict", 200, 0.01))
            one.worker.flush_soon()
        before = _graded(other)
        await asyncio.sleep(0.1)
        return [before, _graded(other)]

    assert asyncio.run(scenario()) == [0, 3]


def test_what_other_threads_count_reaches_the_others_with_the_next_beat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pikkit.telemetry.this_worker._BEAT_S", 0.05)
    one, other = (Metrics(Settings(), tmp_path, endpoints=["predict"]) for _ in range(2))
    other.worker.join()

    async def scenario() -> None:
        one.worker.join()
        one.worker.start()
        await asyncio.to_thread(one.alert, "n8n", "delivered")
        await asyncio.sleep(0.2)

    asyncio.run(scenario())
    assert value(series(other.render()), "pikkit_alerts_total", channel="n8n", outcome="delivered") == 1


def test_whichever_worker_is_asked_tells_that_one_of_them_can_store_no_alert(tmp_path: Path) -> None:
    one, other = (Metrics(Settings(), tmp_path) for _ in range(2))
    state = OutboxFigures(off="disk_full")
    one.watch_outbox(lambda: state)
    other.watch_outbox(OutboxFigures)
    for metrics in (one, other):
        metrics.worker.join()
    assert value(series(other.render()), "pikkit_alerts_off", reason="disk_full") == 1
    state = OutboxFigures()
    one.worker.flush()
    assert value(series(other.render()), "pikkit_alerts_off", reason="disk_full") == 0


def test_a_process_that_did_not_join_is_no_worker_and_writes_nothing(tmp_path: Path) -> None:
    Metrics(Settings(), tmp_path).worker.flush()
    assert list(tmp_path.iterdir()) == []


def test_more_than_a_file_takes_is_not_written_and_what_it_held_stays(tmp_path: Path) -> None:
    one, other = WorkerFiles(tmp_path), WorkerFiles(tmp_path)
    one.join()
    kept = Series()
    kept.counter("bets_total", "Bets").of().inc()
    assert one.publish(kept.dump(), {"started": 1})
    assert not one.publish(kept.dump(), {"started": "x" * 1024 * 1024})
    assert other.look().living == [kept.dump()]


def test_what_waits_is_counted_in_parts_before_the_others_are_told(tmp_path: Path) -> None:
    metrics = Metrics(Settings(), tmp_path, endpoints=["predict"])

    async def scenario() -> list[bool]:
        counted, told = asyncio.Event(), []
        waiting = metrics.later(lambda _: counted.set())
        metrics.worker.start()
        metrics.worker.flush_soon()
        for _ in range(2):
            counted.clear()
            waiting.append(1)
            await counted.wait()
            told.append(not metrics.worker.is_due)
        return told

    assert asyncio.run(scenario()) == [False, False]


def _worker_that_counted(folder: Path) -> Metrics:
    metrics = Metrics(Settings(), folder, endpoints=endpoints())
    metrics.worker.join()
    metrics.model_loaded(a_model_set())
    for endpoint in endpoints():
        metrics.answered(Answered(endpoint, 200, 0.003, "an-id"))
    metrics.predictions([a_bet()] * 20, [a_prediction("A")] * 20, a_model_set())
    metrics.worker.flush()
    return metrics


def test_a_hundred_dead_workers_cost_a_scrape_of_eight_living_ones_no_more_than_one(tmp_path: Path) -> None:
    """Five milliseconds of one core; the aim is a hundred."""
    living = [_worker_that_counted(tmp_path) for _ in range(8)]
    before = series(living[0].render())
    for _ in range(100):  # each leaves its file, and its successor takes it in
        files: Any = _worker_that_counted(tmp_path).worker._files
        os.close(files._file)  # as the kernel does; with it goes the lock
    after = series(living[0].render())
    assert after.keys() == before.keys()
    assert value(after, "pikkit_grades_total", grade="A") == 108 * 20
    assert value(after, "pikkit_workers_alive") == 8
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ["", "", *[".worker"] * 8]  # `ended`, `lock`
    times = []
    for _ in range(10):
        begin = time.thread_time()
        living[0].render()
        times.append(time.thread_time() - begin)
    assert sorted(times)[5] < 0.1
