"""Answers to bets that come with a market: which chance, which return, which grade, and what is said."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pikkit.bets.market import LARGEST_SUM, LEAST_SUM
from pikkit.bets.odds import implied_probability
from pikkit.grading.opinion import Opinion
from tests.support.graded import Models, graded, pinnacle, sides


def test_a_reference_alone_makes_an_a_with_confidence_and_a_stake() -> None:
    [found] = graded({"odds": 120, "selection": "MTL", "reference_prices": pinnacle(-130, 118)})
    assert (found["bet_grade"], found["profitable"], found["fair_method"]) == ("A", True, "reference")
    assert found["confidence"] > 0.7
    assert found["recommended_stake_pct"] > 0
    assert found["fair_probability"] == found["win_probability"]
    assert found["win_probability"] > 0.53
    assert found["model_probability"] == found["implied_probability"]
    assert found["expected_roi"] == pytest.approx(100 * (found["win_probability"] * 2.2 - 1), abs=1e-6)
    assert not any("no betting history" in words for words in found["warnings"])


@pytest.mark.parametrize(("at", "age_s"), [("2026-01-31T11:59:52.876543Z", 7.123457), (None, None)])
def test_the_age_of_a_reference_is_told_to_six_digits(at: str | None, age_s: float | None) -> None:
    books = [{**book, "at": at} for book in pinnacle(-130, 118)]
    [found] = graded({"placed_at": "2026-01-31T12:00:00Z", "selection": "MTL", "reference_prices": books})
    assert (found["fair_method"], found["reference_age_s"]) == ("reference", age_s)


def test_the_market_is_named_first_among_the_reasons() -> None:
    [found] = graded({"odds": 110, "selection": "MTL", "reference_prices": pinnacle(-110, -110)}, explain=True)
    assert found["reasons"][0] == "Pinnacle's prices without vig give 50.0 %, this price asks for 47.6 %"


def test_the_own_market_alone_leaves_the_models_chance_and_shows_the_fair_one() -> None:
    market = sides(("MTL", -110), ("BOS", -110))
    [found] = graded({"selection": "MTL", "market_prices": market}, models=Models(0.45))
    assert (found["win_probability"], found["fair_probability"], found["fair_method"]) == (0.45, 0.5, "market")
    assert found["overround"] == pytest.approx(0.047619)


@pytest.mark.parametrize("together", [True, False])
def test_sides_of_a_market_do_not_both_have_value(together: bool) -> None:
    names, market = ("MTL", "BOS"), sides(("MTL", -110), ("BOS", -110))
    models = Models(0.56)
    if together:
        found = graded(*({"selection": name} for name in names), models=models)
    else:
        found = [graded({"selection": name, "market_prices": market}, models=models)[0] for name in names]
    assert sum(prediction["win_probability"] for prediction in found) <= 1 + 1e-6
    assert [prediction["profitable"] for prediction in found] == [False, False]
    assert [prediction["model_probability"] for prediction in found] == [0.56, 0.56]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"selection": "MTL", "line": -1.5}, {"selection": "BOS", "line": 1.5}, True),
        ({"selection": "MTL", "line": -1.5}, {"selection": "BOS", "line": 2.5}, False),
        ({"selection": "Over", "line": 5.5}, {"selection": "under", "line": 5.5}, True),
        ({"selection": "MTL"}, {"selection": "MTL"}, False),
        ({"selection": "MTL"}, {"selection": "BOS", "event": "MTL @ NYR"}, False),
        ({"selection": "MTL"}, {"selection": "BOS", "is_live": True}, False),
        ({"selection": "MTL", "market": "ML"}, {"selection": "BOS", "market": "Money Line"}, True),
        ({"selection": "MTL", "market": "h2h"}, {"selection": "BOS", "market": "Moneyline"}, True),
        (
            {"selection": "MTL", "institution_name": "Caesars"},
            {"selection": "BOS", "institution_name": "williamhill_us"},
            True,
        ),
        ({"selection": "MTL", "market": "Handicap -1"}, {"selection": "BOS", "market": "Handicap +1"}, False),
        ({"selection": "MTL", "event": "undefined"}, {"selection": "BOS", "event": "undefined"}, False),
        ({"selection": "MTL"}, {"selection": None}, False),
        ({"selection": "A Over", "line": 20.5}, {"selection": "A Under", "line": 20.5}, True),
        ({"selection": "A Over", "line": 20.5}, {"selection": "B Under", "line": 20.5}, False),
        ({"selection": "Over 9.5 · A"}, {"selection": "under 9.5 · A"}, True),
        ({"selection": "Yes", "market": "Both Teams to Score"}, {"selection": "No", "market": "BTTS"}, False),
        ({"selection": "A", "market": "Player Anytime TD"}, {"selection": "B", "market": "Player Anytime TD"}, False),
        ({"selection": "1X", "odds": -400}, {"selection": "X2", "odds": -500}, False),
    ],
)
def test_which_bets_of_a_batch_are_sides_of_one_market(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    first, second = graded(one, other, models=Models(0.6))
    assert (first["win_probability"], second["win_probability"]) == ((0.5, 0.5) if same else (0.6, 0.6))


PRICES = st.floats(-400, 400).filter(lambda odds: abs(odds) >= 100).map(round)


@given(
    st.lists(PRICES, min_size=2, max_size=4),
    st.one_of(st.none(), st.floats(0.05, 0.95)),
    st.sampled_from([None, 0.0, 0.5, 1.0]),
    st.booleans(),
    st.booleans(),
    st.one_of(st.none(), st.lists(PRICES, min_size=4, max_size=4)),
)
@example([104, 104], 0.6, None, False, True, None)
@example([104, 104], None, 0.0, False, True, None)
@example([104, 104], None, 0.0, True, False, None)
@example([105, 103], None, 0.0, True, False, [102, 104, 100, 100])
@example([253, 316, 316, 316], None, None, False, False, None)
def test_of_the_sides_of_a_market_one_at_the_most_is_profitable(
    odds: list[float],
    chance: float | None,
    weight: float | None,
    together: bool,
    own: bool,
    elsewhere: list[float] | None,
) -> None:
    """Of those that came in one batch, or as market_prices of one another; with a reference or without."""
    names = ["MTL", "BOS", "NYR", "NYI"][: len(odds)]
    market = sides(*zip(names, odds, strict=True))
    if sum(implied_probability(float(price)) for price in odds) > LARGEST_SUM:
        return
    bets = [{"selection": name, "odds": price} for name, price in zip(names, odds, strict=True)]
    for bet in bets:
        if own or not together:
            bet["market_prices"] = market
        if elsewhere is not None:
            there = sides(*zip(names, elsewhere[: len(odds)], strict=True))
            bet["reference_prices"] = [{"book": "Pinnacle", "prices": there}]
    opinion = Opinion(weight_market=weight, weight_reference=weight)
    models = Models(chance, beyond=0.03, opinion=opinion)
    found = graded(*bets, models=models) if together else [graded(bet, models=models)[0] for bet in bets]
    possible = sum(implied_probability(float(price)) for price in odds) >= LEAST_SUM
    if together or possible:
        assert sum(prediction["win_probability"] for prediction in found) <= 1 + 1e-6 * len(odds)
        assert sum(prediction["profitable"] for prediction in found) <= 1
    for prediction in found:
        assert prediction["profitable"] == (prediction["bet_grade"] in "ABC")
        assert prediction["profitable"] == (prediction["recommended_stake_pct"] > 0)


def test_two_games_of_the_same_teams_in_one_batch_are_two_markets() -> None:
    bets = [
        {"selection": name, "odds": odds, "market_prices": sides(("MTL", mtl), ("BOS", bos))}
        for mtl, bos in ((-150, 130), (130, -150))
        for name, odds in (("MTL", mtl), ("BOS", bos))
    ]
    models = Models(opinion=Opinion(weight_market=0.0, weight_reference=0.0))
    together = [prediction["win_probability"] for prediction in graded(*bets, models=models)]
    assert together == [graded(bet, models=models)[0]["win_probability"] for bet in bets]


def test_a_side_that_another_one_beats_is_told_so() -> None:
    reference = [{"book": "Pinnacle", "prices": sides(("MTL", -110), ("BOS", -110))}]
    market = sides(("MTL", 104), ("BOS", 103))
    best, other = (
        graded({"selection": name, "odds": odds, "market_prices": market, "reference_prices": reference})[0]
        for name, odds in (("MTL", 104), ("BOS", 103))
    )
    assert (best["profitable"], other["profitable"], other["bet_grade"]) == (True, False, "D")
    assert any("another side of this market promises as much or more" in words for words in other["warnings"])
    assert not any("another side" in words for words in best["warnings"])


def test_prices_of_one_sportsbook_without_a_margin_are_doubted() -> None:
    [found] = graded({"selection": "MTL", "odds": 110, "market_prices": sides(("MTL", 110), ("BOS", 100))})
    assert (found["profitable"], found["recommended_stake_pct"], found["fair_method"]) == (False, 0, "market")
    assert any("add up to 97.6 %, less than any sportsbook asks" in words for words in found["warnings"])


def test_alternates_of_a_spread_are_markets_of_their_own() -> None:
    lines = [("MTL", -1.5), ("BOS", 1.5), ("MTL", 1.5), ("BOS", -1.5)]
    found = graded(*({"selection": name, "line": line} for name, line in lines), models=Models(0.6))
    assert [prediction["win_probability"] for prediction in found] == [0.5] * 4
