"""Bets that are read together are the bets, or the errors, that they are alone."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from pikkit.bets.bet import Bet, OddsLimits
from pikkit.bets.bet import given as without_nothing
from pikkit.bets.reading import read_bet, read_bets
from pikkit.errors import InvalidBet

BET = {"sport": "Basketball", "league": "NBA", "market": "Moneyline", "institution_name": "DraftKings", "odds": -110}
LIMITS = OddsLimits(110, 5000)

values: dict[str, st.SearchStrategy[Any]] = {
    "sport": st.sampled_from(["Tennis", " Golf ", "", 7, None, "x" * 201]),
    "bet_type": st.sampled_from(["straight", "parlay", None]),
    "odds_format": st.sampled_from(["american", "decimal", "Decimal", None]),
    "odds": st.sampled_from([-110, 150.5, 100, -100, 99.9, 5000, 5001, 10**9, -(10**9), 10**400, 1.91])
    | st.sampled_from([float("inf"), float("nan"), True, "+150", "EVEN", "", None, [], {}]),
    "is_live": st.sampled_from([True, False, "true", "False", 1, 0, None, "yes"]),
    "clv_percentage": st.sampled_from([None, 1, -2.5, "3.5", 1000, 1000.1, float("nan"), True, [], 10**400]),
    "client_ref": st.sampled_from([None, "mine", 7, True, 1.5, "x" * 201]),
    "placed_at": st.sampled_from([None, "2026-01-31T19:30:00Z", "2026-01-31", "1970-01-01", 7, ""]),
    "other": st.just(1),
}
bets = st.fixed_dictionaries({}, optional=values).map(lambda more: {**BET, **more})
raw: st.SearchStrategy[list[Any]] = st.lists(
    bets | st.sampled_from([BET, BET, BET, {}, "no bet", None, []]), min_size=1, max_size=4
)


def alone(data: object) -> Any:
    try:
        return facts(read_bet(data, LIMITS))
    except InvalidBet as error:
        return facts(error)


def facts(found: Bet | InvalidBet) -> Any:
    return found.body() if isinstance(found, InvalidBet) else (found.model_dump(), repr(found.odds))


prices = st.sampled_from(
    [-110, 150.5, -100, 100, 0, "+150", "EVEN", "6/5", "1.91", 2.5, 10**9, True, None, float("inf")]
)
sides = st.lists(
    st.fixed_dictionaries(
        {"selection": st.sampled_from(["MTL", " BOS "]), "odds": prices},
        optional={"line": st.sampled_from([None, -1.5, 2, "1.5", -0.0]), "other": st.just(1)},
    ),
    max_size=3,
)
with_prices = st.fixed_dictionaries(
    {"odds": prices, "market_prices": sides},
    optional={
        "selection": st.sampled_from(["BOS", " mtl ", "NYR", None]),
        "odds_format": st.sampled_from(["american", "decimal", "fractional"]),
        "reference_prices": st.lists(st.fixed_dictionaries({"book": st.just("X"), "prices": sides}), max_size=2),
    },
).map(lambda more: {**BET, "selection": "MTL", **more})


@given(with_prices)
def test_prices_are_read_as_the_rules_of_the_fields_have_it(data: dict[str, Any]) -> None:
    try:
        expected = Bet.model_validate(without_nothing(data))
    except ValidationError:
        with pytest.raises(InvalidBet):
            read_bet(data)
        return
    with suppress(InvalidBet):  # its own side is missing, or its odds are beyond what is accepted
        assert facts(read_bet(data)) == facts(expected)


@example([{**BET, "market_prices": [{"selection": name, "odds": -110} for name in ("MTL", "BOS")]}])
@given(raw | st.lists(with_prices, min_size=1, max_size=3))
def test_bets_read_together_are_what_each_is_alone(data: list[Any]) -> None:
    assert [facts(found) for found in read_bets(data, LIMITS)] == [alone(item) for item in data]


@pytest.mark.parametrize("more", [{}, {"placed_at": "2026-01-31T19:30:00Z"}, {"odds": "+150", "is_live": "true"}])
def test_a_hundred_good_bets_are_bets(more: dict[str, Any]) -> None:
    found = read_bets([{**BET, **more}] * 100)
    assert len(found) == 100
    assert all(isinstance(bet, Bet) for bet in found)
