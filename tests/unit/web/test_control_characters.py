"""No control character in a value gets past the edge, whatever the field and the route; in a batch it costs its bet."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from pikkit.bets.bet import Bet
from pikkit.bets.reading import read_bet
from pikkit.errors import InvalidBet
from pikkit.grading.grader import Grader
from pikkit.web.legacy import FIELDS
from tests.support.samples import a_model_set, a_prediction
from tests.support.web import Web

CHARACTERS = "\x00\n\t\r\x1b\x1f\x7f\x85\x9f"
SIDES = [{"selection": "MTL", "odds": 150, "line": -1.5}, {"selection": "BOS", "odds": -170, "line": 1.5}]
PLAIN: dict[str, Any] = {
    "sport": "Ice Hockey",
    "league": "NHL",
    "market": "Puck Line",
    "institution_name": "FanDuel",
    "bet_type": "straight",
    "odds": "+150",
    "odds_format": "american",
    "is_live": "false",
    "clv_percentage": "1.5",
    "client_ref": "row 7",
    "placed_at": "2026-01-26 12:00",
    "event": "MTL @ BOS",
    "selection": "MTL",
    "line": "-1.5",
    "starts_at": "2026-01-26 13:00",
    "url": "https://book.example/bet",
}
LEG = {"sport": "Tennis", "league": "ATP", "market": "Moneyline", "institution_name": "FanDuel", "odds": -110}
WHOLE = {
    **PLAIN,
    "market_prices": SIDES,
    "reference_prices": [{"book": "Pinnacle", "prices": SIDES, "at": "2026-01-26 11:59"}],
    "legs": [{name: value for name, value in PLAIN.items() if name != "client_ref"}, LEG],
}


class Predictor:
    """Keeps the bets that came so far."""

    def __init__(self) -> None:
        self.bets: list[Bet] = []

    def predict(self, _models: object, bets: Sequence[Bet], _now: float, **_options: bool) -> list[Any]:
        self.bets += bets
        return [{**a_prediction("C"), "warnings": []} for _ in bets]


def texts(value: Any, *path: str | int) -> list[tuple[str | int, ...]]:
    """Where a text stands in the bet."""
    if isinstance(value, str):
        return [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    return [found for name, item in items for found in texts(item, *path, name)]


def changed(value: Any, path: Sequence[str | int], text: str) -> Any:
    """A copy with this text at that place."""
    if not path:
        return text
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(copy[path[0]], path[1:], text)
    return copy


def written(path: Sequence[str | int]) -> str:
    return str(path[0]) + "".join(f"[{place}]" if isinstance(place, int) else f".{place}" for place in path[1:])


def query(bet: Mapping[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in bet.items()}


async def errors_of(http: httpx.AsyncClient, bets: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """By route: the errors that the bets got, None for what was graded; two good ones stand around them in batches."""
    batch = {"bets": [PLAIN, *bets, PLAIN]}
    told = (await http.post("/api/v1/batch-predict", json=batch)).json()
    by_index = {item["index"]: item["error"] for item in told["errors"]}
    legacy = (await http.post("/batch-predict", json=batch)).json()["predictions"]
    batches = {
        "batch": [by_index.get(index) for index in range(len(bets) + 2)],
        "legacy batch": [one.get("error") for one in legacy],
    }
    for errors in batches.values():
        assert errors[0] is errors[-1] is None
    singles: dict[str, list[Any]] = {"POST": [], "GET": [], "legacy": []}
    for bet in bets[:2]:
        for name, answer in (
            ("POST", await http.post("/api/v1/predict", json=bet)),
            ("GET", await http.get("/api/v1/predict", params=query(bet))),
            ("legacy", await http.get("/ml-predict", params=query(bet))),
        ):
            singles[name].append(answer.json().get("error"))
    return singles | {name: errors[1:-1] for name, errors in batches.items()}


def graded_by(predictor: Any) -> Web:
    return Web(grader=Grader(predictor, SimpleNamespace(current=a_model_set()), clock=lambda: 0.0))


def asked(predictor: Predictor, bets: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    async def scenario() -> dict[str, list[Any]]:
        async with graded_by(predictor).client() as http:
            return await errors_of(http, bets)

    return asyncio.run(scenario())


@pytest.mark.parametrize("path", texts(WHOLE), ids=written)
def test_a_control_character_is_refused_by_its_field_on_every_route(path: Sequence[str | int]) -> None:
    predictor, text = Predictor(), value_at(path)
    place = text.index(" ") if " " in text else len(text) // 2  # between date and time anything may stand
    odd = [text[:place] + one + text[place + (" " in text) :] for one in CHARACTERS]
    found = asked(predictor, [changed(WHOLE, path, one) for one in odd])
    for route, errors in found.items():
        for error, character in zip(errors, CHARACTERS, strict=False):
            if "legacy" in route and path[0] not in FIELDS:
                assert error is None  # ignored there, as all that came later is
                continue
            assert error is not None, (route, character)
            assert (error["code"], error["field"]) == ("invalid_bet", written(path)), (route, character)
            assert "send" in error["message"]
            assert character not in error["message"]
    assert not any(set(value) & set(CHARACTERS) for bet in predictor.bets for value in values(bet.model_dump()))


def test_a_bet_without_them_is_graded_on_every_route() -> None:
    found = asked(Predictor(), [WHOLE])
    assert len(found) == 5
    assert all(errors == [None] for errors in found.values()), found


def values(data: Any) -> list[str]:
    """All texts in it."""
    return [value_at(path, data) for path in texts(data)]


def value_at(path: Sequence[str | int], within: Any = WHOLE) -> str:
    value = within
    for place in path:
        value = value[place]
    return str(value)


def test_the_table_above_has_every_field_that_can_be_text() -> None:
    fields = {str(path[-1]) for path in texts(WHOLE)}
    assert fields | {"market_prices", "reference_prices", "legs"} == {*Bet.model_fields, "book", "at"}


@pytest.mark.parametrize("field", ["sport", "event", "selection", "client_ref"])
def test_the_error_says_the_rule_and_shows_the_value_escaped(field: str) -> None:
    with pytest.raises(InvalidBet, match="no control characters") as caught:
        read_bet({**PLAIN, field: "a\nb"})
    assert r"'a\nb'" in caught.value.message


def test_names_of_unknown_fields_and_parameters_are_told_escaped() -> None:
    warnings = (
        graded_by(Predictor()).send("POST", "/api/v1/predict?a%0Ab=1", json={**PLAIN, "c\nd": 1}).json()["warnings"]
    )
    assert warnings == [r"unknown fields are ignored: c\nd", r"unknown query parameters are ignored: a\nb"]
