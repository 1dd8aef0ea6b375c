"""Which bet an alert is about. Never its price, and never the model that graded it.

Bets come as JSON objects, as the API takes them; what is not given is absent or None.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pikkit.bets.names import fold, group_key

__all__ = ["alert_id_of", "generation_of", "identity_of", "places_of", "start_of"]

_COLUMNS = ("sport", "league", "market", "institution_name", "bet_type")
_HOUR_S = 3600


def start_of(bet: Mapping[str, Any]) -> float | None:
    """`starts_at` in seconds since the epoch, where it is given."""
    given = bet.get("starts_at")
    if not given:
        return None
    moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def places_of(bets: Iterable[Mapping[str, Any]]) -> list[tuple[tuple[str, ...], int]]:
    """For each bet of a request: its names, and how many bets with the same names stood before it."""
    before: Counter[tuple[str, ...]] = Counter()
    places = []
    for bet in bets:
        names = _names(bet)
        places.append((names, before[names]))
        before[names] += 1
    return places


def _names(bet: Mapping[str, Any]) -> tuple[str, ...]:
    """What the bet says of itself, in one spelling."""
    start, line = start_of(bet), bet.get("line")
    legs = sorted("\x1e".join(_names(leg if isinstance(leg, Mapping) else vars(leg))) for leg in bet.get("legs") or ())
    return (
        *(group_key(name, str(bet.get(name) or "")) for name in _COLUMNS),
        "live" if bet.get("is_live") else "",
        fold(str(bet.get("event") or "")),
        fold(str(bet.get("selection") or "")),
        "" if line is None else f"{float(line) + 0.0:g}",
        "" if start is None else str(int(start // _HOUR_S)),
        *legs,
    )


def identity_of(bet: Mapping[str, Any], position: int) -> str:
    """The digest by which the bet is the same one, whoever sends it, at whatever price.

    Args:
        bet: as the API takes it.
        position: how many bets with the same names stood before it in its request. Where the event is not told, it
            (or `client_ref`) is all that tells two games apart; a page that is rendered again sends the same.
    """
    told = bet.get("event") and (bet.get("selection") or bet.get("legs"))
    reference = None if bet.get("event") else bet.get("client_ref")
    place = "" if told else f"ref {reference}" if reference is not None else str(position)
    return _digest(*_names(bet), place)


def generation_of(start: float | None, now: float, window_s: float) -> int:
    """Tells apart what would have one identity: without a start, bets that were forgotten in between."""
    if start is not None:
        return 0
    return math.floor(now / window_s) if window_s else math.floor(now * 1000)


def alert_id_of(identity: str, generation: int, step: int) -> str:
    """The idempotency key: 32 hexadecimal digits, the same on every host."""
    return _digest(identity, str(generation), str(step))[:32]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
