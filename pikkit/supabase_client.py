"""The client of the user's Supabase project."""

from __future__ import annotations

import httpx
from supabase import Client, ClientOptions, create_client

__all__ = ["project"]


def project(url: str, key: str, http: httpx.Client, *, schema: str = "public", retry: bool = True) -> Client:
    """A client of the project at `url`.

    Args:
        url: the project's address.
        key: a service_role JWT or an sb_secret_… key.
        http: what requests go through; the caller closes it.
        schema: the PostgreSQL schema with our tables.
        retry: whether the client itself repeats reads that failed.
    """
    options = ClientOptions(
        schema=schema,
        httpx_client=http,
        postgrest_client_retry=retry,
        auto_refresh_token=False,
        persist_session=False,
    )
    return create_client(url, key, options)
