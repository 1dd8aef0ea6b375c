"""The judge: three outcomes, by statistics that can be checked by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.canary.judge import Outcome, Verdict, difference_interval, judge, quantile, wilson
from deploy.canary.sample import Sample, active_requests
from deploy.settings import DeploySettings

SETTINGS = DeploySettings()
BOUNDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, math.inf)


def sample(
    requests: float, *, errors: float = 0, slow: float = 0, mean: float = 0.5, unknown: float = 0, **grades: float
) -> Sample:
    quick = requests - slow
    buckets = {bound: quick if bound < 0.5 else requests for bound in BOUNDS if bound >= 0.005} | {0.001: 0.0}
    mix = grades or {"C": requests * 0.6, "D": requests * 0.4}
    bets = sum(mix.values())
    return Sample(requests, errors, unknown, mix, buckets, mean * bets, bets)


def row(verdict: Verdict, metric: str) -> Outcome:
    return next(row.outcome for row in verdict.rows if row.metric.startswith(metric))


GOOD = sample(1000)


@pytest.mark.parametrize(
    ("canary", "metric", "outcome"),
    [
        (sample(1000), "requests", "pass"),
        (sample(1000, errors=100), "error rate", "fail"),
        (sample(1000, errors=15), "error rate", "inconclusive"),
        (sample(1000, slow=200), "p95 latency", "fail"),
        (sample(1000, slow=40), "p95 latency", "pass"),
        (sample(1000, slow=55), "p95 latency", "inconclusive"),
        (sample(1000, A=900.0, C=100.0), "grade mix", "fail"),
        (sample(1000, C=550.0, D=450.0), "grade mix", "pass"),
        (sample(1000, unknown=300), "unknown", "fail"),
        (sample(1000, mean=0.6), "mean win probability", "fail"),
        (sample(1000, mean=0.51), "mean win probability", "pass"),
    ],
)
def test_each_metric_decides_by_itself(canary: Sample, metric: str, outcome: Outcome) -> None:
    verdict = judge(GOOD, canary, SETTINGS)
    assert row(verdict, metric) == outcome
    assert verdict.outcome == ("pass" if outcome == "pass" else outcome)


def test_no_traffic_is_not_a_pass() -> None:
    assert judge(GOOD, Sample(), SETTINGS).outcome == "inconclusive"
    assert judge(Sample(), GOOD, SETTINGS).outcome == "inconclusive"
    assert judge(Sample(), Sample(), SETTINGS).outcome == "inconclusive"


def test_too_small_a_sample_is_inconclusive_whatever_it_shows_but_for_many_errors() -> None:
    assert judge(GOOD, sample(100, A=100.0), SETTINGS).outcome == "inconclusive"
    assert judge(GOOD, sample(100, errors=20), SETTINGS).outcome == "fail"
    assert judge(GOOD, sample(5, errors=5), SETTINGS).outcome == "inconclusive"


def test_20_percent_errors_on_a_5_percent_canary_are_seen() -> None:
    assert judge(sample(9500), sample(500, errors=100), SETTINGS).outcome == "fail"


def test_errors_that_production_has_too_are_not_the_canarys_fault() -> None:
    assert row(judge(sample(5000, errors=500), sample(5000, errors=505), SETTINGS), "error rate") == "pass"


def test_a_canary_that_had_to_be_started_again_fails() -> None:
    assert judge(GOOD, sample(1000), SETTINGS, restarts=1).outcome == "fail"


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"), [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)]
)
def test_wilson_agrees_with_published_values(hits: int, n: int, low: float, high: float) -> None:
    assert wilson(hits, n, 0.95) == pytest.approx((low, high), abs=1e-4)


def test_newcombe_agrees_with_his_example() -> None:
    # Newcombe 1998, table II (a): 56/70 against 48/80, method 10
    low, d, high = difference_interval((56, 70), (48, 80), 0.95)
    assert (low, d, high) == pytest.approx((0.0524, 0.2, 0.3339), abs=1e-4)


@given(st.integers(0, 500), st.integers(1, 500), st.integers(0, 500), st.integers(1, 500))
def test_the_difference_lies_in_its_interval(a: int, n: int, b: int, m: int) -> None:
    low, d, high = difference_interval((min(a, n), n), (min(b, m), m), 0.98)
    assert -1 - 1e-9 <= low <= d + 1e-12
    assert d - 1e-12 <= high <= 1 + 1e-9


def test_quantiles_are_interpolated_in_their_bucket() -> None:
    data = Sample(buckets={0.1: 50, 0.2: 100, math.inf: 100})
    assert quantile(data, 0.5) == pytest.approx(0.1)
    assert quantile(data, 0.75) == pytest.approx(0.15)
    assert quantile(Sample(), 0.95) == 0.0
    assert quantile(Sample(buckets={0.1: 1, math.inf: 100}), 0.95) == 0.1


METRICS = """
# TYPE pikkit_active_requests gauge
pikkit_active_requests 3
# TYPE pikkit_predictions_total counter
pikkit_predictions_total{sport="a",market="m",grade="A"} 2
pikkit_predictions_total{sport="b",market="m",grade="A"} 3
pikkit_predictions_total{sport="b",market="m",grade="C"} 5
# TYPE pikkit_prediction_errors_total counter
pikkit_prediction_errors_total{code="internal_error"} 4
pikkit_prediction_errors_total{code="invalid_bet"} 40
# TYPE pikkit_unknown_categories_total counter
pikkit_unknown_categories_total{column="league"} 6
# TYPE pikkit_win_probability histogram
pikkit_win_probability_bucket{le="+Inf"} 10
pikkit_win_probability_sum 5
pikkit_win_probability_count 10
# TYPE pikkit_prediction_latency_seconds histogram
pikkit_prediction_latency_seconds_bucket{endpoint="/api/v1/predict",le="0.1"} 7
pikkit_prediction_latency_seconds_bucket{endpoint="/api/v1/predict",le="+Inf"} 8
pikkit_prediction_latency_seconds_count{endpoint="/api/v1/predict"} 8
pikkit_prediction_latency_seconds_sum{endpoint="/api/v1/predict"} 1
pikkit_prediction_latency_seconds_bucket{endpoint="/health",le="0.1"} 99
pikkit_prediction_latency_seconds_bucket{endpoint="/health",le="+Inf"} 99
pikkit_prediction_latency_seconds_count{endpoint="/health"} 99
pikkit_prediction_latency_seconds_sum{endpoint="/health"} 1
"""


def test_a_sample_counts_predictions_and_the_services_own_errors() -> None:
    read = Sample.from_metrics(METRICS)
    assert read == Sample(8, 4, 6, {"A": 5, "C": 5}, {0.1: 7, math.inf: 8}, 5, 10)
    assert Sample.from_json(read.to_json()) == read
    assert active_requests(METRICS) == 3
    assert active_requests("") is None


def test_counters_that_went_back_began_anew() -> None:
    assert sample(10).since(sample(1000)) == sample(10)
    assert sample(1000).since(sample(400)).requests == 600
