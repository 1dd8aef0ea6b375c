"""From decoded JSON to bets: each valid, or an error that names value, rule and remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import FailFast, Strict, StrictBool, TypeAdapter, ValidationError

from pikkit.bets.bet import CATEGORICAL, MAX_CLV_PCT, MAX_TEXT, Bet, OddsLimits
from pikkit.bets.shown import clipped, shown
from pikkit.errors import InvalidBet

__all__ = ["read_bet", "read_bets", "unknown_fields"]

_EVEN, _PLAIN = 100, 10**9


class _PlainBet(Bet):
    """A bet as nearly all are sent: each value in its own type, American odds. Checked without a call into Python."""

    odds_format: Literal["american"] = "american"
    odds: Annotated[float, Strict(), Gt(_EVEN), Lt(_PLAIN)] | Annotated[float, Strict(), Lt(-_EVEN), Gt(-_PLAIN)]
    is_live: StrictBool = False
    clv_percentage: Annotated[float, Strict(), Ge(-MAX_CLV_PCT), Le(MAX_CLV_PCT)] | None = None
    placed_at: None = None


_PLAIN_BETS = TypeAdapter(Annotated[list[_PlainBet], FailFast()])
_BETS = TypeAdapter(Annotated[list[Bet], FailFast()])
_FIELDS = Bet.model_fields.keys()
_RULES: Mapping[str, str] = {
    **dict.fromkeys(CATEGORICAL, f"text of 1 to {MAX_TEXT} characters"),
    "odds": "American odds such as -110 or +150",
    "odds_format": "american, decimal or fractional",
    "is_live": "true or false",
    "clv_percentage": "a number in percent, or null",
    "client_ref": f"text of at most {MAX_TEXT} characters, or a whole number",
    "placed_at": "ISO 8601 such as 2026-01-31T19:30:00Z",
}


def read_bet(data: object, limits: OddsLimits = OddsLimits()) -> Bet:
    """One validated bet from decoded JSON (or query parameters).

    Raises:
        InvalidBet: names the first field that breaks a rule, its value, the rule and the remedy.
    """
    if not isinstance(data, dict):
        raise InvalidBet(
            f"{shown(data)} is not a bet: send an object with sport, league, market, institution_name, odds"
        )
    try:
        bet = Bet.model_validate(data)
    except ValidationError as error:
        raise _explained(error, data) from None
    if not limits.smallest <= abs(bet.odds) <= limits.largest:
        raise InvalidBet(
            f"odds {shown(data['odds'])} are outside ±{limits.smallest:g} … ±{limits.largest:g} (American): "
            "check the price and its odds_format",
            field="odds",
        )
    return bet


def read_bets(data: list[object], limits: OddsLimits = OddsLimits()) -> list[Bet | InvalidBet]:
    """Bets from decoded JSON, each valid or the error that `read_bet` raises for it.

    They are checked together: as plain bets, else as any bets; only where one is refused, each is read for itself.
    """
    bets: Sequence[Bet] = ()
    try:
        bets = _PLAIN_BETS.validate_python(data)
    except ValidationError:
        with suppress(ValidationError):
            bets = _BETS.validate_python(data)
    if bets and all(limits.smallest <= abs(bet.odds) <= limits.largest for bet in bets):
        return list(bets)
    return [_read(item, limits) for item in data]


def _read(data: object, limits: OddsLimits) -> Bet | InvalidBet:
    try:
        return read_bet(data, limits)
    except InvalidBet as error:
        return error


def unknown_fields(data: Mapping[str, object]) -> list[str]:
    """Names in `data` that a bet does not have, shortened, five at most."""
    if data.keys() <= _FIELDS:
        return []
    return [clipped(name) for name in sorted(data.keys() - _FIELDS)[:5]]


def _explained(error: ValidationError, data: Mapping[str, object]) -> InvalidBet:
    first = error.errors(include_url=False, include_context=True, include_input=False)[0]
    field = str(first["loc"][0])
    rule = _RULES[field]
    if first["type"] == "missing":
        return InvalidBet(f"{field} is missing: send {rule}", field=field)
    if first["type"] == "value_error":
        return InvalidBet(f"{field} {first['ctx']['error']}", field=field)
    return InvalidBet(f"{field} {shown(data[field])} is refused: send {rule}", field=field)
