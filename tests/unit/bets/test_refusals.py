"""What a refused bet is told, word by word: the field, the value, the rule and the remedy."""

from typing import Any

import pytest
from pydantic import ValidationError

from pikkit.bets.bet import LISTS, OddsLimits
from pikkit.bets.reading import _BET, read_bet
from pikkit.errors import InvalidBet

BARE: dict[str, Any] = {
    "sport": "Ice Hockey",
    "league": "NHL",
    "market": "Moneyline",
    "institution_name": "DraftKings",
    "odds": -110,
}
SIDES = [{"selection": "MTL", "odds": 120, "line": -1.5}, {"selection": "BOS", "odds": -140, "line": -1.5}]
BET = {**BARE, "selection": "MTL", "line": -1.5, "market_prices": SIDES}
BOOK = {"book": "Pinnacle", "prices": SIDES}

AMERICAN = "is not a price in American odds: send -100 or less, or 100 or more"
NUMBER = "number: send odds such as -110, +150 or EVEN"
PRICE = "is not a price: send American odds such as -110 or +150"
FRACTIONAL = "is not a price in fractional odds: send text such as '10/11' or '5/2'"
PLAIN = "no control characters (line breaks, tabs, U+0000)"
TEXT = f"send text of 1 to 200 characters, {PLAIN}"
CLV = "is not a closing line value: send percent between -1000 and 1000, or null while it is unknown"
TIME = "is not a time: send ISO 8601 such as 2026-01-31T19:30:00Z, between 1971 and 2100"
LINE = "is not a line: send a number such as -1.5 or 220.5, or leave it out"
ALL_SIDES = "send 2 to 40 of {selection, odds, line?}: all sides of the market"
BOOKS = "send up to 40 of {book, prices, at?}"
LEGS = "send 2 to 25 bets without legs of their own"
AMONG = "send all sides, the bet's own among them"

TOLD: list[tuple[dict[str, Any], str, str]] = [
    ({"odds": 50}, "odds", f"odds 50 {AMERICAN}"),
    ({"odds": 19}, "odds", f"odds 19 {AMERICAN}; for decimal odds send odds_format=decimal"),
    ({"odds": 20}, "odds", f"odds 20 {AMERICAN}"),
    ({"odds": 0}, "odds", f"odds 0 {AMERICAN}"),
    ({"odds": "abc"}, "odds", f"odds 'abc' is not a {NUMBER}"),
    ({"odds": float("nan")}, "odds", f"odds nan is not a finite {NUMBER}"),
    ({"odds": True}, "odds", f"odds True {PRICE}"),
    ({"odds": []}, "odds", f"odds a list {PRICE}"),
    (
        {"odds": 100_001},
        "odds",
        "odds 100001 are outside ±100 … ±100000 (American): check the price and its odds_format",
    ),
    (
        {"odds_format": "decimal", "odds": 1, "market_prices": None},
        "odds",
        "odds 1 is not a price in decimal odds: send a number above 1, such as 1.91",
    ),
    ({"odds_format": "fractional", "odds": "3"}, "odds", f"odds '3' {FRACTIONAL}"),
    (
        {"odds_format": "roman"},
        "odds_format",
        "odds_format 'roman' is refused: send american, decimal or fractional",
    ),
    ({"sport": ""}, "sport", f"sport '' is refused: {TEXT}"),
    ({"sport": "x" * 201}, "sport", f"sport (201 characters) is refused: {TEXT}"),
    ({"is_live": "perhaps"}, "is_live", "is_live 'perhaps' is neither true nor false: send one of them"),
    ({"clv_percentage": "high"}, "clv_percentage", f"clv_percentage 'high' {CLV}"),
    ({"clv_percentage": 1000.5}, "clv_percentage", f"clv_percentage 1000.5 {CLV}"),
    (
        {"client_ref": 1.5},
        "client_ref",
        f"client_ref 1.5 is refused: send text of at most 200 characters, {PLAIN}, or a whole number",
    ),
    ({"placed_at": "yesterday"}, "placed_at", f"placed_at 'yesterday' {TIME}"),
    ({"placed_at": "1970-12-31T23:59:59Z"}, "placed_at", f"placed_at '1970-12-31T23:59:59Z' {TIME}"),
    ({"placed_at": "2101-01-01T00:00:00Z"}, "placed_at", f"placed_at '2101-01-01T00:00:00Z' {TIME}"),
    ({"line": "high"}, "line", f"line 'high' {LINE}"),
    ({"line": 10_001}, "line", f"line 10001 {LINE}"),
    ({"line": "1_5"}, "line", f"line '1_5' {LINE}"),
    ({"line": "\u0661"}, "line", f"line '\u0661' {LINE}"),
    ({"clv_percentage": "1_0"}, "clv_percentage", f"clv_percentage '1_0' {CLV}"),
    ({"url": "http://x"}, "url", "url 'http://x' is not a link: send https://… of at most 2,000 characters"),
    ({"market_prices": SIDES[:1]}, "market_prices", f"market_prices a list is refused: {ALL_SIDES}"),
    (
        {"market_prices": [{"selection": "MTL"}, SIDES[1]]},
        "market_prices[0].odds",
        "market_prices[0].odds is missing: send American odds such as -110 or +150",
    ),
    (
        {"market_prices": [SIDES[0], {**SIDES[1], "odds": 50}]},
        "market_prices[1].odds",
        f"market_prices[1].odds 50 {AMERICAN}",
    ),
    (
        {"reference_prices": [BOOK, {**BOOK, "prices": [SIDES[0], {**SIDES[1], "odds": "x"}]}]},
        "reference_prices[1].prices[1].odds",
        f"reference_prices[1].prices[1].odds 'x' is not a {NUMBER}",
    ),
    ({"selection": None}, "selection", "market_prices need the bet's own selection: send selection"),
    ({"selection": "NYR"}, "market_prices", f"market_prices have no price for 'NYR' on the line -1.5: {AMONG}"),
    ({"line": 2.5}, "market_prices", f"market_prices have no price for 'MTL' on the line +2.5: {AMONG}"),
    ({"line": None, "selection": "NYR"}, "market_prices", f"market_prices have no price for 'NYR': {AMONG}"),
    ({"reference_prices": [{**BOOK, "at": 7}]}, "reference_prices[0].at", f"reference_prices[0].at 7 {TIME}"),
    (
        {"reference_prices": [{"prices": SIDES}]},
        "reference_prices[0].book",
        f"reference_prices[0].book is missing: {TEXT}",
    ),
    ({"reference_prices": [BOOK] * 41}, "reference_prices", f"reference_prices a list is refused: {BOOKS}"),
    ({"legs": [BARE]}, "legs", f"legs a list is refused: {LEGS}"),
    ({"legs": [BARE, 7]}, "legs[1]", f"legs[1] 7 is refused: {LEGS}"),
    ({"legs": [BARE, {**BARE, "odds": 50}]}, "legs[1].odds", f"legs[1].odds 50 {AMERICAN}"),
    (
        {"legs": [BARE, {**BARE, "legs": [BARE, BARE]}]},
        "legs[1]",
        "legs[1] a leg has no legs of its own: send each as a leg",
    ),
    (
        {"legs": [BARE, {**BARE, "market_prices": SIDES}]},
        "legs[1].selection",
        "legs[1].market_prices need the bet's own selection: send selection",
    ),
]


@pytest.mark.parametrize(("changes", "field", "message"), TOLD)
def test_a_refused_bet_is_told_what_to_send(changes: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(InvalidBet) as caught:
        read_bet({**BET, **changes})
    assert (caught.value.field, caught.value.message) == (field, message)


def test_what_is_no_bet_at_all_is_told_what_one_is() -> None:
    with pytest.raises(InvalidBet) as caught:
        read_bet(7)
    told = "7 is not a bet: send an object with sport, league, market, institution_name, odds"
    assert (caught.value.field, caught.value.message) == (None, told)


def test_bounds_of_odds_are_those_that_are_set_and_both_belong_to_them() -> None:
    limits = OddsLimits(150, 500)
    for odds in (150, 500, -150, -500):
        assert read_bet({**BARE, "odds": odds}, limits).odds == odds
    for odds in (149, 501, -149, -501):
        with pytest.raises(InvalidBet, match=r"outside ±150 … ±500 \(American\)"):
            read_bet({**BARE, "odds": odds}, limits)


@pytest.mark.parametrize("nothing", [None, "", " \t"])
def test_what_is_empty_is_absent_in_a_bet_and_in_what_it_holds(nothing: object) -> None:
    book = {**BOOK, "at": nothing, "prices": [{**side, "line": nothing} for side in SIDES]}
    sides = [{**side, "line": nothing} for side in SIDES]
    bet = {**BET, "line": nothing, "placed_at": nothing, "legs": [], "market_prices": sides, "reference_prices": [book]}
    plain = {
        **BET,
        "line": None,
        "market_prices": [{"selection": side["selection"], "odds": side["odds"]} for side in SIDES],
    }
    read = read_bet(bet)
    assert (read.line, read.placed_at, read.legs) == (None, None, None)
    assert read.market_prices == read_bet(plain).market_prices
    assert read.reference_prices is not None
    assert read.reference_prices[0]["at"] is None
    assert read_bet({**BARE, "client_ref": nothing}).client_ref is None
    assert vars(read_bet({**BARE, "market_prices": [], "legs": []})) == vars(read_bet(BARE))


@pytest.mark.parametrize("minus", ["-", "\u2212", "\u2013", "\uff0d"])
def test_a_minus_is_a_minus_wherever_a_number_is_text(minus: str) -> None:
    text = {"odds": f"{minus}140", "line": f" {minus}1.5 ", "clv_percentage": f"{minus}2"}
    side = {"selection": "BOS", "odds": f"{minus}140", "line": f"{minus}1.5"}
    read = read_bet({**BET, **text, "market_prices": [SIDES[0], side]})
    assert (read.odds, read.line, read.clv_percentage) == (-140, -1.5, -2)
    assert read.market_prices is not None
    assert dict(read.market_prices[1]) == {"selection": "BOS", "odds": -140, "line": -1.5}


@pytest.mark.parametrize(("odds_format", "odds"), [("decimal", 1.7), ("fractional", "7/10")])
def test_other_prices_are_american_to_the_millionth(odds_format: str, odds: object) -> None:
    assert read_bet({**BARE, "odds_format": odds_format, "odds": odds}).odds == -142.857143


@pytest.mark.parametrize("item", [{}, 1, {"selection": "a"}])
@pytest.mark.parametrize("place", ["legs", "market_prices", "reference_prices", "prices", "legs.market_prices"])
def test_a_long_list_of_what_is_wrong_costs_its_first_item(place: str, item: object) -> None:
    many = [item] * 10_000
    within: dict[str, dict[str, Any]] = {
        "prices": {"reference_prices": [{"book": "Circa", "prices": many}]},
        "legs.market_prices": {"legs": [{"market_prices": many}, {}]},
    }
    with pytest.raises(ValidationError) as refused:
        _BET.validate_python({"selection": "a", "odds": 150, **within.get(place, {place: many})})
    assert refused.value.error_count() < 50
    assert {"legs", "market_prices", "reference_prices"} == LISTS
