import asyncio
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pikkit.telemetry.deferred import PAUSE_S, Tally, observe_all


class Board:
    """A tally and one metric of each kind."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.tally = Tally()
        self.counter = Counter("c", "c", registry=registry)
        self.gauge = Gauge("g", "g", registry=registry)
        self.histogram = Histogram("h", "h", buckets=(1, 2), registry=registry)
        self._registry = registry

    def act(self) -> None:
        self.tally.count(self.counter)
        self.tally.count(self.counter, 2)
        self.tally.set(self.gauge, 7)
        self.tally.observe(self.histogram, [0.5, 1.5, 9])

    def seen(self) -> list[float | None]:
        return [self._registry.get_sample_value(name) for name in ("c_total", "g", "h_count", "h_sum")]


NOTHING, ALL = [0, 0, 0, 0], [3, 7, 3, 11]


def test_before_it_is_told_to_hold_back_everything_is_written_at_once() -> None:
    board = Board()

    async def scenario() -> None:
        board.act()

    board.act()
    asyncio.run(scenario())
    assert board.seen() == [2 * figure if figure != 7 else figure for figure in ALL]


def test_in_an_event_loop_counts_are_written_together_within_an_instant() -> None:
    board = Board()

    async def scenario() -> list[list[float | None]]:
        board.tally.defer()
        board.act()
        first = board.seen()
        await asyncio.sleep(3 * PAUSE_S)
        return [first, board.seen()]

    assert asyncio.run(scenario()) == [NOTHING, ALL]


def test_a_flush_writes_at_once_and_nothing_is_counted_twice() -> None:
    board = Board()

    async def scenario() -> list[list[float | None]]:
        board.act()
        board.tally.flush()
        first = board.seen()
        await asyncio.sleep(3 * PAUSE_S)
        return [first, board.seen()]

    assert asyncio.run(scenario()) == [ALL, ALL]


def test_a_thread_beside_the_loop_writes_at_once() -> None:
    board = Board()

    async def scenario() -> list[float | None]:
        board.tally.defer()
        thread = threading.Thread(target=board.act)
        thread.start()
        thread.join()
        return board.seen()

    assert asyncio.run(scenario()) == ALL


@given(st.lists(st.floats(-5, 25) | st.sampled_from([1.0, 2.0, 10.0])))
def test_many_observations_at_once_are_those_of_the_client_one_by_one(values: Sequence[float]) -> None:
    registry = CollectorRegistry()
    ours = Histogram("ours", "h", buckets=(1, 2, 10), registry=registry)
    theirs = Histogram("theirs", "h", buckets=(1, 2, 10), registry=registry)
    observe_all(ours, values)
    for value in values:
        theirs.observe(value)
    for bound in ("1.0", "2.0", "10.0", "+Inf"):
        assert registry.get_sample_value("ours_bucket", {"le": bound}) == registry.get_sample_value(
            "theirs_bucket", {"le": bound}
        )
    assert registry.get_sample_value("ours_sum") == pytest.approx(registry.get_sample_value("theirs_sum"))
