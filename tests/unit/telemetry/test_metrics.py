import gzip
import struct
import time
import timeit
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics

from pikkit.settings import Settings
from pikkit.telemetry.backlog import Answered
from pikkit.telemetry.metrics import Metrics, trained_at
from pikkit.telemetry.scrape import CustomMetrics, expose
from tests.support.exposition import series, value
from tests.support.samples import a_bet, a_model_set, a_prediction


def test_a_worker_that_is_just_making_its_file_does_not_spoil_a_scrape(tmp_path: Path) -> None:
    counted = MmapedDict(str(tmp_path / "counter_1.db"))  # type: ignore[no-untyped-call]
    counted.write_value('["bets", "bets_total", {}, "help"]', 3.0, 0.0)  # type: ignore[no-untyped-call]
    counted.close()  # type: ignore[no-untyped-call]
    (tmp_path / "counter_2.db").touch()
    merged = list(CustomMetrics(tmp_path).collect())
    assert [sample.value for metric in merged for sample in metric.samples] == [3.0]
    with pytest.raises(struct.error):  # what the client itself makes of it
        list(MultiProcessCollector(None, path=str(tmp_path)).collect())  # type: ignore[no-untyped-call]


ENDPOINTS = ("predict", "health", "other")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(Settings(deployment="green", app_version="1.2.3"), endpoints=ENDPOINTS[:-1], workers_expected=2)


def test_every_series_that_rules_need_exists_from_the_start(metrics: Metrics) -> None:
    found = series(metrics.render())
    for grade in "AB":
        assert value(found, "pikkit_high_grade_bets_total", grade=grade) == 0
    for grade in "ABCDF":
        assert value(found, "pikkit_grades_total", grade=grade) == 0
        assert value(found, "pikkit_predictions_total", sport="other", market="other", grade=grade) == 0
    for endpoint in ENDPOINTS:
        assert value(found, "pikkit_prediction_latency_seconds_count", endpoint=endpoint) == 0
        assert value(found, "pikkit_requests_total", endpoint=endpoint, status="500") == 0
    assert value(found, "pikkit_build_info", version="1.2.3", deployment="green") == 1
    assert value(found, "pikkit_workers_expected") == 2
    assert value(found, "pikkit_alerts_total", channel="telegram", outcome="parked") == 0


def test_latency_is_counted_once_per_request_in_buckets_that_resolve_milliseconds(metrics: Metrics) -> None:
    for seconds in (0.0015, 0.3, 0.6):
        metrics.answered(Answered("predict", 200, seconds))
    found = series(metrics.render())
    name = "pikkit_prediction_latency_seconds"
    assert value(found, f"{name}_count", endpoint="predict") == 3
    for le, count in {"0.001": 0, "0.002": 1, "0.3": 2, "0.5": 2, "0.75": 3}.items():
        assert value(found, f"{name}_bucket", endpoint="predict", le=le) == count
    assert value(found, "pikkit_active_requests") == 0


def test_a_request_in_progress_is_seen(metrics: Metrics) -> None:
    metrics.in_progress += 1
    assert value(series(metrics.render()), "pikkit_active_requests") == 1


def test_ten_thousand_invented_markets_and_paths_add_no_series(metrics: Metrics) -> None:
    models = a_model_set()
    metrics.predictions([a_bet(market="invented")], [a_prediction()], models)
    metrics.answered(Answered("/path", 404, 0.001))
    before = series(metrics.render()).keys()
    for i in range(10_000):
        metrics.predictions([a_bet(market=f"m{i}", sport=f"s{i}", league=f"l{i}")], [a_prediction()], models)
        metrics.answered(Answered(f"/path/{i}", 404, 0.001))
        metrics.error(f"code{i}")
    found = series(metrics.render())
    assert found.keys() == before
    assert value(found, "pikkit_predictions_total", sport="other", market="other", grade="C") == 10_000
    assert value(found, "pikkit_unknown_categories_total", column="market") == 10_001
    assert value(found, "pikkit_prediction_errors_total", code="other") == 10_000


def test_odd_statuses_are_counted_by_class(metrics: Metrics) -> None:
    for status in (418, 451, 599, 404):
        metrics.answered(Answered("predict", status, 0.01))
    found = series(metrics.render())
    assert value(found, "pikkit_requests_total", endpoint="predict", status="4xx") == 2
    assert value(found, "pikkit_requests_total", endpoint="predict", status="5xx") == 1
    assert value(found, "pikkit_requests_total", endpoint="predict", status="404") == 1


def test_spellings_of_one_market_share_a_series(metrics: Metrics) -> None:
    bets = [a_bet(sport=sport, market="MONEYLINE ") for sport in ("basketball", "BASKETBALL", " Basketball")]
    metrics.predictions(bets, [a_prediction("A")] * 3, a_model_set())
    found = series(metrics.render())
    assert value(found, "pikkit_predictions_total", sport="Basketball", market="Moneyline", grade="A") == 3
    assert value(found, "pikkit_high_grade_bets_total", grade="A") == 3
    assert value(found, "pikkit_batch_size_bucket", le="5.0") == 1


def test_a_new_model_set_brings_its_own_vocabulary(metrics: Metrics) -> None:
    metrics.predictions([a_bet(sport="Curling")], [a_prediction()], a_model_set())
    newer = a_model_set()
    newer.spec.encoders["sport"].classes = ("Curling",)
    metrics.predictions([a_bet(sport="curling")], [a_prediction()], newer)
    assert (
        value(series(metrics.render()), "pikkit_predictions_total", sport="Curling", market="Moneyline", grade="C") == 1
    )


def test_the_model_set_in_service_is_told(metrics: Metrics) -> None:
    metrics.model_loaded(a_model_set())
    metrics.model_loaded(a_model_set(version="20260101_000000", tag="pikkit_bet_models:20260101_000000"))
    found = series(metrics.render())
    infos = [dict(labels) for name, labels in found if name == "pikkit_model_info"]
    assert infos == [
        {
            "version": "20260101_000000",
            "tag": "pikkit_bet_models:20260101_000000",
            "sha256": "abababababab",
            "starter": "false",
        }
    ]
    assert value(found, "pikkit_model_trained_timestamp") == trained_at("20260101_000000") == 1767225600
    assert value(found, "pikkit_history_size") == 321
    assert value(found, "pikkit_model_load_timestamp") > 1.7e9


def test_a_failing_reload_shows_until_a_good_look(metrics: Metrics) -> None:
    metrics.reload_failed("unsafe_pickle")
    metrics.reload_failed("never heard of")
    found = series(metrics.render())
    assert value(found, "pikkit_model_reload_failures_total", reason="unsafe_pickle") == 1
    assert value(found, "pikkit_model_reload_failures_total", reason="other") == 1
    assert value(found, "pikkit_model_reload_error") == 1
    metrics.reload_ok()
    assert value(series(metrics.render()), "pikkit_model_reload_error") == 0


def test_the_outbox_is_asked_at_each_scrape(metrics: Metrics) -> None:
    @dataclass
    class State:
        depth: int = 3
        oldest_age_s: float = 12.5
        parked: int = 1
        off: str = ""

    state = State()
    metrics.watch_outbox(lambda: state)
    assert value(series(metrics.render()), "pikkit_alert_outbox_depth") == 3
    state.depth = 0
    found = series(metrics.render())
    assert value(found, "pikkit_alert_outbox_depth") == 0
    assert value(found, "pikkit_alert_outbox_oldest_age_seconds") == 12.5
    assert value(found, "pikkit_alerts_off", reason="disk_full") == 0
    state.off = "disk_full"
    assert value(series(metrics.render()), "pikkit_alerts_off", reason="disk_full") == 1


@pytest.mark.parametrize(
    ("version", "seconds"),
    [
        ("20251222_131123", 1766409083),
        ("2025-12-22T13:11:23Z", 1766409083),
        ("2025-12-22T14:11:23+01:00", 1766409083),
        ("2025-12-22T13:11:23", 1766409083),
        ("my best set", None),
    ],
)
def test_the_time_of_training_is_read_from_the_version(version: str, seconds: float | None) -> None:
    assert trained_at(version) == seconds


def test_a_hundred_bets_cost_a_few_microseconds_each(metrics: Metrics) -> None:
    bets, predictions, models = [a_bet()] * 100, [a_prediction()] * 100, a_model_set()
    call = lambda: metrics.predictions(bets, predictions, models)  # noqa: E731
    best = min(timeit.repeat(call, timer=time.thread_time, number=20, repeat=5)) / 20
    assert best / 100 < 20e-6


def test_open_metrics_and_gzip_are_given_to_who_asks(metrics: Metrics) -> None:
    metrics.answered(Answered("predict", 200, 0.004, "request-1"))
    metrics.model_loaded(a_model_set(), 1.5)
    asked = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    told = expose(metrics.exposition(), asked, "gzip, deflate")
    assert told.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert told.headers["content-encoding"] == "gzip"
    families = list(open_metrics(gzip.decompress(told.body).decode()))  # type: ignore[no-untyped-call]
    examples = [sample.exemplar for family in families for sample in family.samples if sample.exemplar]
    assert [example.labels for example in examples] == [{"request_id": "request-1"}]
    plain = expose(metrics.exposition())
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "content-encoding" not in plain.headers
    assert {name for name, _ in series(plain.body)} == {sample.name for family in families for sample in family.samples}


@pytest.mark.parametrize(
    "asked",
    ["application/openmetrics-text; version=abc", "text/plain;version=\xff;q=x", "*/*;;=", "text/plain;version="],
)
def test_a_scrape_that_asks_oddly_gets_prometheus_text(metrics: Metrics, asked: str) -> None:
    assert "pikkit_build_info{" in expose(metrics.exposition(), asked).body.decode()
