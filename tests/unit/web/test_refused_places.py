"""Every value of a bet, however deep it stands, is named by its place where it is refused; on every route alike."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest

from pikkit.bets.shown import field_at
from pikkit.grading.grader import Grader
from pikkit.grading.predictor import Predictor
from tests.support.web import Web

Place: TypeAlias = tuple[int | str, ...]

PRICES = [{"selection": "MTL", "odds": 120, "line": 1.5}, {"selection": "BOS", "odds": -140, "line": -1.5}]
WITH_PRICES = {
    "sport": "Ice Hockey",
    "league": "NHL",
    "market": "Puck Line",
    "institution_name": "BetMGM",
    "odds": 120,
    "odds_format": "american",
    "selection": "MTL",
    "line": 1.5,
    "market_prices": PRICES,
    "reference_prices": [{"book": book, "prices": PRICES, "at": "2026-01-31T19:30:00Z"} for book in ("Pinnacle", "X")],
}
BET: dict[str, Any] = {
    **WITH_PRICES,
    "bet_type": "parlay",
    "is_live": False,
    "clv_percentage": 1.5,
    "client_ref": "mine",
    "event": "MTL @ BOS",
    "placed_at": "2026-01-31T19:30:00Z",
    "starts_at": "2026-01-31T20:30:00Z",
    "url": "https://book.example/1",
    "legs": [WITH_PRICES, WITH_PRICES],
}
LISTS = ("market_prices", "reference_prices", "legs")
AGAIN = "@"
WEB = Web(grader=Grader(Predictor(), SimpleNamespace(current=object()), clock=lambda: 0.0))


def places(value: Any, *before: int | str) -> Iterator[Place]:
    """Of everything in it; of a list, in its last."""
    inside = value.items() if isinstance(value, dict) else [*enumerate(value)][-1:] if isinstance(value, list) else ()
    for place, one in inside:
        yield (*before, place)
        yield from places(one, *before, place)


def at(data: Any, place: Place) -> Any:
    for one in place:
        data = data[one]
    return data


def answers(bet: dict[str, Any], place: Place) -> Iterator[Any]:
    """What a bet is answered on each route that reads all of it; a name that ends with @ is sent without."""

    def text(value: Any) -> str:
        return json.dumps(value).replace(f'{AGAIN}"', '"')

    headers = {"content-type": "application/json"}
    yield WEB.send("POST", "/api/v1/predict", content=text(bet), headers=headers).json()["error"]
    sent = text({"bets": ["no bet", bet]})
    errors = WEB.send("POST", "/api/v1/batch-predict", content=sent, headers=headers).json()["errors"]
    assert [error["index"] for error in errors] == [0, 1]
    yield errors[1]["error"]
    if place[0] in LISTS:  # else a parameter is a text
        query = {name: value if isinstance(value, str) else text(value) for name, value in bet.items()}
        yield WEB.send("GET", "/api/v1/predict", params=query).json()["error"]


@pytest.mark.parametrize("place", list(places(BET)), ids=field_at)
def test_what_is_refused_is_named_by_its_place(place: Place) -> None:
    bet = json.loads(json.dumps(BET))
    at(bet, place[:-1])[place[-1]] = 7 if place[-1] == "is_live" else True  # which no other field may be
    for error in answers(bet, place):
        assert error["field"] == field_at(place)
        assert error["message"].startswith(f"{field_at(place)} ")


@pytest.mark.parametrize("place", [one for one in places(BET) if one[-1] in ("sport", "odds", "book")], ids=field_at)
def test_what_is_given_twice_is_named_by_its_place(place: Place) -> None:
    bet = json.loads(json.dumps(BET))
    at(bet, place[:-1])[f"{place[-1]}{AGAIN}"] = 1
    for error in answers(bet, place):
        assert error["field"] == field_at(place)
        assert error["message"] == f"{field_at(place)} is given twice: send it once"


@pytest.mark.parametrize(
    ("sent", "field", "words"),
    [
        ("[", "legs", "legs is not JSON (EOF"),
        ("7", "legs", "legs 7 is refused: send 2 to 25 bets"),
        (" ", "odds", "odds is missing: send"),  # legs that are blank are absent
    ],
)
def test_a_list_in_the_query_is_named_by_its_parameter(sent: str, field: str, words: str) -> None:
    bet = {name: BET[name] for name in ("sport", "league", "market", "institution_name")}
    error = (
        Web(grader=Grader(Predictor(), SimpleNamespace(current=object()), clock=lambda: 0.0))
        .send("GET", "/api/v1/predict", params={**bet, **({"odds": "-110"} if sent.strip() else {}), "legs": sent})
        .json()["error"]
    )
    assert (error["code"], error["field"]) == ("invalid_bet", field)
    assert error["message"].startswith(words)
