from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pikkit.bets.numbers import sigmoid
from pikkit.bets.odds import implied_probability
from pikkit.bets.prediction import GRADES
from training.fitting.fit import Choice, calibrate, choose, fit, logit
from training.judging.evaluate import Judged, gates, slices
from training.settled.simulate import simulate

BETS = simulate(8000, seed=2)
IMPLIED = implied_probability(BETS.bets.odds)
RANDOM = np.random.default_rng(0)
WON = RANDOM.random(8000) < IMPLIED  # the price is right
GOOD = Judged(BETS.bets, IMPLIED, IMPLIED, WON, np.where(WON, 90.0, -100.0), np.arange(8000) % len(GRADES), 0.1)


def failed(judged: Judged, production: Judged | None = None) -> set[str]:
    return {gate.name for gate in gates(judged, production).gates if not gate.passed}


def test_a_set_that_says_what_the_price_says_passes() -> None:
    assert failed(GOOD, GOOD) == set()
    assert gates(GOOD).passed


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (lambda p: sigmoid(logit(p) + RANDOM.normal(0, 0.5, len(p))), {"not worse than the odds"}),
        (lambda p: np.clip(p + 0.06, 0, 0.99), {"not worse than the odds", "calibrated"}),
        (lambda p: np.full(len(p), WON.mean()), {"not worse than the odds", "not constant"}),
    ],
)
def test_a_worse_set_fails_by_name(spoil: Callable[..., np.ndarray], names: set[str]) -> None:
    assert names <= failed(replace(GOOD, probability=spoil(IMPLIED)))


def test_a_set_must_not_be_worse_than_production_beyond_noise() -> None:
    truth = IMPLIED + 0.08 * np.sign(RANDOM.normal(size=8000)) * IMPLIED * (1 - IMPLIED) * 4
    won = RANDOM.random(8000) < truth
    knowing, price = (replace(GOOD, probability=p, won=won) for p in (np.clip(truth, 0.01, 0.99), IMPLIED))
    assert failed(price, knowing) == {"not worse than production"}
    assert failed(knowing, price) == set()
    nearly = replace(knowing, probability=np.clip(knowing.probability + RANDOM.normal(0, 0.003, 8000), 0.01, 0.99))
    assert "not worse than production" not in failed(nearly, knowing)


def test_a_slow_set_fails() -> None:
    assert failed(replace(GOOD, batch_ms=25.0)) == {"fast"}


def test_slices_tell_of_every_set_on_the_same_bets() -> None:
    found = dict(slices(GOOD, GOOD))
    assert len(found["all"]) == 3
    assert found["all"][0].bets == 8000
    assert found["bet_type straight"][0].bets + found["bet_type parlay"][0].bets == 8000
    assert sum(scores[0].bets for name, scores in found.items() if name.startswith("implied")) == 8000
    assert {"sport Basketball", "book FanDuel"} <= set(found)


def test_returns_by_grade_come_with_intervals() -> None:
    for letter, bets, roi in GOOD.returns():
        assert letter in GRADES
        assert bets == 1600
        assert -100 <= roi.low < roi.mean < roi.high <= 90


def test_an_edge_that_newer_bets_do_not_confirm_is_left_out() -> None:
    random = np.random.default_rng(1)
    implied, signal = random.uniform(0.2, 0.8, 8000), random.normal(size=8000)
    matrix = np.column_stack([implied, signal]).astype(np.float32)
    edge = random.random(8000) < sigmoid(logit(implied) + 0.4 * np.sign(signal))
    gone = random.random(8000) < implied
    old, new = slice(0, 4000), slice(4000, None)
    rising = (False, True)
    choice = choose(matrix[old], implied[old], edge[old], rising=rising, seed=0)
    assert choice.rounds > 0
    with_trees, price = (
        fit(matrix[old], implied[old], edge[old], one, rising=rising, seed=0)
        for one in (choice, Choice(choice.parameters, 0, 0.0, 0.0))
    )
    assert calibrate(with_trees, price, matrix[new], implied[new], edge[new]).choice.rounds == choice.rounds
    assert calibrate(with_trees, price, matrix[new], implied[new], gone[new]).choice.rounds == 0
