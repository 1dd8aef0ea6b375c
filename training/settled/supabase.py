"""Settled bets from Supabase's table `bets`, page by page: every row exactly once, or an error.

Pages follow (created_at, id), so a row that is added meanwhile comes last, wherever its id would stand, and one that is
added behind moves no page boundary. The end is an empty page: a short one may only be the server's own limit.
"""

from __future__ import annotations

from typing import Any

import httpx
from postgrest.exceptions import APIError
from supabase import Client

from pikkit.errors import ModelError
from pikkit.exports.settled import ReadReport, settled_from_rows
from pikkit.history.history import SettledBets
from pikkit.settings import Settings
from pikkit.supabase_client import project

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
        rows = fetch_rows(project(str(settings.supabase_url), key, http, schema=settings.supabase_schema))
    if not rows:
        raise ModelError("the table bets is empty: nothing can be made of no bets")
    return settled_from_rows(rows, placed=placed)


def fetch_rows(client: Client, *, page: int = PAGE) -> list[dict[str, Any]]:
    """Every row of the table.

    Raises:
        ModelError: a page failed for good; nothing of the others is used.
    """
    rows: list[dict[str, Any]] = []
    while True:
        try:
            found = _page(client, rows[-1] if rows else None, page)
        except (APIError, httpx.HTTPError, KeyError) as cause:
            reason = cause.message if isinstance(cause, APIError) else f"{type(cause).__name__} {cause}".strip()
            raise ModelError(
                f"reading bets after {len(rows):,} rows failed ({reason}): nothing of it is used"
            ) from cause
        if not found:
            return rows
        rows += found


def _page(client: Client, last: dict[str, Any] | None, limit: int) -> list[dict[str, Any]]:
    """Rows after `last`. The client itself tries three more times where the connection fails."""
    query = client.table("bets").select("*").order("created_at", nullsfirst=False).order("id").limit(limit)
    if last is not None:
        created, identifier = last["created_at"], last["id"]
        if created is None:
            query = query.is_("created_at", "null").gt("id", identifier)
        else:
            after = f'created_at.gt."{created}",and(created_at.eq."{created}",id.gt."{identifier}")'
            query = query.or_(f"{after},created_at.is.null")
    data: Any = query.execute().data
    return list(data)
