"""The calls that the extension in the field makes, replayed from a table."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.server import Server

pytestmark = pytest.mark.system

NAMES = "sport=Basketball&league=NBA&market=Moneyline&institution_name=DraftKings"

# query string -> what is answered: implied probability of the price that was understood, or the field that is wrong
CASES: list[tuple[str, float | str]] = [
    (f"{NAMES}&is_live=false&clv_percentage=0", 0.52381),
    (f"{NAMES}&odds=-110&is_live=false&clv_percentage=0", 0.52381),
    (f"{NAMES}&odds=", 0.52381),
    (f"{NAMES}&odds=+150", 0.4),  # a plus is a blank in a query
    (f"{NAMES}&odds=%2B150", 0.4),
    (f"{NAMES}&odds=150", 0.4),
    (f"{NAMES}&odds=EVEN", 0.5),
    (f"{NAMES}&odds=undefined", 0.52381),
    (f"{NAMES}&odds=NaN", 0.52381),
    (f"{NAMES}&odds=null", 0.52381),
    (f"{NAMES}&is_live=True", 0.52381),
    (f"{NAMES}&is_live=FALSE", 0.52381),
    (f"{NAMES}&is_live=", 0.52381),
    (f"{NAMES}&clv_percentage=NaN", 0.52381),
    (f"{NAMES}&clv_percentage=", 0.52381),
    (f"{NAMES}&clv_percentage=undefined", 0.52381),
    (f"{NAMES}&bet_type=&user_id=7&_=1699999", 0.52381),
    (f"{NAMES}&bet_type=single", 0.52381),
    (NAMES.replace("league=NBA", "league=undefined"), 0.52381),
    (NAMES.replace("league=NBA", "league=null"), 0.52381),
    (NAMES.replace("league=NBA", "league="), "league"),
    (NAMES.replace("sport=Basketball&", ""), "sport"),
    (NAMES.replace("&market=Moneyline", ""), "market"),
    (NAMES.replace("&institution_name=DraftKings", ""), "institution_name"),
    ("", "sport"),
    (f"{NAMES}&odds=abc", "odds"),
    (f"{NAMES}&odds=1.91", "odds"),
    (f"{NAMES}&odds=0", "odds"),
    (f"{NAMES}&is_live=perhaps", "is_live"),
    (f"{NAMES}&clv_percentage=high", "clv_percentage"),
]


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        Server(tmp_path_factory.mktemp("legacy"), ACCESS_LOG=0) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        yield client


@pytest.mark.parametrize(("query", "expected"), CASES)
def test_a_legacy_get_is_answered_as_before(http: httpx.Client, query: str, expected: float | str) -> None:
    answer = http.get(f"/ml-predict?{query}")
    if isinstance(expected, str):
        assert answer.status_code == 400
        assert answer.json()["error"]["field"] == expected
        return
    assert answer.status_code == 200, answer.text
    prediction = answer.json()
    assert prediction["implied_probability"] == pytest.approx(expected, abs=1e-5)
    assumed = any("-110 is assumed" in warning for warning in prediction["warnings"])
    assert assumed == (expected == 0.52381 and "odds=-110" not in query)


def test_a_legacy_batch_answers_in_the_order_of_its_bets(http: httpx.Client) -> None:
    good: dict[str, Any] = {"sport": "Basketball", "league": "NBA", "market": "Moneyline", "institution_name": "X"}
    live = {**good, "odds": "+150", "is_live": "true"}
    bets = [good, live, {**good, "odds": 7}, None, {**good, "clv_percentage": "NaN"}]
    answer = http.post("/batch-predict", json={"bets": bets}).json()
    assert answer["count"] == 5
    assert [sorted(result) == ["error"] for result in answer["predictions"]] == [False, False, True, True, False]
    assert answer["predictions"][1]["implied_probability"] == 0.4
    assert answer["predictions"][2]["error"]["field"] == "odds"
