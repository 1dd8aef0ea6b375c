"""Alerts into Supabase's table `ml_alerts` (monitoring/supabase/ml_alerts.sql)."""

from __future__ import annotations

import httpx
from postgrest.exceptions import APIError

from pikkit.alerts.message import Alert
from pikkit.alerts.receivers.port import Later, later_or_refused, network_reason
from pikkit.supabase_client import tables

__all__ = ["TABLE", "SupabaseTable"]

TABLE = "ml_alerts"
_TIMEOUT_S = 10
_ACCEPTED = 200


class SupabaseTable:
    """Upserts a row per alert; the unique alert_id makes a repeat change nothing."""

    channel = "supabase"

    def __init__(self, url: str, key: str) -> None:
        """`key`: a service_role JWT or an sb_secret_… key."""
        # The client's errors carry PostgREST's code but not the status, which tells what may pass.
        self._last: httpx.Response | None = None
        self._http = httpx.Client(timeout=_TIMEOUT_S, event_hooks={"response": [self._remember]})
        self._client = tables(url, key, self._http)

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
            status, headers = (self._last.status_code, self._last.headers) if self._last else (_ACCEPTED, {})
            raise later_or_refused(status, headers, f"{error.code or ''} {error.message or ''}".strip()) from None
        except httpx.HTTPError as error:
            raise Later(network_reason(error)) from None

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def _remember(self, response: httpx.Response) -> None:
        self._last = response
