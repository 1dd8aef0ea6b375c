"""What is fitted, where the truth is known: a model with an edge, one without, one with the margin in it."""

import numpy as np
import pytest

from pikkit.bets.numbers import Bools, Floats, logit, sigmoid
from training.measures import log_losses
from training.opinion import ENOUGH_BETS, fit_opinion, price_range

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


def test_prices_with_enough_bets_are_those_between_the_hundredth_of_either_end() -> None:
    implied = np.linspace(0.05, 0.95, 1001)
    assert price_range(implied) == (implied[ENOUGH_BETS], implied[-ENOUGH_BETS - 1])
    assert price_range(implied[: 2 * ENOUGH_BETS]) == (0.0, 1.0)
