"""Supabase's table `ml_alerts` (monitoring/supabase/ml_alerts.sql): all alerts, and who of several hosts shows each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from postgrest.exceptions import APIError

from pikkit.alerts.message import Alert
from pikkit.alerts.receivers.deadline import client
from pikkit.alerts.receivers.port import Claim, Held, Later, later_or_refused, network_failure, refuse_pages
from pikkit.supabase_client import project

__all__ = ["TABLE", "SupabaseTable"]

TABLE = "ml_alerts"
_OF_BET = ("event", "selection", "line", "starts_at", "url", "market", "institution_name", "odds")


class SupabaseTable:
    """A row per alert, by its key: whose insert comes first shows the alert."""

    channel = "supabase"

    def __init__(self, url: str, key: str, *, schema: str = "public") -> None:
        """Make one.

        Args:
            url: the project's address.
            key: a service_role JWT or an sb_secret_… key.
            schema: the schema with the table.
        """
        # The client's errors carry PostgREST's code but not the status, which tells what may pass.
        self._last: httpx.Response | None = None
        self._http = client()
        self._http.event_hooks = {"response": [self._remember]}
        self._table = project(url, key, self._http, schema=schema, retry=False).table

    def claim(self, alert: Alert, owner: str, lease_s: float) -> Claim:
        """Insert the row, or take it over once nobody holds it; the same owner may claim again.

        Raises:
            Held: another host has it under lease.
            Later: no answer, 5xx, 429.
            Refused: a missing table or column, row-level security, a bad key.
        """
        now = datetime.now(UTC)
        lease = {"claimed_by": owner, "lease_until": (now + timedelta(seconds=lease_s)).isoformat()}
        known = self._before_midnight(alert)
        if not known:
            row = {**row_of(alert), **lease}
            if self._ask(lambda: self._table(TABLE).upsert(row, on_conflict="alert_id", ignore_duplicates=True)):
                return Claim.WON
            known = self._ask(
                lambda: self._table(TABLE).select("alert_id,notified_at,lease_until").eq("alert_id", alert.alert_id)
            )
        if known and known[0]["notified_at"]:
            return Claim.SHOWN
        taken = known and self._ask(
            lambda: (
                self._table(TABLE)
                .update(lease)
                .eq("alert_id", known[0]["alert_id"])
                .is_("notified_at", "null")
                .or_(f"lease_until.lt.{now.isoformat()},claimed_by.eq.{owner}")
            )
        )
        if not taken:
            raise Held("another host is about to show it")
        return Claim.WON

    def finished(self, alert: Alert) -> None:
        """Note that it was shown, in its row or in a new one.

        Raises:
            Later: no answer, 5xx, 429.
            Refused: as for `claim`.
        """
        row = {**row_of(alert), "notified_at": datetime.now(UTC).isoformat()}
        self._ask(lambda: self._table(TABLE).upsert(row, on_conflict="alert_id"))

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def _before_midnight(self, alert: Alert) -> list[dict[str, Any]]:
        """The row of the same bet under another key: without a start, keys change with the window's number."""
        since = alert.payload.get("known_since")
        if since is None:
            return []
        return self._ask(
            lambda: (
                self._table(TABLE)
                .select("alert_id,notified_at,lease_until")
                .eq("identity", alert.payload["identity"])
                .eq("step", alert.payload["step"])
                .neq("alert_id", alert.alert_id)
                .gt("created_at", since)
                .limit(1)
            )
        )

    def _ask(self, query: Callable[[], Any]) -> list[dict[str, Any]]:
        self._last = None
        try:
            rows: list[dict[str, Any]] = query().execute().data
        except APIError as error:
            if self._last is None:
                raise Later(f"no answer ({error.code})", everybody=True) from None
            words = f"{error.code or ''} {error.message or ''}".strip()
            raise later_or_refused(self._last.status_code, self._last.headers, words) from None
        except httpx.HTTPError as error:
            raise network_failure(error) from None
        if self._last is not None:
            refuse_pages(self._last)
        return rows

    def _remember(self, response: httpx.Response) -> None:
        response.read()
        self._last = response


def row_of(alert: Alert) -> dict[str, Any]:
    """The alert as a row: what one looks for in columns of its own, the rest as JSON."""
    payload, bet = alert.payload, alert.payload["bet"]
    return {
        "alert_id": alert.alert_id,
        "kind": payload["type"],
        "identity": payload.get("identity", alert.alert_id),
        "step": payload.get("step", 0),
        "grade": payload["grade"],
        **{name: bet.get(name) for name in _OF_BET},
        "play_to": payload.get("play_to"),
        "bet": bet,
        "prediction": payload["prediction"],
        "message": payload["message"],
        "environment": payload["environment"],
        "deployment": payload["deployment"],
        "model_version": payload["model_version"],
        "created_at": payload["timestamp"],
    }
