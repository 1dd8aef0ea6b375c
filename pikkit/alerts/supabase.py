"""Alerts into Supabase's table `ml_alerts` (monitoring/supabase/ml_alerts.sql)."""

from __future__ import annotations

import httpx
from postgrest.exceptions import APIError
from supabase import Client, ClientOptions, create_client

from pikkit.alerts.alert import Alert
from pikkit.alerts.receivers import Later, later_or_refused, network_reason

__all__ = ["TABLE", "SupabaseTable"]

TABLE = "ml_alerts"
_TIMEOUT_S = 10


class SupabaseTable:
    """Upserts a row per alert; the unique alert_id makes a repeat change nothing."""

    channel = "supabase"

    def __init__(self, url: str, key: str) -> None:
        """`key`: a service_role JWT or an sb_secret_… key."""
        self._http = httpx.Client(timeout=_TIMEOUT_S)
        options = ClientOptions(httpx_client=self._http, auto_refresh_token=False, persist_session=False)
        self._client: Client = create_client(url.rstrip("/"), key, options)

    def send(self, alert: Alert) -> None:
        """Write the row, if it is not there.

        Raises:
            Later: no answer, 5xx or 429.
            Refused: a missing table, row-level security, a bad key.
        """
        payload = alert.payload
        row = {
            "alert_id": alert.alert_id,
            "grade": payload["grade"],
            "bet": payload["bet"],
            "prediction": payload["prediction"],
            "environment": payload["environment"],
            "deployment": payload["deployment"],
            "model_version": payload["model_version"],
            "created_at": payload["timestamp"],
        }
        table = self._client.table(TABLE)
        try:
            table.upsert(row, on_conflict="alert_id", ignore_duplicates=True, returning="minimal").execute()  # type: ignore[arg-type]
        except APIError as error:
            raise _meaning(error) from None
        except httpx.HTTPError as error:
            raise Later(network_reason(error)) from None

    def close(self) -> None:
        """Close connections."""
        self._http.close()


def _meaning(error: APIError) -> Exception:
    """PostgREST's codes: SQLSTATE or PGRST…; the client puts the HTTP status there when a body is no JSON."""
    code = str(error.code or "")
    words = f"{code} {error.message or ''}"
    if code.isdecimal() and len(code) == 3:  # noqa: PLR2004 - an HTTP status
        return later_or_refused(int(code), {}, words)
    if code.startswith(("08", "53", "57", "PGRST000", "PGRST001", "PGRST002", "PGRST003")):  # database away or full
        return Later(words[:200])
    return later_or_refused(400, {}, words)
