from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.metrics_core import Metric

from pikkit.telemetry.series import Dump, Merged, Series
from tests.support.exposition import series, value


class _All:
    def __init__(self, merged: Merged) -> None:
        self._merged = merged

    def collect(self) -> list[Metric]:
        return list(self._merged.metrics())


def _text(*dumps: Dump, ended: Sequence[Dump] = ()) -> str:
    merged = Merged()
    for dump in dumps:
        merged.add(dump)
    for dump in ended:
        merged.add(dump, alive=False)
    return generate_latest(_All(merged)).decode()


def _board(bets: float, active: float, slow: Sequence[float] = ()) -> Dump:
    made = Series()
    made.counter("bets_total", "Bets", ["grade"]).of("A").inc(bets)
    made.gauge("active", "Active").set(active)
    made.histogram("time_seconds", "Time", (1, 2)).of().observe_all(slow)
    return made.dump()


def test_counts_of_all_workers_add_up_and_gauges_of_the_living_alone() -> None:
    found = series(_text(_board(1, 2, [0.5]), _board(10, 3, [1.5, 9]), ended=[_board(100, 5, [1])]))
    assert value(found, "bets_total", grade="A") == 111
    assert value(found, "active") == 5
    assert value(found, "time_seconds_bucket", le="1.0") == 2
    assert value(found, "time_seconds_bucket", le="2.0") == 3
    assert value(found, "time_seconds_count") == 4
    assert value(found, "time_seconds_sum") == 12


def test_a_merged_dump_is_worth_the_dumps_it_came_from() -> None:
    merged = Merged()
    merged.add(_board(1, 2, [0.5]))
    merged.add(_board(2, 3, [7]))
    assert _text(merged.dump()) == _text(_board(1, 2, [0.5]), _board(2, 3, [7]))


def test_series_that_only_one_worker_has_and_labels_of_any_text_survive() -> None:
    odd = Series()
    counter = odd.counter("bets_total", "Bets", ["grade"])
    counter.of('É"\\\n').inc(3)
    counter.of("A").inc()
    found = series(_text(odd.dump(), _board(5, 0)))
    assert value(found, "bets_total", grade='É"\\\n') == 3
    assert value(found, "bets_total", grade="A") == 6


def test_of_two_definitions_of_one_name_the_first_one_added_is_told() -> None:
    newer = Series()
    newer.histogram("time_seconds", "Time", (1, 5)).of().observe_all([3])
    found = series(_text(newer.dump(), ended=[_board(0, 0, [1])]))
    assert value(found, "time_seconds_bucket", le="5.0") == 1
    assert value(found, "time_seconds_count") == 1


def test_numbers_that_do_not_fit_their_names_are_refused() -> None:
    with pytest.raises(ValueError, match="as many numbers"):
        Merged().add(Dump(_board(1, 1).names, b"\0" * 8))


def test_a_series_needs_all_its_labels() -> None:
    with pytest.raises(ValueError, match="grade"):
        Series().counter("bets_total", "Bets", ["grade"]).of()


@given(st.lists(st.floats(-5, 25) | st.sampled_from([1.0, 2.0, 10.0])), st.booleans())
def test_histograms_say_what_those_of_the_client_say(values: Sequence[float], is_together: bool) -> None:
    registry = CollectorRegistry()
    theirs = Histogram("time_seconds", "Time", buckets=(1, 2, 10), registry=registry)
    made = Series()
    ours = made.histogram("time_seconds", "Time", (1, 2, 10)).of()
    for seen in values:
        theirs.observe(seen)
        if not is_together:
            ours.observe_all([seen])
    if is_together:
        ours.observe_all(values)
    expected = {key: n for key, n in series(generate_latest(registry)).items() if not key[0].endswith("_created")}
    assert series(_text(made.dump())) == pytest.approx(expected)


def test_the_newest_request_of_a_bucket_is_its_example_in_open_metrics() -> None:
    dumps = []
    for request_id, seconds in (("first", 0.5), ("second", 0.6), ("slow", 3.0)):
        made = Series()
        one = made.histogram("time_seconds", "Time", (1, 2), ["endpoint"])
        one.of("other").observe_all([0.1])
        one.of("predict").observe_all([seconds], [request_id])
        dumps.append(made.dump())
    merged = Merged()
    for dump in dumps:
        merged.add(dump)
    examples = {
        sample.labels["le"]: sample.exemplar.labels
        for metric in merged.metrics()
        for sample in metric.samples
        if sample.exemplar
    }
    assert examples == {"1.0": {"request_id": "second"}, "+Inf": {"request_id": "slow"}}
