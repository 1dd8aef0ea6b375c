"""What a worker tells the others, and when; two of them in one process."""

import asyncio
from pathlib import Path

import pytest

from pikkit.settings import Settings
from pikkit.telemetry.metrics import Metrics
from pikkit.telemetry.series import Series
from pikkit.telemetry.worker_files import WorkerFiles
from tests.support.exposition import series, value


def _graded(metrics: Metrics) -> float:
    return value(series(metrics.render()), "pikkit_requests_total", endpoint="predict", status="200")


def test_what_a_loop_counts_reaches_the_others_an_instant_later_and_all_at_once(tmp_path: Path) -> None:
    one, other = (Metrics(Settings(), tmp_path, endpoints=["predict"]) for _ in range(2))
    other.worker.join()

    async def scenario() -> list[float]:
        one.worker.join()
        one.worker.start()
        for _ in range(3):
            one.begin()
            one.end("predict", 200, 0.01)
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
