"""What is fitted, where the truth is known: a model with an edge, one without, one with the margin in it."""

from typing import Any

import numpy as np
import pytest

from pikkit.bets.numbers import Bools, Floats, log_losses, logit, sigmoid
from pikkit.bets.odds import implied_probability
from pikkit.features.spec import FeatureSpec
from pikkit.grading.opinion import Opinion
from pikkit.grading.opinion_fit import ENOUGH_BETS, ENOUGH_UNSEEN, fit_opinion, opinion_of, price_range
from pikkit.grading.reasons import Contributions
from pikkit.history.history import History, SettledBets
from training.settled.simulate import simulate

BETS = 12_000
MARGIN = 0.045


class World:
    """Chances of bets, prices that know them but for some noise, and results."""

    def __init__(self, seed: int = 1) -> None:
        draw = np.random.default_rng(seed)
        market = draw.normal(0.0, 0.7, BETS)
        self.noise = draw.normal(0.0, 0.25, BETS)
        self.truth = sigmoid(market + self.noise)
        self.fair = sigmoid(market)
        self.implied = self.fair * (1 + MARGIN)
        self.won: Bools = draw.random(BETS) < self.truth
        self.draw = draw


def distance(world: World, p: Floats) -> float:
    """Expected log loss above that of the truth."""
    return float(
        (world.truth * (np.log(world.truth / p)) + (1 - world.truth) * np.log((1 - world.truth) / (1 - p))).mean()
    )


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", ["edge", "none", "margin"])
def test_what_is_combined_is_never_further_from_the_truth_than_the_better_of_model_and_market(
    kind: str, seed: int
) -> None:
    world = World(seed)
    price = logit(np.clip(world.implied, 0.01, 0.99))
    model = {
        "edge": sigmoid(-0.1 + 0.9 * price + world.noise),
        "none": sigmoid(price + world.draw.normal(0, 0.3, BETS)),
        "margin": world.fair * 0.97,
    }[kind]
    known = slice(0, BETS // 2)
    opinion = fit_opinion(
        model[known],
        world.implied[known],
        world.won[known],
        fair_market=world.fair[known],
        fair_reference=world.fair[known],
    )
    for reference in (False, True):
        p = opinion.combined(model, world.implied, world.fair, reference=np.full(BETS, reference))
        assert distance(world, p) <= min(distance(world, model), distance(world, world.fair)) + 0.0005
    assert (opinion.weight_market or 0) > 0.5 if kind == "edge" else opinion.weight_market == pytest.approx(0, abs=0.15)


def test_without_fair_probabilities_the_price_stands_in_and_references_get_no_weight() -> None:
    world = World(3)
    model = sigmoid(logit(np.clip(world.implied, 0.01, 0.99)) + world.noise)
    opinion = fit_opinion(model, world.implied, world.won)
    assert (opinion.weight_market or 0) > 0.5
    assert opinion.weight_reference == 0
    p = opinion.combined(model, world.implied, world.fair, reference=np.zeros(BETS, dtype=np.bool_))
    assert log_losses(p, world.won).mean() < log_losses(world.fair, world.won).mean()


def test_a_model_that_repeats_the_price_has_no_opinion_to_weigh() -> None:
    random = np.random.default_rng(5)
    implied = random.uniform(0.2, 0.8, 4000)
    model = sigmoid(-0.03 + 1.03 * logit(implied) + random.normal(0, 1e-7, 4000))  # what its one leaf rounds to
    won = random.random(4000) < implied
    model[won] *= 1 + 1e-7
    assert fit_opinion(model, implied, won).weight_market == 0


def test_prices_with_enough_bets_are_those_between_the_hundredth_of_either_end() -> None:
    implied = np.linspace(0.05, 0.95, 1001)
    assert price_range(implied) == (implied[ENOUGH_BETS], implied[-ENOUGH_BETS - 1])
    assert price_range(implied[: 2 * ENOUGH_BETS]) == (0.0, 1.0)


class Knowing:
    """A win model that has learnt the results of some bets."""

    version = "20260101_000000"
    roi_from_price = False
    history = History.empty()
    opinion = Opinion()
    spec = FeatureSpec.from_metadata({"features": ["implied_prob"], "encoders": {}})

    def __init__(self, bets: SettledBets) -> None:
        price = logit(np.asarray(implied_probability(bets.bets.odds)))
        self._chances = sigmoid(0.3 + 0.9 * price + 0.5 * (bets.won - 0.5))

    def win_probability(self, matrix: np.ndarray) -> Floats:
        assert len(matrix) == len(self._chances)
        return self._chances

    def roi(self, matrix: np.ndarray, probability: Any, odds: Any) -> Any:
        raise NotImplementedError

    explains_within_s = 0.0

    def contributions(self, matrix: np.ndarray) -> Contributions:
        raise NotImplementedError


def test_only_bets_that_a_model_can_not_have_learnt_from_give_it_weight() -> None:
    past = simulate(2 * ENOUGH_UNSEEN, 1)
    times = past.bets.placed_at
    fresh, unseen = opinion_of(Knowing(past), past, float(times[0]) - 1)
    assert (fresh.weight_market, unseen) == (1.0, len(past))
    learnt, unseen = opinion_of(Knowing(past), past, float(times[-ENOUGH_UNSEEN]))
    assert (learnt.weight_market, learnt.weight_reference) == (0.0, 0.0)
    assert 0 < unseen < ENOUGH_UNSEEN
    assert (learnt.intercept, learnt.slope) == pytest.approx((0.3, 0.9), abs=0.1)
    assert (learnt.lowest, learnt.highest) == price_range(np.asarray(implied_probability(past.bets.odds)))
