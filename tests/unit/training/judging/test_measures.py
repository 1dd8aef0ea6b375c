from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.slow_import import Lazy
from training.judging.measures import auc, bootstrap_mean, brier, calibration, ece, log_losses, reliability, scores

linear_model: Any = Lazy("sklearn.linear_model")
metrics: Any = Lazy("sklearn.metrics")

SAMPLES = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@given(SAMPLES, st.integers(10, 300))
def test_measures_agree_with_scikit_learn(random: np.random.Generator, n: int) -> None:
    p = random.uniform(0.01, 0.99, n).round(2)
    won = random.random(n) < p
    won[:2] = [True, False]
    assert log_losses(p, won).mean() == pytest.approx(metrics.log_loss(won, p))
    assert brier(p, won) == pytest.approx(metrics.brier_score_loss(won, p))
    assert auc(p, won) == pytest.approx(metrics.roc_auc_score(won, p))


def test_a_certain_prediction_that_fails_costs_much_but_not_infinitely() -> None:
    assert np.isfinite(log_losses(np.array([0.0, 1.0]), np.array([True, False]))).all()


@pytest.mark.parametrize(("intercept", "slope"), [(0.0, 1.0), (-0.3, 1.0), (0.0, 0.6), (0.2, 1.4)])
def test_calibration_finds_by_how_much_predictions_are_off(intercept: float, slope: float) -> None:
    random = np.random.default_rng(2)
    x = random.normal(0, 0.8, 20_000)
    won = random.random(20_000) < 1 / (1 + np.exp(-intercept - slope * x))
    found = calibration(1 / (1 + np.exp(-x)), won)
    fitted = linear_model.LogisticRegression(C=1e9, tol=1e-10).fit(x[:, None], won)
    assert (found.intercept, found.slope) == pytest.approx((fitted.intercept_[0], fitted.coef_[0, 0]), abs=1e-4)
    assert abs(found.intercept - intercept) < 3 * found.intercept_error < 0.1
    assert abs(found.slope - slope) < 3 * found.slope_error < 0.1


@pytest.mark.parametrize("p", [np.full(9, 0.5), np.array([0.2, 0.3])])
def test_calibration_of_what_says_nothing_is_not_a_number(p: np.ndarray) -> None:
    assert np.isnan(calibration(p, np.ones(len(p), dtype=np.bool_)).slope)


def test_auc_without_winners_or_losers_is_not_a_number() -> None:
    assert np.isnan(auc(np.array([0.2, 0.3]), np.array([True, True])))


def test_the_calibration_error_is_the_gap_between_prediction_and_share_won() -> None:
    won = np.arange(1000) % 2 == 0
    assert ece(np.full(1000, 0.5), won) == pytest.approx(0)
    assert ece(np.full(1000, 0.7), won) == pytest.approx(0.2)


def test_reliability_bins_hold_every_bet_once_in_rising_order() -> None:
    p = np.random.default_rng(1).random(103)
    bins = reliability(p, p > 0.5)
    assert sum(bets for _, _, bets in bins) == 103
    assert [mean for mean, _, _ in bins] == sorted(mean for mean, _, _ in bins)
    assert scores(p, p > 0.5).bets == 103


def test_a_bootstrap_interval_holds_the_mean_and_narrows_with_more_bets() -> None:
    values = np.random.default_rng(2).normal(1, 2, 4000)
    few, many = bootstrap_mean(values[:100]), bootstrap_mean(values)
    assert few.low < few.mean < few.high
    # 1.96 standard errors to each side, up to the noise of the resampling
    assert many.high - many.low == pytest.approx(2 * 1.96 * 2 / np.sqrt(4000), rel=0.1)
    assert many.high - many.low < few.high - few.low
    assert bootstrap_mean(values) == many


def test_a_bootstrap_interval_of_nothing_is_not_a_number() -> None:
    assert np.isnan(bootstrap_mean(np.array([])).mean)
