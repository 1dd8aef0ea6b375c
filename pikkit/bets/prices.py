"""Prices of a market's sides, at the bet's own sportsbook and at others, and the rules of their fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    SkipValidation,
    Strict,
    StringConstraints,
    TypeAdapter,
    ValidationInfo,
    WithJsonSchema,
)
from typing_extensions import TypedDict

from pikkit.bets.odds import parse_american, parse_decimal, parse_fractional, plain_signs
from pikkit.bets.shown import is_nothing, shown
from pikkit.bets.times import Moment

__all__ = [
    "CONTROLS",
    "MAX_BOOKS",
    "MAX_LINE",
    "MAX_PRICES",
    "MAX_TEXT",
    "MIN_SIDES",
    "NOT_BLANK",
    "NO_CONTROLS",
    "WHITE_SPACE",
    "BadPrice",
    "BookPrices",
    "Line",
    "MarketPrices",
    "OddsFormat",
    "PlainLine",
    "Price",
    "ReferencePrices",
    "Text",
    "american",
    "plain_number",
    "price_of",
]

MAX_TEXT = 200
MAX_LINE = 10_000.0
MIN_SIDES, MAX_PRICES = 2, 40
MAX_BOOKS = 40

OddsFormat = Literal["american", "decimal", "fractional"]
_PARSERS = {"american": parse_american, "decimal": parse_decimal, "fractional": parse_fractional}

# What strip_whitespace strips, as the inside of a character class. (`\\s` differs by language: U+0085, U+FEFF.)
WHITE_SPACE = r"\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
CONTROLS = r"\x00-\x1f\x7f-\x9f"  # Unicode's Cc, line breaks and tabs among them, as the inside of a character class
NO_CONTROLS = f"^[^{CONTROLS}]*$"
NOT_BLANK = f"^[^{CONTROLS}]*[^{CONTROLS}{WHITE_SPACE}][^{CONTROLS}]*$"
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT, pattern=NO_CONTROLS)]


def price_of(value: object, info: ValidationInfo) -> float:
    """American odds from a price in the format of its bet.

    Raises:
        ValueError: it is no such price.
    """
    return american(value, info.data.get("odds_format", "american"))


def american(value: object, odds_format: str) -> float:
    """American odds from a price in this format.

    Raises:
        ValueError: it is no such price.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(  # noqa: TRY004 - pydantic reports ValueError as the field's own
            f"{shown(value)} is not a price: send American odds such as -110 or +150"
        )
    return _PARSERS[odds_format](value)


def plain_number(value: object) -> float | None:
    """A number, also as text; None where it is none."""
    if isinstance(value, str):
        value = plain_signs(value)
        if "_" in value or not value.isascii():  # float takes 1_5, and the digits of all scripts
            return None
    try:
        return float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None


def _line(value: object) -> float | None:
    if is_nothing(value):
        return None
    number = plain_number(value)
    if number is None or not abs(number) <= MAX_LINE:
        raise ValueError(f"{shown(value)} is not a line: send a number such as -1.5 or 220.5, or leave it out")
    return number + 0.0  # -0 is 0


PlainLine = Annotated[float, Strict(), Ge(-MAX_LINE), Le(MAX_LINE)]
Line = Annotated[float | None, PlainValidator(_line, json_schema_input_type=float | None)]
_AsWritten = Annotated[float, SkipValidation, WithJsonSchema(TypeAdapter(float | str).json_schema())]


class Price(TypedDict):
    """One side of a market and what it pays; American once its bet is validated."""

    selection: Annotated[Text, Field(description="The side", examples=["MTL"])]
    odds: Annotated[_AsWritten, Field(description="Price in the bet's odds_format", examples=[120])]
    line: Annotated[Line, Field(default=None, description="Handicap or total of this side", examples=[1.5])]


class BadPrice(ValueError):
    """One of a bet's other prices is none; `place`: indices and names that lead to it from the field that it is in."""

    def __init__(self, reason: object, *place: int | str) -> None:
        super().__init__(str(reason))
        self.place = place


def _converted(prices: Sequence[Price], info: ValidationInfo, *place: int | str) -> tuple[Price, ...]:
    odds_format = info.data.get("odds_format", "american")
    found: list[Price] = []
    for i, price in enumerate(prices):
        try:
            found.append({**price, "odds": american(price["odds"], odds_format)})
        except ValueError as error:
            raise BadPrice(error, *place, i, "odds") from None
    return tuple(found)


def _of_market(prices: tuple[Price, ...], info: ValidationInfo) -> tuple[Price, ...]:
    return _converted(prices, info)


class BookPrices(TypedDict):
    """The sides of the bet's market at another sportsbook."""

    book: Annotated[Text, Field(description="Sportsbook", examples=["Pinnacle"])]
    prices: Annotated[
        tuple[Price, ...],
        Field(
            fail_fast=True,
            min_length=1,
            max_length=MAX_PRICES,
            description="All sides; a book with one side only is left out with a warning",
        ),
    ]
    at: Annotated[
        Moment, Field(default=None, description="When the prices were seen (ISO 8601; UTC without an offset)")
    ]


def _of_books(books: tuple[BookPrices, ...], info: ValidationInfo) -> tuple[BookPrices, ...]:
    return tuple({**book, "prices": _converted(book["prices"], info, i, "prices")} for i, book in enumerate(books))


MarketPrices = Annotated[
    tuple[Price, ...], Field(fail_fast=True, min_length=MIN_SIDES, max_length=MAX_PRICES), AfterValidator(_of_market)
]
ReferencePrices = Annotated[
    tuple[BookPrices, ...], Field(fail_fast=True, max_length=MAX_BOOKS), AfterValidator(_of_books)
]
