"""From decoded JSON to bets: each valid, or an error that names value, rule and remedy."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain, islice
from operator import itemgetter
from typing import Annotated, Any

from annotated_types import Ge, Le
from pydantic import (
    BeforeValidator,
    FailFast,
    Field,
    GetPydanticSchema,
    Strict,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from typing_extensions import TypedDict

from pikkit.bets.bet import CATEGORICAL, LISTS, MAX_CLV_PCT, MAX_LEGS, MIN_LEGS, Bet, Leg, OddsLimits, given
from pikkit.bets.market import own_markets
from pikkit.bets.names import folded
from pikkit.bets.odds import LEAST_AMERICAN
from pikkit.bets.prices import (
    MAX_BOOKS,
    MAX_PRICES,
    MAX_TEXT,
    MIN_SIDES,
    NOT_BLANK,
    BadPrice,
    PlainLine,
    Text,
    american,
)
from pikkit.bets.shown import field_at, shown
from pikkit.bets.times import Moment
from pikkit.errors import InvalidBet

__all__ = ["FIELDS", "PLAIN_FIELDS", "all_known", "read_bet", "read_bets", "unknown_fields"]

_NumberOrText = Annotated[StrictFloat | StrictStr, Field(union_mode="left_to_right")]
_Written = Annotated[Any, GetPydanticSchema(lambda _, schema_of: schema_of(_NumberOrText))]
_selection_of, _line_of, _odds_of, _format_of = map(itemgetter, ("selection", "line", "odds", "odds_format"))
_american_of = lru_cache(4096)(american)  # most prices come again and again
_LONGEST_PRICE = 50  # characters of one that is remembered


class _WrittenPrice(TypedDict):
    selection: Text
    odds: _Written
    line: Annotated[PlainLine | None, Field(default=None)]


class _WrittenBook(TypedDict):
    book: Text
    prices: Annotated[tuple[_WrittenPrice, ...], Field(fail_fast=True, min_length=1, max_length=MAX_PRICES)]
    at: Annotated[Moment, Field(default=None)]


class _WrittenBet(Bet):
    """A bet as nearly all are sent: each value in its own type. Checked without a call into Python, prices left."""

    client_ref: Annotated[str, StringConstraints(max_length=MAX_TEXT, pattern=NOT_BLANK)] | StrictInt | None = None
    odds: _Written
    is_live: StrictBool = False
    clv_percentage: Annotated[float, Strict(), Ge(-MAX_CLV_PCT), Le(MAX_CLV_PCT)] | None = None
    line: PlainLine | None = None
    market_prices: (
        Annotated[tuple[_WrittenPrice, ...], Field(fail_fast=True, min_length=MIN_SIDES, max_length=MAX_PRICES)] | None
    ) = None
    reference_prices: Annotated[tuple[_WrittenBook, ...], Field(fail_fast=True, max_length=MAX_BOOKS)] | None = None


# Each bet is tried as a plain one, then as any: a mixed batch costs its bets, not its worst bet.
_AnyBet = Annotated[_WrittenBet | Annotated[Bet, BeforeValidator(given)], Field(union_mode="left_to_right")]
_BET: TypeAdapter[Bet] = TypeAdapter(_AnyBet)
_BETS: TypeAdapter[list[Bet]] = TypeAdapter(Annotated[list[_AnyBet], FailFast()])
FIELDS = frozenset(Bet.model_fields)
PLAIN_FIELDS = FIELDS - LISTS
_PRICE = frozenset(_WrittenPrice.__annotations__)
# By field: what is known in each of its items.
_KNOWN: Mapping[str, frozenset[str]] = {
    "market_prices": _PRICE,
    "reference_prices": frozenset(_WrittenBook.__annotations__),
    "prices": _PRICE,
    "legs": FIELDS,
}
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
        if type(bet) is _WrittenBet:
            _put_american([vars(bet)])
    except ValueError:  # pydantic's among them
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
        _check_sides(leg, f"legs[{i}].")
    return bet


def read_bets(data: list[object], limits: OddsLimits = OddsLimits()) -> list[Bet | InvalidBet]:
    """Bets from decoded JSON, each valid or the error that `read_bet` raises for it.

    They are checked together; only where one is refused, each is read for itself.
    """
    with suppress(ValueError):  # pydantic's among them
        bets = _BETS.validate_python(data)
        fields: list[dict[str, Any]] = [bet.__dict__ for bet in bets]  # attributes of models are slow
        _put_american([one for one, bet in zip(fields, bets, strict=True) if type(bet) is _WrittenBet])
        sizes = list(map(abs, map(_odds_of, fields)))
        legs: list[dict[str, Any]] = [vars(leg) for one in fields for leg in one["legs"] or ()]
        with_market = [one for one in (*fields, *legs) if one["market_prices"] is not None]
        in_bounds = not sizes or (limits.smallest <= min(sizes) and max(sizes) <= limits.largest)
        if in_bounds and (not with_market or _find_own_sides(with_market)):
            return list(bets)
    return [_read(item, limits) for item in data]


def _put_american(bets: Sequence[dict[str, Any]]) -> None:
    """Put American odds in the place of prices as they are written; nobody else has these bets yet.

    Raises:
        ValueError: one of them is no price.
    """
    least, most = LEAST_AMERICAN, math.inf
    for odds_format in set(map(_format_of, bets)):
        alike = [bet for bet in bets if bet["odds_format"] == odds_format]
        priced = list(alike)
        for bet in alike:
            if bet["market_prices"] is not None:
                priced += bet["market_prices"]
            for book in bet["reference_prices"] or ():
                priced += book["prices"]
        as_written = odds_format == "american"
        for one in priced:
            odds = one["odds"]
            if not as_written or type(odds) is str or not (least < odds < most or -most < odds < -least):
                long = type(odds) is str and len(odds) > _LONGEST_PRICE
                one["odds"] = (american if long else _american_of)(odds, odds_format)


def _find_own_sides(bets: Sequence[dict[str, Any]]) -> bool:
    """Find the own sides of bets with market_prices, all together; whether each has one."""
    selections = [bet["selection"] for bet in bets]
    if None in selections:
        return False
    markets = [bet["market_prices"] for bet in bets]
    sides = list(chain.from_iterable(markets))
    names = folded([*map(_selection_of, sides), *selections])
    own = zip(names[len(sides) :], map(_line_of, bets), map(len, markets), strict=True)
    found = own_markets(own, names, list(map(_line_of, sides)))
    for bet, own_sides in zip(bets, found, strict=True):
        bet["own_sides"] = own_sides
    return all(found)


def _check_sides(bet: Leg, where: str = "") -> None:
    """The bet is one of the sides that it names; so is each leg.

    Raises:
        InvalidBet: it is not.
    """
    if bet.market_prices is not None:
        field = f"{where}market_prices"
        if bet.selection is None:
            raise InvalidBet(f"{field} need the bet's own selection: send selection", field=f"{where}selection")
        if not bet.own_sides:
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


def all_known(names: Collection[str], items: Collection[Mapping[str, Any]], known: frozenset[str] = FIELDS) -> bool:
    """Whether bets that were read have no names but those that mean something, in what they hold neither.

    Args:
        names: all that the bets have.
        items: the bets.
        known: the names that mean something.
    """
    if not known.issuperset(names):
        return False
    for field in _KNOWN.keys() & names:
        # Characters of blank text, which is absent, look unknown: `unknown_fields` then finds nothing.
        inside = list(chain.from_iterable([item[field] or () for item in items if field in item]))
        if not all_known(set().union(*inside), inside, _KNOWN[field]):
            return False
    return True


def unknown_fields(data: Mapping[str, Any]) -> list[str]:
    """Where a bet that was read has names that mean nothing, shortened, five at most."""
    return [field_at(place) for place in islice(_unknown(data, FIELDS), 5)]


def _unknown(data: Mapping[str, Any], known: frozenset[str]) -> Iterator[tuple[int | str, ...]]:
    yield from ((name,) for name in sorted(data.keys() - known))
    for field, inside in _KNOWN.items():
        if field in known and isinstance(data.get(field), list):  # blank text is absent
            for i, item in enumerate(data[field]):
                yield from ((field, i, *place) for place in _unknown(item, inside))


def _explained(error: ValidationError, data: object) -> InvalidBet:
    first = error.errors(include_url=False, include_context=True, include_input=False)[0]
    cause = first.get("ctx", {}).get("error")
    places = [place for place in first["loc"] if isinstance(place, int) or place in _RULES]
    if isinstance(cause, BadPrice):
        places += cause.place
    field = field_at(places)
    rule = next(_RULES[place] for place in reversed(places) if isinstance(place, str))
    if first["type"] == "missing":
        return InvalidBet(f"{field} is missing: send {rule}", field=field)
    if isinstance(cause, ValueError):
        return InvalidBet(f"{field} {cause}", field=field)
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
