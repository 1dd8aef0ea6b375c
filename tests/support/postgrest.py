"""Supabase's REST side as far as reading `bets` needs it: filter by id, order, limit, the server's own row limit."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx

Row = dict[str, Any]


class BetsTable:
    """Rows, and what happens before each page: `before(number of the page, rows)` may change them or raise."""

    def __init__(
        self, rows: list[Row], *, max_rows: int = 1000, before: Callable[[int, list[Row]], None] | None = None
    ) -> None:
        self.rows = rows
        self.pages = 0
        self.keys: set[str] = set()
        self._max_rows = max_rows
        self._before = before

    def answer(self, request: httpx.Request) -> httpx.Response:
        """One page."""
        assert request.url.path == "/rest/v1/bets"
        self.keys.add(request.headers["apikey"])
        self.pages += 1
        if self._before:
            self._before(self.pages, self.rows)
        query = request.url.params
        assert query["order"] == "id.asc" or query["order"] == "id"
        after = int(query["id"].removeprefix("gt.")) if "id" in query else -1
        found = sorted((row for row in self.rows if row["id"] > after), key=lambda row: row["id"])
        return httpx.Response(200, json=found[: min(int(query["limit"]), self._max_rows)])


@contextmanager
def serving(table: BetsTable) -> Iterator[str]:
    """Address of a server on loopback that answers for the table."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            response = table.answer(httpx.Request("GET", f"http://host{self.path}", headers=dict(self.headers)))
            body = json.dumps(response.json()).encode()
            self.send_response(response.status_code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
