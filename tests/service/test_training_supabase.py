"""Settled bets from a table that is paged, limited, growing and failing, over real HTTP."""

import json
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from pikkit.errors import ModelError
from pikkit.settings import Settings
from tests.support.receiver import Answer, Call, StandIn
from training.settled.supabase import fetch_settled

KEY = "a.b.c"


def row(number: int) -> dict[str, object]:
    return {
        "id": number,
        "sport": "Basketball",
        "league": "NBA",
        "market": "Moneyline",
        "institution_name": "FanDuel",
        "american_odds": number,
        "is_win": True,
        "roi": 1.0,
        "created_at": f"2026-01-01T00:00:00.{number // 3:06}+00:00",  # some at one moment
    }


def key_of(one: dict[str, object]) -> tuple[str, int]:
    return str(one["created_at"]), int(str(one["id"]))


class Table:
    """PostgREST's answers about a table; `limit` is what the server allows at most."""

    def __init__(self, rows: int, limit: int) -> None:
        self.rows = [row(1000 + i) for i in range(rows)]
        self.limit = limit
        self.grows = False

    def __call__(self, call: Call) -> Answer:
        assert call.headers["apikey"] == KEY
        query = {name: values[0] for name, values in parse_qs(urlsplit(call.path).query).items()}
        assert urlsplit(call.path).path == "/rest/v1/bets"
        assert query["order"].startswith("created_at")
        assert query["order"].split(",")[1].startswith("id")
        page = sorted(self.rows, key=key_of)
        if "or" in query:
            created, identifier = re.findall(r'eq\."(.*?)",id\.gt\."(.*?)"', query["or"])[0]
            page = [one for one in page if key_of(one) > (created, int(identifier))]
        found = page[: min(int(query["limit"]), self.limit)]
        if self.grows:  # a row appears behind the cursor: with offsets it would push one onto the next page
            self.rows.insert(0, row(int(str(self.rows[0]["id"])) - 1))
        return 200, {}, json.dumps(found).encode()


def settings(url: str) -> Settings:
    return Settings(supabase_url=url, supabase_service_key=KEY)


@pytest.mark.parametrize(("rows", "limit", "grows"), [(2500, 1000, False), (2500, 700, False), (2500, 1000, True)])
def test_every_row_is_read_exactly_once(rows: int, limit: int, grows: bool) -> None:
    table = Table(rows, limit)
    table.grows = grows
    with StandIn(table) as server:
        bets, report = fetch_settled(settings(server.url))
    assert bets.bets.odds.tolist() == [1000.0 + i for i in range(rows)]
    assert (report.rows, report.used) == (rows, rows)


def test_pushes_and_open_bets_of_the_table_are_accounted_for() -> None:
    table = Table(3, 1000)
    table.rows[1] |= {"is_win": False, "roi": 0.0}
    table.rows[2]["roi"] = None
    with StandIn(table) as server:
        bets, report = fetch_settled(settings(server.url))
    assert (len(bets), report.rows) == (1, 3)
    assert report.set_aside == {"push or void: the stake came back": 1, "not settled: no result": 1}


def test_a_table_without_its_primary_key_is_refused() -> None:
    with (
        StandIn(lambda _: (200, {}, b'[{"sport": "Tennis"}]')) as server,
        pytest.raises(ModelError, match=r"after 1 rows .*created_at"),
    ):
        fetch_settled(settings(server.url))


def failing(table: Table, at: int, answer: Answer, times: int = 1000) -> Callable[[Call], Answer]:
    """The table, but calls from the one at position `at` on are answered with `answer`, `times` times."""
    calls = [0]

    def respond(call: Call) -> Answer:
        calls[0] += 1
        return answer if at < calls[0] <= at + times else table(call)

    return respond


def test_a_connection_that_breaks_is_tried_again() -> None:
    with StandIn(failing(Table(2500, 1000), 1, None, times=2)) as server:
        bets, _ = fetch_settled(settings(server.url))
    assert len(bets) == 2500


@pytest.mark.parametrize(
    "answer", [None, (500, {}, b'{"message": "statement timeout"}'), (401, {}, b'{"message": "Invalid API key"}')]
)
def test_a_page_that_fails_for_good_fails_the_whole(answer: Answer) -> None:
    with (
        StandIn(failing(Table(2500, 1000), 1, answer)) as server,
        pytest.raises(ModelError, match="after 1,000 rows") as caught,
    ):
        fetch_settled(settings(server.url))
    assert KEY not in str(caught.value)


def test_an_empty_table_is_said_so() -> None:
    with StandIn(Table(0, 1000)) as server, pytest.raises(ModelError, match="empty"):
        fetch_settled(settings(server.url))


def test_without_an_address_and_a_key_nothing_is_asked() -> None:
    with pytest.raises(ModelError, match="SUPABASE_URL"):
        fetch_settled(Settings())
