from functools import cache

import numpy as np
import pytest

from pikkit.bets.numbers import sigmoid
from training.fitting.fit import Choice, Fitted, choose, fit, fit_prior, logit
from training.judging.measures import log_losses

RANDOM = np.random.default_rng(3)
IMPLIED = RANDOM.uniform(0.2, 0.8, 6000)
SIGNAL = RANDOM.normal(0, 1, 6000)
MATRIX = np.column_stack([IMPLIED, SIGNAL]).astype(np.float32)
RISING = (False, True)
FIRST = slice(0, 4500)
FAIR = RANDOM.random(6000) < IMPLIED
MISPRICED = RANDOM.random(6000) < sigmoid(logit(IMPLIED) + 0.5 * np.sign(SIGNAL))


@cache
def learned(*, mispriced: bool) -> tuple[Choice, Fitted]:
    """What is chosen and fitted on the first 4,500 bets."""
    won = (MISPRICED if mispriced else FAIR)[FIRST]
    choice = choose(MATRIX[FIRST], IMPLIED[FIRST], won, rising=RISING, seed=0)
    return choice, fit(MATRIX[FIRST], IMPLIED[FIRST], won, choice, rising=RISING, seed=0)


def test_few_results_do_not_move_the_prior_from_the_price() -> None:
    prior = fit_prior(np.full(20, 0.5), np.ones(20, dtype=bool))
    assert prior.intercept == pytest.approx(0, abs=0.02)
    assert prior.slope == pytest.approx(1)


def test_many_results_do() -> None:
    random = np.random.default_rng(4)
    implied = random.uniform(0.1, 0.9, 400_000)
    prior = fit_prior(implied, random.random(400_000) < sigmoid(-0.2 + 1.1 * logit(implied)))
    assert prior.intercept == pytest.approx(-0.2, abs=0.03)
    assert prior.slope == pytest.approx(1.1, abs=0.03)


def test_fitted_in_two_parts_the_prior_is_about_the_same_as_in_one() -> None:
    whole = fit_prior(IMPLIED, MISPRICED)
    half = fit_prior(IMPLIED[:3000], MISPRICED[:3000])
    both = fit_prior(IMPLIED[3000:], MISPRICED[3000:], known=half)
    assert both.intercept == pytest.approx(whole.intercept, abs=2e-3)
    assert both.slope == pytest.approx(whole.slope, rel=1e-2)


def test_without_evidence_the_model_is_the_price() -> None:
    choice, fitted = learned(mispriced=False)
    assert choice.rounds == 0
    assert np.abs(fitted.trees(MATRIX)).max() < 1e-6
    assert np.abs(fitted.predict(MATRIX, IMPLIED) - IMPLIED).max() < 0.02


def test_a_mispriced_market_is_found_and_beaten_on_later_bets() -> None:
    choice, fitted = learned(mispriced=True)
    later = slice(FIRST.stop, None)
    own = log_losses(fitted.predict(MATRIX[later], IMPLIED[later]), MISPRICED[later]).mean()
    assert choice.gain > choice.noise
    assert own < log_losses(IMPLIED[later], MISPRICED[later]).mean() - 0.01


def test_what_may_only_raise_the_probability_never_lowers_it() -> None:
    _, fitted = learned(mispriced=True)
    rows = np.column_stack([np.full(50, 0.5), np.linspace(-3, 3, 50)]).astype(np.float32)
    assert (np.diff(fitted.predict(rows, np.full(50, 0.5))) >= 0).all()


def test_the_same_seed_gives_the_same_choice() -> None:
    choices = [choose(MATRIX[:600], IMPLIED[:600], MISPRICED[:600], rising=RISING, seed=5) for _ in range(2)]
    assert choices[0] == choices[1]
