"""What can be said of bets that are made of several, and why not more, word by word."""

import math
from typing import Any

import pytest

from pikkit.bets.reading import read_bet
from pikkit.grading.evidence import Evidence, Told, evidence_of
from pikkit.grading.figures import Figures
from pikkit.grading.markets import MarketRules
from pikkit.grading.parlays import has_legs, judge_legs, why_limited

LEG = {"sport": "Hockey", "league": "NHL", "market": "Moneyline", "institution_name": "X", "odds": 120}


def parlay(*events: str | None, bet_type: str = "parlay") -> Any:
    legs = [{**LEG, "bet_type": "straight", "event": event} for event in events]
    return read_bet({**LEG, "market": "Parlay", "bet_type": bet_type, "odds": 350, **({"legs": legs} if legs else {})})


@pytest.mark.parametrize(
    ("bet", "fair", "words"),
    [
        (parlay(), (), "parlay: its legs are not known, send them as legs"),
        (parlay(bet_type="Teaser 6 points"), (), "Teaser 6 points: its legs have no prices of their own"),
        (
            parlay("A", "B", bet_type="Round-Robin 3"),
            (True, True),
            "Round-Robin 3: its legs have no prices of their own",
        ),
        (parlay("A", "B", bet_type="round robin"), (True, True), "round robin: its legs have no prices of their own"),
        (parlay("A", None, None), (True,) * 3, "leg 2 names no event: whether legs hang together can't be told"),
        (
            parlay("A @ B", "C @ D", " a @ b"),
            (True,) * 3,
            "two legs are of one event: their chances are not independent",
        ),
        (
            parlay("A", "B", "C"),
            (True, True, False),
            "leg 3 has no fair price: send its market_prices or reference_prices",
        ),
        (
            parlay("A", "undefined"),
            (True, True),
            "leg 2 names no event: whether legs hang together can't be told",
        ),
        (
            read_bet({**LEG, "legs": [{**LEG, "event": "A"}, {**LEG, "event": "B", "bet_type": "SGP"}]}),
            (True, True),
            "leg 2 is itself of several (SGP): send each bet in it as a leg, or straight",
        ),
        (parlay("A", "B"), (True, True), None),
        (parlay("A", "B"), (), None),
    ],
)
def test_why_a_bet_with_legs_can_not_be_more_than_a_d(bet: Any, fair: tuple[bool, ...], words: str | None) -> None:
    assert why_limited(bet, fair) == words


@pytest.mark.parametrize(
    ("names", "legs"),
    [
        (("straight", "Moneyline", "Hockey"), False),
        (("parlay", "Moneyline", "Hockey"), True),
        (("Same Game Parlay", "Moneyline", "Hockey"), True),
        (("multi", "Moneyline", "Hockey"), True),
        (("accumulator", "Moneyline", "Hockey"), True),
        (("teaser", "Moneyline", "Hockey"), True),
        (("Round_Robin of 3", "Moneyline", "Hockey"), True),
        (("straight", "Parlay", "Hockey"), True),
        (("straight", "Parlay prices", "Hockey"), False),
        (("straight", "Moneyline", "parlay"), True),
        (("the parlay", "Moneyline", "Hockey"), True),
        (("same-game parlay", "Moneyline", "Hockey"), True),
        (("SGM", "Moneyline", "Hockey"), True),
        (("Bet-Builder", "Moneyline", "Hockey"), True),
        (("acca", "Moneyline", "Hockey"), True),
        (("2-Leg Parlay", "Moneyline", "Hockey"), True),
        (("roundrobin", "Moneyline", "Hockey"), True),
        (("straight", "Same-Game Parlay", "Hockey"), True),
    ],
)
def test_names_that_say_that_a_bet_has_legs(names: tuple[str, str, str], legs: bool) -> None:
    assert has_legs(*names) is legs


def none(count: int) -> Evidence:
    return evidence_of([parlay()] * count, MarketRules(), 0.0)


def evidence(*told: Told) -> Evidence:
    found = none(len(told))
    found.told.T[:] = told
    return found


def columns(*chances: float) -> list[list[float]]:
    found: list[list[float]] = [[] for _ in Figures._fields]
    found[Figures._fields.index("win_probability")] = list(chances)
    return found


def test_legs_with_references_are_one_chance_with_the_oldest_price_and_the_least_trust() -> None:
    legs = evidence(Told(0.5, 0.04, trust=0.9), Told(0.6, 0.05, age_s=30.0, trust=0.7))
    market = none(2)
    assert judge_legs(1, columns(0.55, 0.6), legs, market) == [True, True]
    assert market.of(0) is None
    assert market.of(1) == pytest.approx(Told(0.3, 1.04 * 1.05 - 1, age_s=30.0, trust=0.7, joint=0.33))
    assert market.words == {
        1: "the legs' prices without vig give 30.0 % together, they give 33.0 % with what the model adds"
    }


def test_legs_of_which_one_has_no_reference_have_no_trust_and_no_age_where_none_is_known() -> None:
    market = none(1)
    assert judge_legs(0, columns(0.5, 0.6), evidence(Told(0.5, 0.04, trust=0.9), Told(0.6, 0.05)), market) == [
        True,
        True,
    ]
    together = market.of(0)
    assert together is not None
    assert not together.by_reference
    assert math.isnan(together.age_s)


def test_a_leg_that_is_in_doubt_or_has_no_fair_price_leaves_the_whole_without_one() -> None:
    missing, doubtful = none(2), evidence(Told(0.5, 0.04), Told(0.6, 0.05))
    missing.told[:, 0] = Told(0.5, 0.04)
    missing.warnings.update({1: ["a book is too old", "another too"], 0: ["it can push"]})
    doubtful.doubtful[1] = "stale"
    for legs in (missing, doubtful):
        market = none(1)
        market.warnings[0] = ["of the whole"]
        assert judge_legs(0, columns(0.5, 0.6), legs, market) == [True, False]
        assert market.of(0) is None
        first = ["leg 1: it can push", "leg 2: a book is too old", "leg 2: another too"]
        assert market.warnings[0] == ["of the whole", *(first if legs is missing else ["leg 2: stale"])]
