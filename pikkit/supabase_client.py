"""Supabase's tables by PostgREST, which is all of Supabase that is used here."""

from __future__ import annotations

import httpx
from postgrest import SyncPostgrestClient

__all__ = ["tables"]


def tables(url: str, key: str, http: httpx.Client) -> SyncPostgrestClient:
    """A client of the project at `url`; `key` is a service_role JWT or an sb_secret_… key. The caller closes `http`."""
    headers = {"apikey": key, "Authorization": f"Bearer {key}"}
    return SyncPostgrestClient(f"{url.rstrip('/')}/rest/v1", headers=headers, http_client=http)
