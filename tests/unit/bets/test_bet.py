from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pikkit.bets.bet import OddsLimits
from pikkit.bets.reading import read_bet, unknown_fields
from pikkit.errors import InvalidBet

GOOD: dict[str, Any] = {
    "sport": "Basketball",
    "league": "NBA",
    "market": "Moneyline",
    "institution_name": "DraftKings",
    "odds": -110,
}


def test_a_bet_needs_five_fields_and_has_defaults_for_the_rest() -> None:
    bet = read_bet(GOOD)
    assert (bet.bet_type, bet.is_live, bet.clv_percentage, bet.placed_at) == ("straight", False, None, None)


def test_outer_blanks_are_not_part_of_a_name() -> None:
    assert read_bet({**GOOD, "sport": "  Basketball\n"}).sport == "Basketball"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("odds", 0), ("odds", 50), ("odds", 99), ("odds", "abc"), ("odds", float("nan")), ("odds", float("inf")),
        ("odds", None), ("odds", True), ("odds", []), ("odds", 100_001),
        pytest.param("odds", 10**5000, id="odds-huge"),
        ("sport", ""), ("sport", "   "), ("sport", "x" * 201), ("sport", 7), ("sport", None),
        ("league", 7), ("market", {}), ("institution_name", []), ("bet_type", 7),
        ("odds_format", "roman"), ("is_live", "perhaps"), ("clv_percentage", "high"),
        ("clv_percentage", float("nan")), ("clv_percentage", 1e6), ("client_ref", "x" * 201), ("client_ref", 1.5),
        ("placed_at", "yesterday"), ("placed_at", 7), ("placed_at", "0001-01-01"),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_by_field_with_a_remedy(field: str, value: object) -> None:
    with pytest.raises(InvalidBet) as caught:
        read_bet({**GOOD, field: value})
    assert caught.value.field == field
    assert field in caught.value.message
    assert "send" in caught.value.message or "check" in caught.value.message
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("field", sorted(GOOD.keys() - {"league"}))
def test_a_missing_field_is_named(field: str) -> None:
    with pytest.raises(InvalidBet, match="missing") as caught:
        read_bet({name: value for name, value in GOOD.items() if name != field})
    assert caught.value.field == field


@pytest.mark.parametrize("data", [None, 7, "bet", [GOOD]])
def test_what_is_no_object_is_no_bet(data: object) -> None:
    with pytest.raises(InvalidBet, match="not a bet"):
        read_bet(data)


@pytest.mark.parametrize(
    ("odds_format", "odds", "american"),
    [("decimal", 1.5, -200), ("fractional", "3/2", 150), ("american", "EVEN", 100)],
)
def test_other_formats_are_read_when_they_are_named(odds_format: str, odds: float | str, american: float) -> None:
    assert read_bet({**GOOD, "odds_format": odds_format, "odds": odds}).odds == pytest.approx(american)


def test_bounds_of_odds_are_a_setting() -> None:
    with pytest.raises(InvalidBet, match="outside"):
        read_bet({**GOOD, "odds": 600}, OddsLimits(100, 500))


@pytest.mark.parametrize("written", [str, float])
def test_the_bounds_themselves_are_accepted(written: Callable[[int], object]) -> None:
    bet = read_bet({**GOOD, "clv_percentage": written(-1000), "line": written(10_000)})
    assert (bet.clv_percentage, bet.line) == (-1000, 10_000)


def test_unknown_fields_are_named_shortened_and_few() -> None:
    names = unknown_fields({**GOOD, "stake": 1, "x" * 100: 2, **{f"z{i}": i for i in range(9)}})
    assert names[0] == "stake"
    assert len(names) == 5
    assert all(len(name) <= 41 for name in names)


MARKET = [{"selection": "MTL", "odds": 120, "line": -1.5}, {"selection": "BOS", "odds": "-140", "line": "\u22121.5"}]
FULL: dict[str, Any] = {
    **GOOD,
    "event": " MTL @ BOS ",
    "selection": "MTL",
    "line": "\u22121.5",
    "starts_at": "2026-01-31T19:30:00",
    "url": "https://sportsbook.example/bet/1",
    "market_prices": MARKET,
    "reference_prices": [{"book": "Pinnacle", "prices": MARKET, "at": "2026-01-31T19:00:00Z"}],
}


def test_a_bet_says_which_it_is_and_what_the_market_says() -> None:
    bet = read_bet(FULL)
    assert (bet.event, bet.selection, bet.line) == ("MTL @ BOS", "MTL", -1.5)
    assert bet.starts_at == datetime(2026, 1, 31, 19, 30, tzinfo=UTC)
    assert bet.market_prices is not None
    assert bet.reference_prices is not None
    assert [(price["odds"], price["line"]) for price in bet.market_prices] == [(120, -1.5), (-140, -1.5)]
    assert bet.reference_prices[0]["prices"] == bet.market_prices


def test_a_bet_is_written_as_json_without_a_warning_whatever_it_holds() -> None:
    leg = {**FULL, "event": "NYR @ NJD", "placed_at": "2026-01-31T18:00:00.250+01:00"}
    written = read_bet({**FULL, "placed_at": "2026-01-31T18:00:00Z", "legs": [FULL, leg]}).model_dump(mode="json")
    assert (written["placed_at"], written["starts_at"]) == ("2026-01-31T18:00:00Z", "2026-01-31T19:30:00Z")
    assert written["reference_prices"][0]["at"] == "2026-01-31T19:00:00Z"
    assert written["legs"][1]["placed_at"] == "2026-01-31T18:00:00.250000+01:00"


def test_every_price_is_in_the_format_of_the_bet() -> None:
    prices = [{"selection": "MTL", "odds": "6/5"}, {"selection": "BOS", "odds": "5/7"}]
    book = [{"book": "x", "prices": prices}]
    bet = read_bet(
        {**GOOD, "odds_format": "fractional", "odds": "6/5", "selection": "MTL", "market_prices": prices}
        | {"reference_prices": book}
    )
    assert bet.market_prices is not None
    assert bet.reference_prices is not None
    assert [price["odds"] for price in bet.market_prices] == pytest.approx([120, -140])
    assert bet.reference_prices[0]["prices"] == bet.market_prices


def test_optional_fields_that_are_null_or_blank_are_absent() -> None:
    optional = FULL.keys() - GOOD.keys() | {"league", "bet_type", "odds_format", "is_live", "clv_percentage", "legs"}
    for nothing in (None, "", "  "):
        bare = read_bet({**GOOD, **dict.fromkeys(optional, nothing)})
        assert bare.model_dump() == read_bet({**GOOD, "league": ""}).model_dump()


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"event": 7}, "event", "text of 1"),
        ({"line": "high"}, "line", "not a line"),
        ({"line": True}, "line", "not a line"),
        ({"starts_at": "soon"}, "starts_at", "not a time"),
        ({"url": "http://x.example"}, "url", "not a link"),
        ({"url": "https://" + "x" * 2000}, "url", "not a link"),
        ({"market_prices": MARKET[:1]}, "market_prices", "2 to 40"),
        ({"market_prices": "x"}, "market_prices", "2 to 40"),
        ({"market_prices": MARKET * 21}, "market_prices", "2 to 40"),
        ({"market_prices": [{"selection": "MTL"}, MARKET[1]]}, "market_prices[0].odds", "missing"),
        ({"market_prices": [{"selection": "", "odds": 1}, MARKET[1]]}, "market_prices[0].selection", "text of 1"),
        (
            {"market_prices": [{"selection": "MTL", "odds": 50}, MARKET[1]]},
            "market_prices[0].odds",
            "50 is not a price",
        ),
        ({"market_prices": [{"selection": "MTL", "odds": True}, MARKET[1]]}, "market_prices[0].odds", "not a price"),
        ({"selection": None}, "selection", "send selection"),
        ({"selection": "NYR"}, "market_prices", "no price for 'NYR'"),
        ({"line": 2.5}, "market_prices", "on the line +2.5"),
        ({"reference_prices": [{"book": "x", "prices": MARKET, "at": 7}]}, "reference_prices[0].at", "not a time"),
        ({"reference_prices": [{"prices": MARKET}]}, "reference_prices[0].book", "missing"),
        ({"reference_prices": [{"book": "x", "prices": MARKET}] * 41}, "reference_prices", "up to 40"),
        ({"legs": [GOOD]}, "legs", "2 to 25"),
        ({"legs": [GOOD, {**GOOD, "odds": 5}]}, "legs[1].odds", "not a price"),
        ({"legs": [GOOD, {**GOOD, "legs": [GOOD, GOOD]}]}, "legs[1]", "no legs of its own"),
        ({"legs": [GOOD, {**GOOD, "market_prices": MARKET}]}, "legs[1].selection", "legs[1].market_prices"),
    ],
)
def test_what_the_market_says_is_refused_by_place_with_a_remedy(changes: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(InvalidBet) as caught:
        read_bet({**FULL, **changes})
    assert caught.value.field == field
    assert said in caught.value.message
