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


def test_unknown_fields_are_named_shortened_and_few() -> None:
    names = unknown_fields({**GOOD, "stake": 1, "x" * 100: 2, **{f"z{i}": i for i in range(9)}})
    assert names[0] == "stake"
    assert len(names) == 5
    assert all(len(name) <= 41 for name in names)
