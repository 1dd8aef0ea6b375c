"""From decoded JSON to bets: each valid, or an error that names value, rule and remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BeforeValidator, FailFast, Field, Strict, StrictBool, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from pikkit.bets.bet import CATEGORICAL, MAX_CLV_PCT, MAX_LEGS, MIN_LEGS, Bet, Leg, OddsLimits, given
from pikkit.bets.market import side_of
from pikkit.bets.prices import MAX_BOOKS, MAX_LINE, MAX_PRICES, MAX_TEXT, MIN_SIDES, BookPrices, Price
from pikkit.bets.shown import named, shown
from pikkit.errors import InvalidBet

__all__ = ["FIELDS", "read_bet", "read_bets", "unknown_fields"]

_EVEN, _PLAIN = 100, 10**9


_PlainOdds = Annotated[
    Annotated[float, Strict(), Ge(_EVEN), Lt(_PLAIN)] | Annotated[float, Strict(), Lt(-_EVEN), Gt(-_PLAIN)],
    Field(union_mode="left_to_right"),
]


@dataclass(frozen=True, slots=True)
class _PlainPrice(Price):
    odds: _PlainOdds = Field()
    line: Annotated[float, Strict(), Ge(-MAX_LINE), Le(MAX_LINE)] | None = None


@dataclass(frozen=True, slots=True)
class _PlainBook(BookPrices):
    prices: tuple[_PlainPrice, ...] = Field(min_length=1, max_length=MAX_PRICES)


class _PlainBet(Bet):
    """A bet as nearly all are sent: each value in its own type, American odds. Checked without a call into Python."""

    odds_format: Literal["american"] = "american"
    odds: _PlainOdds
    is_live: StrictBool = False
    clv_percentage: Annotated[float, Strict(), Ge(-MAX_CLV_PCT), Le(MAX_CLV_PCT)] | None = None
    line: Annotated[float, Strict(), Ge(-MAX_LINE), Le(MAX_LINE)] | None = None
    market_prices: Annotated[tuple[_PlainPrice, ...], Field(min_length=MIN_SIDES, max_length=MAX_PRICES)] | None = None
    reference_prices: Annotated[tuple[_PlainBook, ...], Field(max_length=MAX_BOOKS)] | None = None


# Each bet is tried as a plain one, then as any: a mixed batch costs its bets, not its worst bet.
_AnyBet = Annotated[_PlainBet | Annotated[Bet, BeforeValidator(given)], Field(union_mode="left_to_right")]
_BET: TypeAdapter[Bet] = TypeAdapter(_AnyBet)
_BETS = TypeAdapter(Annotated[list[_AnyBet], FailFast()])
FIELDS = frozenset(Bet.model_fields)
_CHARACTERS = "characters, no control characters (line breaks, tabs, U+0000)"
_RULES: Mapping[str, str] = {
    **dict.fromkeys((*CATEGORICAL, "event", "selection", "book"), f"text of 1 to {MAX_TEXT} {_CHARACTERS}"),
    "odds": "American odds such as -110 or +150",
    "odds_format": "american, decimal or fractional",
    "is_live": "true or false",
    "clv_percentage": "a number in percent, or null",
    "client_ref": f"text of at most {MAX_TEXT} {_CHARACTERS}, or a whole number",
    **dict.fromkeys(("placed_at", "starts_at", "at"), "ISO 8601 such as 2026-01-31T19:30:00Z"),
    "line": "a number such as -1.5 or 220.5",
    "url": "a link such as https://sportsbook.example/bet/1",
    "market_prices": f"{MIN_SIDES} to {MAX_PRICES} of {{selection, odds, line?}}: all sides of the market",
    "prices": f"1 to {MAX_PRICES} of {{selection, odds, line?}}: all sides of the market at that book",
    "reference_prices": f"up to {MAX_BOOKS} of {{book, prices, at?}}",
    "legs": f"{MIN_LEGS} to {MAX_LEGS} bets without legs of their own",
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
        bet = _BET.validate_python(data)
    except ValidationError:
        try:
            bet = Bet.model_validate(given(data))
        except ValidationError as error:
            raise _explained(error, data) from None
    if not limits.smallest <= abs(bet.odds) <= limits.largest:
        raise InvalidBet(
            f"odds {shown(data['odds'])} are outside ±{limits.smallest:g} … ±{limits.largest:g} (American): "
            "check the price and its odds_format",
            field="odds",
        )
    if bet.market_prices is not None:
        _check_sides(bet)
    for i, leg in enumerate(bet.legs or ()):
        _check_sides(leg, f"legs[{i}].market_prices")
    return bet


def read_bets(data: list[object], limits: OddsLimits = OddsLimits()) -> list[Bet | InvalidBet]:
    """Bets from decoded JSON, each valid or the error that `read_bet` raises for it.

    They are checked together; only where one is refused, each is read for itself.
    """
    bets: Sequence[Bet] = ()
    with suppress(ValidationError):
        bets = _BETS.validate_python(data)
    if bets and all(
        limits.smallest <= abs(fields["odds"]) <= limits.largest
        and (fields["market_prices"] is None or _has_own_side(fields))
        and fields["legs"] is None
        for fields in map(vars, bets)  # attributes of models are slow
    ):
        return list(bets)
    return [_read(item, limits) for item in data]


def _has_own_side(bet: Mapping[str, Any]) -> bool:
    selection, prices = bet["selection"], bet["market_prices"]
    return bool(prices and selection and side_of(selection, bet["line"], prices) is not None)


def _check_sides(bet: Leg, field: str = "market_prices") -> None:
    """The bet is one of the sides that it names; so is each leg.

    Raises:
        InvalidBet: it is not.
    """
    if bet.market_prices is not None:
        if bet.selection is None:
            raise InvalidBet(f"{field} need the bet's own selection: send selection", field="selection")
        if side_of(bet.selection, bet.line, bet.market_prices) is None:
            line = "" if bet.line is None else f" on the line {bet.line:+g}"
            raise InvalidBet(
                f"{field} have no price for {shown(bet.selection)}{line}: send all sides, the bet's own among them",
                field=field,
            )


def _read(data: object, limits: OddsLimits) -> Bet | InvalidBet:
    try:
        return read_bet(data, limits)
    except InvalidBet as error:
        return error


def unknown_fields(data: Mapping[str, object]) -> list[str]:
    """Names in `data` that a bet does not have, shortened, five at most."""
    return [named(name) for name in sorted(data.keys() - FIELDS)[:5]]


def _explained(error: ValidationError, data: object) -> InvalidBet:
    first = error.errors(include_url=False, include_context=True, include_input=False)[0]
    places = [place for place in first["loc"] if isinstance(place, int) or place in _RULES]
    field = str(places[0]) + "".join(f"[{place}]" if isinstance(place, int) else f".{place}" for place in places[1:])
    rule = next(_RULES[place] for place in reversed(places) if isinstance(place, str))
    if first["type"] == "missing":
        return InvalidBet(f"{field} is missing: send {rule}", field=field)
    if first["type"] == "value_error":
        return InvalidBet(f"{field} {first['ctx']['error']}", field=field)
    value = data
    for place in places:
        value = _at(value, place)
    return InvalidBet(f"{field} {shown(value)} is refused: send {rule}", field=field)


def _at(value: object, place: int | str) -> object:
    if isinstance(value, dict):
        return value[place]
    if isinstance(value, list | tuple) and isinstance(place, int):
        return value[place]
    return value
