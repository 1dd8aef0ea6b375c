"""monitoring/supabase/ml_alerts.sql on a real PostgreSQL, and the clients of our tables before it."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from pikkit.alerts.message import Alert
from pikkit.alerts.receivers.port import Claim, Held, Later, Refused
from pikkit.alerts.receivers.supabase import SupabaseTable
from pikkit.supabase_client import project
from tests.support.alerts import an_alert, seen_around_midnight
from tests.support.need import root
from tests.support.postgres import Postgres, PostgREST, postgres
from training.settled.supabase import fetch_rows

SQL = (root() / "monitoring/supabase/ml_alerts.sql").read_text(encoding="utf-8")
SERVICE, ANON, USER = "sb_secret_of_the_service", "sb_publishable_of_anybody", "of-a-user"
FIRST_RELEASE = """
create table public.ml_alerts (alert_id text primary key, grade text not null check (grade in ('A', 'B')),
  bet jsonb not null, prediction jsonb not null, environment text not null, deployment text not null,
  model_version text not null, created_at timestamptz not null, notified_at timestamptz);
insert into public.ml_alerts values ('old', 'A', '{}', '{}', 'test', 'blue', 'm1', now(), null);
"""
_NUMBERS = count()


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture
def database(server: Postgres) -> Postgres:
    server.run("drop schema public cascade; drop schema if exists betting cascade; create schema public;")
    server.run("grant usage on schema public to anon, authenticated, service_role;")
    # As Supabase does, whoever makes a table: everybody may do everything until something says otherwise.
    server.run("alter default privileges in schema public grant all on tables to anon, authenticated, service_role;")
    return server


@pytest.fixture
def api(database: Postgres) -> Iterator[PostgREST]:
    database.run(SQL)
    with PostgREST(database, {SERVICE: "service_role", USER: "authenticated"}) as running:
        yield running


def another(**bet: Any) -> Alert:
    number = next(_NUMBERS)
    made = an_alert(**bet)
    identifier = f"{number:032x}"
    return replace(made, alert_id=identifier, payload={**made.payload, "alert_id": identifier, "identity": identifier})


def test_the_sql_runs_twice_and_adds_what_the_first_releases_table_lacks(database: Postgres) -> None:
    database.run(FIRST_RELEASE)
    database.run(SQL)
    database.run(SQL)
    assert database.run("select alert_id, kind, step, message from ml_alerts") == [("old", "high_grade_bet", 0, None)]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("create table ml_alerts (id bigint primary key, text text)", "lacks .*bet jsonb"),
        (FIRST_RELEASE.replace("bet jsonb", "bet text"), "lacks bet jsonb"),
        (FIRST_RELEASE.replace("text primary key", "text"), "not its primary key"),
    ],
)
def test_a_foreign_table_of_that_name_is_refused_and_left_alone(database: Postgres, table: str, said: str) -> None:
    database.run(table)
    columns = "select column_name from information_schema.columns where table_name = 'ml_alerts' order by 1"
    before = database.run(columns)
    with pytest.raises(psycopg.errors.RaiseException, match=said):
        database.run(SQL)
    assert database.run(columns) == before
    assert database.run("select relrowsecurity from pg_class where relname = 'ml_alerts'") == [(False,)]


@pytest.mark.parametrize("role", ["anon", "authenticated"])
@pytest.mark.parametrize(
    "statement",
    [
        "select * from ml_alerts",
        "insert into ml_alerts (alert_id) values ('x')",
        "update ml_alerts set message = ''",
        "delete from ml_alerts",
    ],
)
def test_nobody_but_the_service_role_reads_or_writes(database: Postgres, role: str, statement: str) -> None:
    database.run(FIRST_RELEASE)
    database.run(SQL)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.run(statement, role=role)
    # Even where somebody grants the table by hand, no policy lets anybody see a row.
    database.run(f"grant select on ml_alerts to {role}")
    assert database.run("select * from ml_alerts", role=role) == []
    assert len(database.run("select * from ml_alerts", role="service_role")) == 1


@pytest.mark.parametrize("key", [ANON, USER])
def test_a_key_of_another_role_is_refused_for_good(api: PostgREST, key: str) -> None:
    with closing(SupabaseTable(api.url, key)) as table, pytest.raises(Refused, match="42501"):
        table.claim(another(), "one", 60)


def test_a_row_has_all_that_the_message_tells(api: PostgREST, database: Postgres) -> None:
    sent = another(url="https://a.example/1")
    with closing(SupabaseTable(api.url, SERVICE)) as table:
        assert table.claim(sent, "one", 60) is Claim.WON
        table.finished(sent)
    [row] = database.run(
        "select grade, event, selection, line, market, institution_name, odds, play_to, url, message, "
        "starts_at = '2026-01-26T13:00:00Z', prediction->>'sample_size', notified_at is not null from ml_alerts"
    )
    assert row[:7] == ("A", "MTL @ BOS", "MTL", -1.5, "Puck Line", "FanDuel", 150)
    assert row[7:] == (136, "https://a.example/1", sent.payload["message"], True, "300", True)


def test_another_schema_holds_the_table_where_it_is_set(database: Postgres) -> None:
    database.run("create schema betting")
    database.run(f"set search_path to betting; {SQL}")
    with (
        PostgREST(database, {SERVICE: "service_role"}) as api,
        closing(SupabaseTable(api.url, SERVICE, schema="betting")) as table,
    ):
        assert table.claim(another(), "one", 60) is Claim.WON
    assert database.run("select count(*) from betting.ml_alerts") == [(1,)]


def test_of_many_hosts_that_claim_at_once_one_wins(api: PostgREST, database: Postgres) -> None:
    alerts = [another() for _ in range(5)]

    def claim(owner: str) -> list[str]:
        outcomes = []
        with closing(SupabaseTable(api.url, SERVICE)) as table:
            for one in alerts:
                try:
                    outcomes.append(f"{one.alert_id} {table.claim(one, owner, 60).value}")
                except Held:
                    outcomes.append("held")
        return outcomes

    with ThreadPoolExecutor(6) as pool:
        outcomes = Counter(word for words in pool.map(claim, "abcdef") for word in words)
    assert outcomes == {"held": 25, **{f"{one.alert_id} won": 1 for one in alerts}}
    assert database.run("select count(*) from ml_alerts") == [(5,)]


def test_a_claim_is_kept_renewed_and_taken_over_after_its_lease(api: PostgREST) -> None:
    sent = another()
    with closing(SupabaseTable(api.url, SERVICE)) as table:
        assert table.claim(sent, "one", 60) is Claim.WON
        assert table.claim(sent, "one", 0.0) is Claim.WON  # it tries again, and this lease ends at once
        assert table.claim(sent, "two", 60) is Claim.WON
        with pytest.raises(Held):
            table.claim(sent, "three", 60)
        table.finished(sent)
        assert table.claim(sent, "three", 60) is Claim.SHOWN


def test_hosts_that_see_a_bet_on_both_sides_of_midnight_show_it_once(api: PostgREST, tmp_path: Path) -> None:
    first, second, improved = seen_around_midnight(tmp_path)
    with closing(SupabaseTable(api.url, SERVICE)) as table:
        assert table.claim(first, "one", 60) is Claim.WON
        with pytest.raises(Held):
            table.claim(second, "two", 60)
        table.finished(first)
        assert table.claim(second, "two", 60) is Claim.SHOWN
        assert table.claim(improved, "two", 60) is Claim.WON


def test_a_table_without_the_new_columns_is_refused_with_the_cause(database: Postgres) -> None:
    database.run(FIRST_RELEASE)
    database.run("grant all on ml_alerts to service_role")
    with (
        PostgREST(database, {SERVICE: "service_role"}) as api,
        closing(SupabaseTable(api.url, SERVICE)) as table,
        pytest.raises(Refused, match="kind"),
    ):
        table.claim(another(starts_at="2026-01-26T13:00:00Z"), "one", 60)


def test_a_database_that_is_away_pauses_the_channel(api: PostgREST) -> None:
    api.away = True
    with closing(SupabaseTable(api.url, SERVICE)) as table, pytest.raises(Later) as caught:
        table.claim(another(), "one", 60)
    assert caught.value.everybody


def test_settled_bets_are_read_once_each_while_rows_come_in_behind_the_cursor(database: Postgres) -> None:
    database.run(
        "create table bets (id uuid primary key default gen_random_uuid(), created_at timestamptz, n int);"
        "insert into bets (created_at, n) select timestamptz '2026-01-01' + (i / 7) * interval '1 us', i "
        "from generate_series(1, 2500) i; insert into bets (n) select i from generate_series(2501, 2510) i;"
        "grant all on bets to service_role"
    )

    def grows(call: Any) -> Any:
        database.run("insert into bets (created_at, n) values ('2025-12-01', -1), ('2025-12-31', -2)")
        return serve(call)

    with PostgREST(database, {SERVICE: "service_role"}) as api, httpx.Client() as http:
        serve, api.answer = api.answer, grows
        rows = fetch_rows(project(api.url, SERVICE, http), page=400)
    numbers = [row["n"] for row in rows if row["n"] > 0]
    assert sorted(numbers) == list(range(1, 2511))
    assert len({row["id"] for row in rows}) == len(rows)
