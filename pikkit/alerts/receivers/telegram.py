"""Alerts to a Telegram chat by its bot API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from pikkit.alerts.message import Alert
from pikkit.alerts.receivers.deadline import client
from pikkit.alerts.receivers.port import Later, Refused, later_or_refused, network_failure, refuse_pages, wait_of
from pikkit.telemetry.logs import get_logger

__all__ = ["Telegram"]

_API = "https://api.telegram.org"

_log = get_logger("pikkit.alerts")


class Telegram:
    """Sends one message per alert. Telegram knows no idempotency key: a repeat after a lost answer shows twice."""

    channel = "telegram"

    def __init__(
        self, token: str, chat_id: str, *, api: str = _API, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._url = f"{api}/bot{token}/sendMessage"
        self._chat = chat_id
        self._client = client(transport)

    def send(self, alert: Alert) -> None:
        """Send the message; a group that became a supergroup is followed to its new id.

        Raises:
            Later: no answer, 5xx or 429 (waits as long as Telegram says).
            Refused: another 4xx, with Telegram's description; an answer that is not Telegram's.
        """
        told = self._send(alert)
        moved = _parameters(told).get("migrate_to_chat_id")
        if moved:
            _log.warning("the Telegram group has a new id: set it", TELEGRAM_CHAT_ID=str(moved))
            self._chat = str(moved)
            if _parameters(self._send(alert)).get("migrate_to_chat_id"):
                raise Refused("the Telegram group moves in circles")

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _send(self, alert: Alert) -> Mapping[str, Any]:
        """What Telegram says of a message that it took, or whose chat has moved."""
        body = {
            "chat_id": self._chat,
            "text": alert.payload["message"],
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        try:
            answer = self._client.post(self._url, json=body)
        except httpx.HTTPError as error:
            raise network_failure(error) from None
        told = _told(answer)
        if answer.is_success:
            refuse_pages(answer)
            if told.get("ok") is not True:
                raise Refused(f"{answer.status_code}, but not in Telegram's words: check TELEGRAM_API_URL")
            return told
        if _parameters(told).get("migrate_to_chat_id"):
            return told
        failure = later_or_refused(answer.status_code, answer.headers, str(told.get("description", "")))
        if isinstance(failure, Refused):
            raise failure
        wait = wait_of(_parameters(told).get("retry_after"))
        raise Later(failure.reason, wait or failure.after_s, everybody=failure.everybody)


def _told(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _parameters(told: Mapping[str, Any]) -> Mapping[str, Any]:
    found = told.get("parameters")
    return found if isinstance(found, dict) else {}
