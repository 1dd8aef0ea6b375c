"""Alerts to a Telegram chat by its bot API."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import httpx

from pikkit.alerts.message import Alert
from pikkit.alerts.receivers.port import Later, Refused, later_or_refused, network_reason

__all__ = ["Telegram", "message"]

_API = "https://api.telegram.org"
_TIMEOUT_S = 10.0
_LIMIT = 4096
_LONGEST_NAME = 300
_HEADS = {"A": "🟢 <b>Grade A bet</b>", "B": "🔵 <b>Grade B bet</b>"}


def message(payload: Mapping[str, Any]) -> str:
    """The alert as Telegram's HTML, at most 4,096 characters (UTF-16 units, as Telegram counts)."""
    bet, prediction = payload["bet"], payload["prediction"]
    lines = [
        _HEADS.get(str(payload["grade"]), "<b>Bet</b>"),
        f"{_name(bet['sport'])} · {_name(bet['league'])}",
        f"{_name(bet['market'])} at {_name(bet['institution_name'])}, odds {bet['odds']:+g}",
        f"win {100 * prediction['win_probability']:.1f} % (price says {100 * prediction['implied_probability']:.1f} %)",
        f"ROI {prediction['expected_roi']:+.1f} %, stake {prediction['recommended_stake_pct']:.2f} % of bankroll",
        f"confidence {100 * prediction['confidence']:.0f} %, {prediction['sample_size']} past bets",
        f"<i>{escape(str(payload['environment']))}, models {escape(str(payload['model_version']))}</i>",
        *(f"⚠ {_name(words)}" for words in prediction["warnings"]),
    ]
    text = ""
    for line in lines:  # whole lines only: a cut within one could open a tag and never close it
        longer = f"{text}\n{line}" if text else line
        if len(longer.encode("utf-16-le")) // 2 > _LIMIT:
            break
        text = longer
    return text


class Telegram:
    """Sends one message per alert. Telegram knows no idempotency key: a repeat after a lost answer shows twice."""

    channel = "telegram"

    def __init__(
        self, token: str, chat_id: str, *, api: str = _API, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._url = f"{api}/bot{token}/sendMessage"
        self._chat = chat_id
        self._client = httpx.Client(timeout=_TIMEOUT_S, transport=transport)

    def send(self, alert: Alert) -> None:
        """Send the message.

        Raises:
            Later: no answer, 5xx or 429 (waits as long as Telegram says).
            Refused: another 4xx, with Telegram's description.
        """
        body = {
            "chat_id": self._chat,
            "text": message(alert.payload),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        try:
            answer = self._client.post(self._url, json=body)
        except httpx.HTTPError as error:
            raise Later(network_reason(error)) from None
        if answer.is_success:
            return
        told = _told(answer)
        failure = later_or_refused(answer.status_code, answer.headers, str(told.get("description", "")))
        wait = told.get("parameters", {}).get("retry_after") if isinstance(told.get("parameters"), dict) else None
        if isinstance(failure, Refused) or not isinstance(wait, int | float):
            raise failure
        raise Later(failure.reason, float(wait))

    def close(self) -> None:
        """Close connections."""
        self._client.close()


def _told(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _name(text: str) -> str:
    """A caller's text, shortened on a character boundary and escaped."""
    return escape(text if len(text) <= _LONGEST_NAME else text[:_LONGEST_NAME] + "…", quote=False)
