"""The port to receivers of alerts, and what an attempt to deliver can come to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

import httpx

from pikkit.alerts.message import Alert

__all__ = ["PARKED_STATUSES", "Later", "Receiver", "Refused", "js_json", "later_or_refused", "network_reason"]

_TOO_MANY = 429
_RETRIED_4XX = frozenset({408, 425, _TOO_MANY})
PARKED_STATUSES = range(400, 500)
_LONGEST_WAIT_S = 3600.0


class Later(Exception):
    """The receiver could not take it now; `after_s`: when it wants to be asked again, if it says so."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_s = after_s


class Refused(Exception):
    """The receiver will not take it, however often it is asked."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Receiver(Protocol):
    """Takes alerts on one channel. Reasons never hold a secret."""

    @property
    def channel(self) -> str:
        """n8n, telegram or supabase."""
        ...

    def send(self, alert: Alert) -> None:
        """Deliver the alert; the receiver is asked to show one key once.

        Raises:
            Later: it could not be taken now.
            Refused: it will not be taken.
        """
        ...

    def close(self) -> None:
        """Close connections."""
        ...


def later_or_refused(status: int, headers: Mapping[str, str], words: str) -> Later | Refused:
    """What a status other than success means: 4xx is the alert's or the set-up's fault, anything else passes."""
    reason = f"{status}{f': {words[:200]}' if words else ''}"
    if status in PARKED_STATUSES and status not in _RETRIED_4XX:
        return Refused(reason)
    return Later(reason, _seconds(headers.get("retry-after")))


def network_reason(error: httpx.HTTPError) -> str:
    """What went wrong on the way; not its text, which may hold an address with a secret in it."""
    return f"no answer ({type(error).__name__})"


def _seconds(value: str | None) -> float | None:
    try:
        return min(max(float(value or ""), 0.0), _LONGEST_WAIT_S)
    except ValueError:
        return None


def js_json(value: Any) -> str:
    """JSON as JavaScript's JSON.stringify writes it, so that both ends can sign the same text.

    Whole numbers carry no fraction and small ones no exponent (values here have at most six decimals).
    """
    match value:
        case bool() | None | str():
            return json.dumps(value, ensure_ascii=False)
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() else f"{value:.6f}".rstrip("0")
        case dict():
            return "{" + ",".join(f"{js_json(str(name))}:{js_json(item)}" for name, item in value.items()) + "}"
        case _:
            return "[" + ",".join(js_json(item) for item in value) + "]"
