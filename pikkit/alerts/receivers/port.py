"""The ports to receivers of alerts and to the table that hosts share, and what an attempt can come to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Protocol

import httpx

from pikkit.alerts.harmless import clean
from pikkit.alerts.message import Alert

__all__ = [
    "Claim",
    "Held",
    "Later",
    "Ledger",
    "Receiver",
    "Refused",
    "later_or_refused",
    "network_failure",
    "refuse_pages",
    "wait_of",
]

_TOO_MANY, _AWAY = 429, 503
_RETRIED_4XX = frozenset({408, 425, _TOO_MANY})
_CLIENT_ERRORS = range(400, 500)
_MOVED = frozenset({301, 308})
LONGEST_WAIT_S = 600.0
_LONGEST_WORDS = 200  # of a receiver, in a reason that goes into logs and onto terminals


class Later(Exception):
    """It could not be taken now.

    `after_s`: when the receiver wants to be asked again, if it says so. `everybody`: the receiver is away or wants no
    more for now, so it makes no sense to try another alert.
    """

    def __init__(self, reason: str, after_s: float | None = None, *, everybody: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_s = after_s
        self.everybody = everybody


class Held(Later):
    """Another host is about to show it."""


class Refused(Exception):
    """It will not be taken, however often it is offered."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Receiver(Protocol):
    """Shows alerts on one channel. Reasons never hold a secret."""

    @property
    def channel(self) -> str:
        """n8n or telegram."""
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


class Claim(Enum):
    """Whose an alert is."""

    WON = "won"
    SHOWN = "shown"  # by another host


class Ledger(Protocol):
    """The table in which hosts agree who shows an alert, and which keeps them all."""

    @property
    def channel(self) -> str:
        """Supabase."""
        ...

    def claim(self, alert: Alert, owner: str, lease_s: float) -> Claim:
        """Write the row: whose insert comes first shows the alert, until the lease is over.

        Raises:
            Held: another host has it under lease.
            Later: the table is away.
            Refused: a missing table or column, row-level security, a bad key.
        """
        ...

    def finished(self, alert: Alert) -> None:
        """The alert was shown; write the row where there is none yet.

        Raises:
            Later, Refused: as above.
        """
        ...

    def close(self) -> None:
        """Close connections."""
        ...


def later_or_refused(status: int, headers: Mapping[str, str], words: str) -> Later | Refused:
    """What a status other than success means: 4xx is the alert's or the set-up's fault, anything else passes."""
    reason = f"{status}{f': {clean(words[:_LONGEST_WORDS])}' if words else ''}"
    if status in _MOVED:
        return Refused(f"{status}: it has moved to another address: set the new one")
    if status in _CLIENT_ERRORS and status not in _RETRIED_4XX:
        return Refused(reason)
    return Later(reason, wait_of(headers.get("retry-after")), everybody=status in (_TOO_MANY, _AWAY))


def network_failure(error: httpx.HTTPError) -> Later:
    """What went wrong on the way; not its text, which may hold an address with a secret in it."""
    slow = isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout)  # this alert's time is over, others may pass
    return Later(f"no answer ({type(error).__name__})", everybody=not slow)


def refuse_pages(answer: httpx.Response) -> None:
    """A page for people instead of an answer is no delivery, whatever its status.

    Raises:
        Refused: it is one.
    """
    kind = answer.headers.get("content-type", "")
    if "html" in kind.lower() or answer.text.lstrip()[:1] == "<":
        raise Refused(f"{answer.status_code} with a web page, as of a login: check the address and what stands before")


def wait_of(value: object) -> float | None:
    """Seconds to wait from `Retry-After` (seconds or a date) or the like, at most ten minutes; None if it says none."""
    seconds: float | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str):
        try:
            seconds = float(value)
        except ValueError:
            try:
                moment = parsedate_to_datetime(value)
                seconds = (
                    (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)
                ).total_seconds()
            except (ValueError, OverflowError):
                return None
    if seconds is None or math.isnan(seconds) or seconds <= 0:
        return None
    return min(seconds, LONGEST_WAIT_S)
