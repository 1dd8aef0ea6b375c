"""Settled bets from Supabase's table `bets`, page by page: every row exactly once, or an error.

Pages follow the primary key (keyset), so rows that are added or changed meanwhile move no page boundary. The end is
an empty page: a short one may only be the server's own limit.
"""

from __future__ import annotations

from typing import Any

import httpx
from postgrest import SyncPostgrestClient
from postgrest.exceptions import APIError

from pikkit.errors import ModelError
from pikkit.exports.settled import ReadReport, settled_from_rows
from pikkit.history.history import SettledBets
from pikkit.settings import Settings
from pikkit.supabase_client import tables

__all__ = ["fetch_rows", "fetch_settled"]

PAGE = 1000
_TIMEOUT_S = 30


def fetch_settled(settings: Settings, *, placed: bool = False) -> tuple[SettledBets, ReadReport]:
    """All settled bets of the table, oldest first; `placed` as for `read_settled`.

    Raises:
        ModelError: Supabase is not set up, a page failed for good, or the table lacks a column.
    """
    if settings.supabase_url is None or settings.supabase_service_key is None:
        raise ModelError("SUPABASE_URL and SUPABASE_SERVICE_KEY are not set: set both, or give --bets FILE")
    key = settings.supabase_service_key.get_secret_value()
    with httpx.Client(timeout=_TIMEOUT_S) as http:
        rows = fetch_rows(tables(str(settings.supabase_url), key, http))
    if not rows:
        raise ModelError("the table bets is empty: nothing can be made of no bets")
    return settled_from_rows(rows, placed=placed)


def fetch_rows(client: SyncPostgrestClient, *, page: int = PAGE) -> list[dict[str, Any]]:
    """Every row of the table, by its primary key `id`.

    Raises:
        ModelError: a page failed for good; nothing of the others is used.
    """
    rows: list[dict[str, Any]] = []
    while True:
        try:
            found = _page(client, rows[-1]["id"] if rows else None, page)
        except (APIError, httpx.HTTPError, KeyError) as cause:
            reason = cause.message if isinstance(cause, APIError) else type(cause).__name__
            raise ModelError(
                f"reading bets after {len(rows):,} rows failed ({reason}): nothing of it is used"
            ) from cause
        if not found:
            return rows
        rows += found


def _page(client: SyncPostgrestClient, after: object, limit: int) -> list[dict[str, Any]]:
    """Rows after the one with id `after`. The client itself tries three more times where the connection fails."""
    query = client.table("bets").select("*").order("id").limit(limit)
    if after is not None:
        query = query.gt("id", after)
    data: Any = query.execute().data
    return list(data)
