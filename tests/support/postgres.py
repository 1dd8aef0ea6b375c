"""A real PostgreSQL on loopback, with the roles that Supabase has, and before it a stand-in for PostgREST.

The stand-in translates what Supabase's client sends to SQL as PostgREST's documentation has it: filters, `on_conflict`,
`Prefer`, profiles (schemas), roles by key, statuses and bodies of errors.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import psycopg
from psycopg import sql

from tests.support.need import need
from tests.support.receiver import Answer, Call, StandIn

__all__ = ["PostgREST", "Postgres", "postgres"]

_OPERATORS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_RLS, _NO_TABLE = "42501", "42P01"


class Postgres:
    """A running server; `dsn` reaches it as its superuser."""

    def __init__(self, folder: Path) -> None:
        self.dsn = f"host={folder} user=postgres dbname=postgres"

    def run(self, statements: str, *, role: str = "") -> list[tuple[Any, ...]]:
        """Execute statements, as `role`; the rows of the last one."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            if role:
                connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            cursor = connection.execute(statements.encode())
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server of its own, gone afterwards."""
    programs = Path(need("initdb")).resolve().parent
    folder = Path(tempfile.mkdtemp(prefix="pikkit-pg-"))
    data = folder / "data"
    as_user: list[str | Path] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(folder, "postgres", "postgres")
    try:
        options = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]
        subprocess.run(
            [*as_user, programs / "initdb", *options, f"--pgdata={data}"],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        settings = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        control = [*as_user, programs / "pg_ctl", f"--pgdata={data}", "--wait"]
        subprocess.run(
            [*control, f"--options={settings}", f"--log={folder}/log", "start"],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        try:
            server = Postgres(folder)
            server.run("create role anon; create role authenticated; create role service_role bypassrls;")
            yield server
        finally:
            subprocess.run([*control, "--mode=immediate", "stop"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class PostgREST(StandIn):
    """`roles`: which role a key has; others are anon's."""

    def __init__(self, server: Postgres, roles: dict[str, str]) -> None:
        super().__init__(self._serve)
        self.away = False
        self._dsn = server.dsn
        self._roles = roles
        self._local = threading.local()

    def _serve(self, call: Call) -> Answer:
        if self.away:
            return 503, {}, b'{"code": "PGRST000", "message": "Could not connect with the database"}'
        role = self._roles.get(call.headers.get("apikey", ""), "anon")
        profile = "accept-profile" if call.method in ("GET", "HEAD") else "content-profile"
        schema = call.headers.get(profile) or "public"
        try:
            with psycopg.connect(self._dsn) as connection:
                connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
                return _answer(connection, call, schema)
        except psycopg.Error as error:
            code = error.sqlstate or "XX000"
            said = error.diag.message_primary
            status = {_RLS: 403, _NO_TABLE: 404, "53300": 503}.get(code, 400)
            return status, {}, json.dumps({"code": code, "message": said, "details": None, "hint": None}).encode()


def _answer(connection: psycopg.Connection, call: Call, schema: str) -> Answer:
    parts = urlsplit(call.path)
    query = dict(parse_qsl(parts.query))
    table = sql.Identifier(schema, parts.path.removeprefix("/rest/v1/"))
    prefer = call.headers.get("prefer", "")
    where = sql.SQL(" and ").join([sql.SQL("true"), *(_filter(name, value) for name, value in query.items())])
    statement: sql.Composable
    match call.method:
        case "GET":
            columns = query.get("select", "*")
            wanted = sql.SQL("*") if columns == "*" else sql.SQL(",").join(map(sql.Identifier, columns.split(",")))
            statement = sql.SQL("select {} from {} where {} {} limit {}").format(
                wanted, table, where, _order(query.get("order", "")), sql.Literal(int(query.get("limit", 1000)))
            )
        case "POST":
            rows = json.loads(call.body)
            rows = rows if isinstance(rows, list) else [rows]
            names = [sql.Identifier(name) for name in rows[0]]
            conflict: sql.Composable = sql.SQL("")
            if "on_conflict" in query:
                news = [sql.SQL("{0} = excluded.{0}").format(name) for name in names]
                merged = sql.SQL("do update set {}").format(sql.SQL(",").join(news))
                merges = "merge-duplicates" in prefer
                conflict = sql.SQL("on conflict ({}) {}").format(
                    sql.Identifier(query["on_conflict"]), merged if merges else sql.SQL("do nothing")
                )
            statement = sql.SQL(
                "insert into {0} ({1}) select {1} from json_populate_recordset(null::{0}, {2}) {3} returning *"
            ).format(table, sql.SQL(",").join(names), sql.Literal(json.dumps(rows)), conflict)
        case _:
            news = json.loads(call.body)
            names = [sql.Identifier(name) for name in news]
            statement = sql.SQL(
                "update {0} set {1} from (select * from json_populate_recordset(null::{0}, {2})) as new "
                "where {3} returning {0}.*"
            ).format(
                table,
                sql.SQL(",").join(sql.SQL("{0} = new.{0}").format(name) for name in names),
                sql.Literal(json.dumps([news])),
                sql.SQL(" and ").join(
                    [sql.SQL("true"), *(_filter(name, value, table) for name, value in query.items())]
                ),
            )
    found = connection.execute(
        sql.SQL("with r as ({}) select coalesce(json_agg(r), '[]')::text from r").format(statement)
    ).fetchone()
    assert found
    if call.method != "GET" and "return=minimal" in prefer:
        return (201 if call.method == "POST" else 204), {}, b""
    return (201 if call.method == "POST" else 200), {}, str(found[0]).encode()


def _order(order: str) -> sql.Composable:
    if not order:
        return sql.SQL("")
    keys = []
    for one in order.split(","):
        name, *how = one.split(".")
        keys.append(sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL("desc" if "desc" in how else "asc")))
    return sql.SQL("order by {}").format(sql.SQL(",").join(keys))


def _filter(name: str, value: str, table: sql.Composable | None = None) -> sql.Composable:
    """`column=operator.value`, or `or=(…)` and `and=(…)` of such."""
    if name in ("select", "order", "limit", "on_conflict", "columns"):
        return sql.SQL("true")
    if name in ("or", "and"):
        inner = [_term(one, table) for one in _split(value[1:-1])]
        return sql.SQL("({})").format(sql.SQL(f" {name} ").join(inner))
    return _term(f"{name}.{value}", table)


def _term(term: str, table: sql.Composable | None) -> sql.Composable:
    joined = re.fullmatch(r"(or|and)(\(.*\))", term)
    if joined:
        return _filter(joined[1], joined[2], table)
    name, operator, value = term.split(".", 2)
    column = sql.SQL("{}.{}").format(table, sql.Identifier(name)) if table else sql.Identifier(name)
    if operator == "is":
        return sql.SQL("{} is {}").format(column, sql.SQL({"null": "null", "true": "true"}[value]))
    return sql.SQL("{} {} {}").format(column, sql.SQL(_OPERATORS[operator]), sql.Literal(value.strip('"')))


def _split(terms: str) -> list[str]:
    """At commas outside of brackets and quotation marks."""
    parts, depth, quoted = [""], 0, False
    for one in terms:
        quoted ^= one == '"'
        depth += (one == "(") - (one == ")") if not quoted else 0
        if one == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += one
    return parts
