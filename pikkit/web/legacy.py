"""What the extension in the field sends to the two legacy routes, made into a bet. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

from pikkit.bets.prices import WHITE_SPACE, OddsFormat

__all__ = ["ABSENT", "FIELDS", "legacy_bet"]

DEFAULT_ODDS = -110
_REQUIRED = frozenset({"sport", "league", "market", "institution_name"})
FIELDS = ("sport", "league", "market", "institution_name", "bet_type", "odds", "odds_format", "is_live",
           "clv_percentage", "client_ref", "placed_at")  # fmt: skip
# How JavaScript writes a value that it does not have into a query string. In any case: OpenAPI patterns know no flag.
_NOTHING = "|".join(
    "".join(f"[{letter}{letter.upper()}]" for letter in word) for word in ("undefined", "null", "nan", "none")
)
ABSENT = rf"^[{WHITE_SPACE}]*({_NOTHING})?[{WHITE_SPACE}]*$"
_ABSENT = re.compile(ABSENT)


def legacy_bet(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The bet and what to warn of. Optional fields that hold no value are left out; odds default to -110."""
    bet = {name: data[name] for name in FIELDS if name in data and not (name not in _REQUIRED and _absent(data[name]))}
    if "odds" in bet:
        return bet, []
    bet["odds"] = DEFAULT_ODDS
    if bet.get("odds_format") in get_args(OddsFormat):  # another one is an error, with odds or without
        del bet["odds_format"]
    return bet, [f"no odds were sent: {DEFAULT_ODDS} is assumed"]


def _absent(value: object) -> bool:
    if isinstance(value, str):
        return _ABSENT.fullmatch(value) is not None
    return value is None or value != value  # noqa: PLR0124 - NaN
