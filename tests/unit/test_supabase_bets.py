from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import HttpUrl, SecretStr
from supabase import Client, ClientOptions, create_client

from pikkit.errors import ModelError
from pikkit.settings import Settings
from pikkit.supabase_bets import fetch_rows, fetch_settled
from tests.support.postgrest import BetsTable, Row, serving

KEY = "sb_secret_made_for_this_test"


def row(number: int, **other: Any) -> Row:
    return {
        "id": number,
        "sport": "Tennis",
        "league": "ATP",
        "market": "Moneyline",
        "institution_name": "BetMGM",
        "bet_type": "straight",
        "american_odds": 100,
        "is_win": number % 2 == 0,
        "roi": 100.0 if number % 2 == 0 else -100.0,
        "clv_percentage": None,
        "is_live": False,
        "created_at": "2025-10-06T17:52:09+00:00",  # an import: every row has the same time
        **other,
    }


def client_of(handler: Callable[[httpx.Request], httpx.Response]) -> Client:
    http = httpx.Client(transport=httpx.MockTransport(handler))
    return create_client("http://supabase.test", KEY, ClientOptions(httpx_client=http, auto_refresh_token=False))


@pytest.mark.parametrize(("count", "max_rows"), [(0, 10), (1, 10), (10, 10), (95, 10), (95, 7)])
def test_every_row_comes_exactly_once_though_all_have_the_same_time(count: int, max_rows: int) -> None:
    table = BetsTable([row(i) for i in range(count)][::-1], max_rows=max_rows)
    assert [found["id"] for found in fetch_rows(client_of(table.answer), page=10)] == list(range(count))


def test_rows_that_come_and_go_meanwhile_move_no_others() -> None:
    def change(page: int, rows: list[Row]) -> None:
        rows.append(row(1000 + page) if page < 5 else row(-page))
        rows[:] = [kept for kept in rows if kept["id"] != 2 * page]

    table = BetsTable([row(i) for i in range(95)], before=change)
    found = [got["id"] for got in fetch_rows(client_of(table.answer), page=10)]
    assert len(found) == len(set(found))
    assert {i for i in range(95) if i % 2} <= set(found)
    assert {1001, 1002, 1003, 1004} <= set(found)


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_a_failed_page_fails_the_whole_and_says_how_far_it_came(status: int) -> None:
    table = BetsTable([row(i) for i in range(30)])

    def handler(request: httpx.Request) -> httpx.Response:
        answer = table.answer(request)
        refusal = {"message": "no more", "code": "X", "hint": None, "details": None}
        return answer if table.pages < 3 else httpx.Response(status, json=refusal)

    with pytest.raises(ModelError, match="after 20 rows failed"):
        fetch_rows(client_of(handler), page=10)


@pytest.mark.parametrize(("losses", "succeeds"), [(1, True), (9, False)])
def test_a_lost_connection_is_tried_again_and_then_fails_the_whole(losses: int, succeeds: bool) -> None:
    table = BetsTable([row(i) for i in range(30)])
    lost: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if "id" in request.url.params and len(lost) < losses:
            lost.append(request)
            raise httpx.ConnectError("gone", request=request)
        return table.answer(request)

    if succeeds:
        assert len(fetch_rows(client_of(handler), page=10)) == 30
    else:
        with pytest.raises(ModelError, match="after 10 rows failed"):
            fetch_rows(client_of(handler), page=10)
    assert len(lost) == min(losses, 4)


def test_a_table_without_the_primary_key_is_refused() -> None:
    with pytest.raises(ModelError, match="failed"):
        fetch_rows(client_of(lambda _: httpx.Response(200, json=[{"sport": "Tennis"}])))


def settings(url: str) -> Settings:
    return Settings(supabase_url=HttpUrl(url), supabase_service_key=SecretStr(KEY), _env_file=None)


def test_settled_bets_of_the_table_are_read_over_http_and_accounted_for() -> None:
    table = BetsTable([*(row(i) for i in range(2500)), row(2500, is_win=False, roi=0.0), row(2501, roi=None)])
    with serving(table) as url:
        bets, report = fetch_settled(settings(url))
    assert (len(bets), report.rows, table.keys) == (2500, 2502, {KEY})
    assert report.set_aside == {"push or void: the stake came back": 1, "not settled: no result": 1}


def test_an_empty_table_and_missing_settings_are_said() -> None:
    with serving(BetsTable([])) as url, pytest.raises(ModelError, match="empty"):
        fetch_settled(settings(url))
    with pytest.raises(ModelError, match="SUPABASE_URL"):
        fetch_settled(Settings(supabase_url=None, supabase_service_key=None, _env_file=None))
