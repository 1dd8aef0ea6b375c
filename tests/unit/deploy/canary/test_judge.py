"""The judge: three outcomes, by statistics that can be checked by hand; each threshold on both of its sides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.canary.judge import Outcome, Row, Verdict, difference_interval, judge, judge_answers, quantile, wilson
from deploy.canary.sample import BOUNDS, Line, Sample, Served
from deploy.files import parsed, plain
from deploy.settings import DeploySettings

SETTINGS = DeploySettings()
PREDICT, BATCH = "/api/v1/predict", "/api/v1/batch-predict"


def served(requests: int, *, errors: int = 0, refused: int = 0, slow: int = 0, slow_s: float = 0.25) -> Served:
    found = Served(requests, errors, refused)
    found.seconds[0.005] = requests - slow
    found.seconds[next(bound for bound in BOUNDS if bound >= slow_s)] += slow
    return found


def sample(
    requests: int,
    *,
    errors: int = 0,
    refused: int = 0,
    slow: int = 0,
    slow_s: float = 0.25,
    mean: float = 0.5,
    unknown: float = 0,
    **grades: float,
) -> Sample:
    mix = grades or {"C": requests * 0.6, "D": requests * 0.4}
    one = served(requests, errors=errors, refused=refused, slow=slow, slow_s=slow_s)
    return Sample({PREDICT: one}, unknown, mix, mean * sum(mix.values()))


def row(verdict: Verdict, metric: str) -> Outcome:
    return next(row.outcome for row in verdict.rows if row.metric.startswith(metric))


GOOD = sample(1000)


@pytest.mark.parametrize(
    ("canary", "metric", "outcome"),
    [
        (sample(1000), "requests", "pass"),
        (sample(199), "requests", "inconclusive"),
        # 5xx: tolerance 2 %, by the interval of the difference
        (sample(1000, errors=9), "5xx", "pass"),
        (sample(1000, errors=10), "5xx", "inconclusive"),
        (sample(1000, errors=20), "5xx", "inconclusive"),
        (sample(1000, errors=21), "5xx", "fail"),
        # 4xx: tolerance 5 %
        (sample(1000, refused=33), "4xx", "pass"),
        (sample(1000, refused=34), "4xx", "inconclusive"),
        (sample(1000, refused=50), "4xx", "inconclusive"),
        (sample(1000, refused=51), "4xx", "fail"),
        (sample(1000, refused=1000), "4xx", "fail"),
        # p95: at most 5 % over max(50 ms, 1.5 x production's)
        (sample(1000, slow=50), "p95 latency", "pass"),
        (sample(1000, slow=51), "p95 latency", "inconclusive"),
        (sample(1000, slow=66), "p95 latency", "inconclusive"),
        (sample(1000, slow=67), "p95 latency", "fail"),
        (sample(1000, slow=1000, slow_s=0.05), "p95 latency", "pass"),
        (sample(1000, slow=1000, slow_s=0.075), "p95 latency", "fail"),
        # grades: distance 0.15
        (sample(1000, C=450.0, D=550.0), "grade mix", "pass"),
        (sample(1000, C=449.0, D=551.0), "grade mix", "fail"),
        (sample(1000, A=900.0, C=100.0), "grade mix", "fail"),
        (sample(1000, C=4.0, D=6.0), "grade mix", "inconclusive"),  # far away, but of ten bets
        # unknown categories: 5 %
        (sample(1000, unknown=33), "unknown", "pass"),
        (sample(1000, unknown=34), "unknown", "inconclusive"),
        (sample(1000, unknown=50), "unknown", "inconclusive"),
        (sample(1000, unknown=51), "unknown", "fail"),
        # mean probability: 0.03, to either side
        (sample(1000, mean=0.529), "mean win probability", "pass"),
        (sample(1000, mean=0.531), "mean win probability", "fail"),
        (sample(1000, mean=0.471), "mean win probability", "pass"),
        (sample(1000, mean=0.469), "mean win probability", "fail"),
    ],
)
def test_each_metric_decides_by_itself_on_both_sides_of_its_threshold(
    canary: Sample, metric: str, outcome: Outcome
) -> None:
    verdict = judge(GOOD, canary, SETTINGS)
    assert row(verdict, metric) == outcome
    assert verdict.outcome == outcome


def test_each_metric_is_told_with_both_sides_and_its_rule() -> None:
    production = Sample(
        {
            PREDICT: served(2000, errors=20, refused=40, slow=400, slow_s=0.1),
            BATCH: served(400, errors=4),
        },
        *(30, {"A": 60.0, "C": 340.0, "D": 200.0}, 300.0),
    )
    canary = Sample(
        {PREDICT: served(1000, errors=90, refused=10, slow=80), BATCH: served(250)},
        *(90, {"A": 30.0, "C": 70.0, "F": 100.0}, 84.0),
    )
    verdict = judge(production, canary, SETTINGS, restarts=2)
    more = "at most {} more; the difference is in [{}, {}]"
    rows = (
        Row("requests that count", "2400", "1250", "at least 200 each", "pass"),
        Row("restarts", "", "2", "none", "fail"),
        Row("5xx", "1.00%", "7.20%", more.format("2.0%", "+4.57%", "+8.13%"), "fail"),
        Row("4xx", "1.67%", "0.80%", more.format("5.0%", "-1.70%", "+0.11%"), "pass"),
        Row(f"5xx of {BATCH}", "1.00%", "0.00%", more.format("2.0%", "-2.98%", "+1.22%"), "pass"),
        Row(f"p95 latency of {BATCH}", "4.9 ms", "4.9 ms", "at most 5% over 50 ms; 0.0% are", "pass"),
        Row(f"5xx of {PREDICT}", "1.00%", "9.00%", more.format("2.0%", "+6.00%", "+10.37%"), "fail"),
        # 1,600 within 5 ms, 400 between 75 and 100 ms: 95 % are within 93.75 ms, half as much again within 150
        Row(f"p95 latency of {PREDICT}", "93.8 ms", "187.5 ms", "at most 5% over 150 ms; 8.0% are", "fail"),
        Row(
            "grade mix (percent)",
            "A10 C57 D33 F0",
            "A15 C35 D0 F50",
            "distance at most 0.15; it is 0.550 (p = 0)",
            "fail",
        ),
        Row("unknown categories per bet", "5.00%", "45.00%", more.format("5.0%", "+31.67%", "+48.38%"), "fail"),
        Row("mean win probability", "0.500", "0.420", "differs by at most 0.03", "fail"),
    )
    assert verdict == Verdict("fail", rows)
    assert verdict.words()[:2] == ["requests that count: 2400 / 1250, pass", "restarts:  / 2, fail"]


def test_what_one_side_did_not_see_is_told_so() -> None:
    unseen = "at most {} more; the difference is in [-100.00%, +1.77%]"
    assert judge(Sample(), sample(300, slow=10), SETTINGS).rows == (
        Row("requests that count", "0", "300", "at least 200 each", "inconclusive"),
        Row("restarts", "", "0", "none", "pass"),
        Row("5xx", "none", "0.00%", unseen.format("2.0%"), "pass"),
        Row("4xx", "none", "0.00%", unseen.format("5.0%"), "pass"),
        Row("p95 latency of all", "0.0 ms", "5.0 ms", "at most 5% over 50 ms; 3.3% are", "pass"),
        Row("grade mix (percent)", "none", "C60 D40", "bets on both sides", "inconclusive"),
        Row("unknown categories per bet", "none", "0.00%", unseen.format("5.0%"), "pass"),
    )


@pytest.mark.parametrize(
    (
        "ours",
        "theirs",
        "expected",
    ),  # by scipy.stats.chi2_contingency without correction, which takes a second to import
    [
        ({"A": 30.0, "C": 70.0}, {"A": 24.0, "C": 76.0}, 0.33926),
        ({"A": 30.0, "C": 70.0, "F": 20.0}, {"A": 35.0, "C": 60.0, "D": 4.0, "F": 30.0}, 0.07726),
    ],
)
def test_the_test_of_grades_is_pearson_s(ours: dict[str, float], theirs: dict[str, float], expected: float) -> None:
    production, canary = (Sample({PREDICT: served(1000)}, grades=mix) for mix in (ours, theirs))
    rule = next(row.rule for row in judge(production, canary, SETTINGS).rows if row.metric.startswith("grade"))
    assert float(rule.partition("p = ")[2].rstrip(")")) == pytest.approx(expected, rel=0.05)


def test_the_least_number_of_requests_is_enough() -> None:
    assert row(judge(GOOD, sample(200), SETTINGS), "requests") == "pass"
    assert row(judge(sample(200), GOOD, SETTINGS), "requests") == "pass"
    assert row(judge(sample(199), GOOD, SETTINGS), "requests") == "inconclusive"


def test_a_difference_that_may_be_chance_is_no_failure() -> None:
    few, many = sample(60, errors=3), sample(60)
    settings = DeploySettings(judge_min_requests=50)
    assert row(judge(many, few, settings), "5xx") == "inconclusive"  # 5 % more, over the tolerance, and yet


def test_the_tolerated_p95_grows_with_productions() -> None:
    slow = sample(1000, slow=1000, slow_s=0.25)
    assert row(judge(slow, sample(1000, slow=1000, slow_s=0.5), SETTINGS), "p95") == "pass"
    assert row(judge(slow, sample(1000, slow=1000, slow_s=1.0), SETTINGS), "p95") == "fail"


def test_no_traffic_is_not_a_pass() -> None:
    assert judge(GOOD, Sample(), SETTINGS).outcome == "inconclusive"
    assert judge(Sample(), GOOD, SETTINGS).outcome == "inconclusive"
    assert judge(Sample(), Sample(), SETTINGS).outcome == "inconclusive"


@pytest.mark.parametrize(
    ("canary", "outcome"),
    [
        (sample(100, A=100.0), "inconclusive"),
        (sample(100, refused=100), "inconclusive"),
        (sample(20, errors=20), "fail"),
        (sample(19, errors=19), "inconclusive"),
    ],
)
def test_a_small_sample_is_inconclusive_whatever_it_shows_but_for_5xx_from_a_tenth_of_it_on(
    canary: Sample, outcome: Outcome
) -> None:
    assert judge(GOOD, canary, SETTINGS).outcome == outcome


def test_20_percent_errors_on_a_5_percent_canary_are_seen() -> None:
    assert judge(sample(9500), sample(500, errors=100), SETTINGS).outcome == "fail"


def test_errors_that_production_has_too_are_not_the_canarys_fault() -> None:
    assert row(judge(sample(5000, errors=500), sample(5000, errors=505), SETTINGS), "5xx") == "pass"


@pytest.mark.parametrize(("restarts", "outcome"), [(0, "pass"), (1, "fail"), (-1, "pass")])
def test_a_canary_that_had_to_be_started_again_fails_also_before_there_is_enough_traffic(
    restarts: int, outcome: Outcome
) -> None:
    assert judge(GOOD, sample(1000), SETTINGS, restarts=restarts).outcome == outcome
    few = judge(GOOD, sample(1), SETTINGS, restarts=restarts).outcome
    assert few == ("fail" if outcome == "fail" else "inconclusive")


def test_an_endpoint_that_fails_is_not_hidden_by_one_that_does_not() -> None:
    production = Sample({PREDICT: served(50_000), BATCH: served(300)}, grades={"C": 1000.0})
    canary = Sample({PREDICT: served(50_000), BATCH: served(300, errors=60)}, grades={"C": 1000.0})
    verdict = judge(production, canary, SETTINGS)
    assert row(verdict, "5xx") == "pass"
    assert row(verdict, f"5xx of {BATCH}") == "fail"
    assert verdict.outcome == "fail"
    few = Sample({PREDICT: served(50_000), BATCH: served(199, errors=199)}, grades={"C": 1000.0})
    assert not [one for one in judge(production, few, SETTINGS).rows if one.metric == f"5xx of {BATCH}"]


def test_another_mix_of_endpoints_is_not_taken_for_latency() -> None:
    batches = served(500, slow=500, slow_s=0.25)
    production = Sample({PREDICT: served(5000), BATCH: batches}, grades={"C": 1000.0})
    canary = Sample({PREDICT: served(500), BATCH: served(500, slow=500, slow_s=0.25)}, grades={"C": 1000.0})
    assert judge(production, canary, SETTINGS).outcome == "pass"


def test_before_and_after_a_promotion_only_what_clients_were_answered_counts() -> None:
    other_bets = sample(1000, A=900.0, F=100.0, mean=0.9)
    assert judge_answers(GOOD, other_bets, SETTINGS).outcome == "pass"
    assert judge_answers(GOOD, sample(1000, errors=50), SETTINGS).outcome == "fail"
    assert judge_answers(GOOD, sample(1000), SETTINGS, restarts=1).outcome == "fail"


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
    data = Served(100)
    data.seconds.update({0.1: 50, 0.15: 50})
    assert quantile(data, 0.5) == pytest.approx(0.1)
    assert quantile(data, 0.75) == pytest.approx(0.125)
    assert quantile(Served(), 0.95) == 0.0
    late = Served(100)
    late.seconds[BOUNDS[-1]] = 100
    assert quantile(late, 0.95) == 10.0


def test_statuses_are_counted_by_class() -> None:
    found = Served()
    for status in (200, 304, 399, 400, 499, 500, 504):
        found.add(Line(1.0, "blue", PREDICT, status, 0.0026, chosen=False, client="a"))
    assert (found.requests, found.refused, found.errors) == (7, 2, 2)
    assert found.seconds == {0.005: 7}
    assert found.over(0.0025) == 7
    assert found.over(0.005) == 0


METRICS = """
# TYPE pikkit_active_requests gauge
pikkit_active_requests 3
# TYPE pikkit_predictions_total counter
pikkit_predictions_total{sport="a",market="m",grade="A"} 2
pikkit_predictions_total{sport="b",market="m",grade="A"} 3
pikkit_predictions_total{sport="b",market="m",grade="C"} 5
# TYPE pikkit_unknown_categories_total counter
pikkit_unknown_categories_total{column="league"} 6
# TYPE pikkit_win_probability histogram
pikkit_win_probability_bucket{le="+Inf"} 10
pikkit_win_probability_sum 5
pikkit_win_probability_count 10
"""


def test_a_sample_counts_what_was_predicted() -> None:
    read = Sample.from_metrics(METRICS)
    assert read == Sample(unknown=6, grades={"A": 5, "C": 5}, probability_sum=5)
    assert parsed(Sample, plain(read)) == read


def test_counters_that_went_back_began_anew() -> None:
    assert sample(10).since(sample(1000)) == sample(10)
    assert sample(1000).since(sample(400)).grades == {"C": 360.0, "D": 240.0}
