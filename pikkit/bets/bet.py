"""A bet as it stands on the odds page, and the rules of its fields."""

from __future__ import annotations

import re
from functools import cached_property
from operator import itemgetter
from typing import Annotated, Literal, NamedTuple

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictInt,
    StringConstraints,
)

from pikkit.bets.market import own_market, sides_of
from pikkit.bets.names import fold
from pikkit.bets.prices import (
    CONTROLS,
    MAX_TEXT,
    NO_CONTROLS,
    Line,
    MarketPrices,
    OddsFormat,
    ReferencePrices,
    Text,
    plain_number,
    price_of,
)
from pikkit.bets.shown import is_nothing, shown
from pikkit.bets.times import Moment

__all__ = [
    "CATEGORICAL",
    "LISTS",
    "MAX_CLV_PCT",
    "MAX_LEGS",
    "MAX_URL",
    "MIN_LEGS",
    "Bet",
    "Leg",
    "OddsLimits",
    "given",
    "names_of",
]

CATEGORICAL = ("sport", "league", "market", "institution_name", "bet_type")
names_of = itemgetter(*CATEGORICAL)
"""Of a bet's `vars`: attributes of pydantic's models take ten times as long."""
_OF_SEVERAL = frozenset({"market_prices", "legs"})
LISTS = _OF_SEVERAL | {"reference_prices"}
MAX_CLV_PCT = 1000.0
MAX_URL = 2000
MIN_LEGS, MAX_LEGS = 2, 25
_URL = re.compile(rf"https://[^\s{CONTROLS}]+", re.IGNORECASE)

_TRUTHS = {"true": True, "false": False}


class OddsLimits(NamedTuple):
    """Bounds of |American odds| that are accepted, both included."""

    smallest: float = 100.0
    largest: float = 100_000.0


def _truth(value: object) -> bool:
    if isinstance(value, str) and value.strip().lower() in _TRUTHS:
        return _TRUTHS[value.strip().lower()]
    if not isinstance(value, bool):
        raise ValueError(f"{shown(value)} is neither true nor false: send one of them")  # noqa: TRY004 - as above
    return value


def _clv(value: object) -> float | None:
    if value is None:
        return None
    number = plain_number(value)
    if number is None or not abs(number) <= MAX_CLV_PCT:
        raise ValueError(
            f"{shown(value)} is not a closing line value: send percent between -{MAX_CLV_PCT:g} and "
            f"{MAX_CLV_PCT:g}, or null while it is unknown"
        )
    return number


def _url(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not _URL.fullmatch(value.strip()) or len(value) > MAX_URL:
        raise ValueError(f"{shown(value)} is not a link: send https://… of at most {MAX_URL:,} characters")
    return value.strip()


def given(data: object) -> object:
    """A bet without the optional fields that are null, blank or an empty list: these are absent."""
    if not isinstance(data, dict):
        return data
    return {
        name: value
        for name, value in data.items()
        if name in _REQUIRED or not (is_nothing(value) or (value == [] and name in _OF_SEVERAL))
    }


def _leg(data: object) -> object:
    if isinstance(data, dict) and data.get("legs"):
        raise ValueError("a leg has no legs of its own: send each as a leg")
    return given(data)


class Leg(BaseModel):
    """What can be bet on by itself, or as a leg of a parlay. Prices are American once validated."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    sport: Text = Field(description="Sport", examples=["Basketball"])
    league: Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_TEXT, pattern=NO_CONTROLS)] = Field(
        "", description="League or tour; absent or empty where there is none", examples=["NBA"]
    )
    market: Text = Field(description="Market", examples=["Moneyline"])
    institution_name: Text = Field(description="Sportsbook", examples=["DraftKings"])
    bet_type: Text = Field("straight", description="straight, parlay, …", examples=["straight"])
    odds_format: OddsFormat = Field("american", description="How every price of the bet is written")
    odds: Annotated[float, PlainValidator(price_of, json_schema_input_type=float | str)] = Field(
        description="Price; American unless odds_format says otherwise: -110, 150, '+150', 'EVEN'",
        examples=[-110],
    )
    is_live: Annotated[bool, PlainValidator(_truth, json_schema_input_type=bool | Literal["true", "false"])] = Field(
        False, description="Placed while the event is running"
    )
    clv_percentage: Annotated[float | None, PlainValidator(_clv, json_schema_input_type=float | None)] = Field(
        None, description="Closing line value in percent; null while unknown", examples=[None]
    )
    placed_at: Moment = Field(
        None, description="When the bet is placed (ISO 8601; UTC without an offset); default: now"
    )
    event: Text | None = Field(None, description="The game or match", examples=["MTL @ BOS"])
    selection: Text | None = Field(None, description="What is bet on", examples=["MTL"])
    line: Line = Field(None, description="Handicap or total of the selection", examples=[-1.5])
    starts_at: Moment = Field(None, description="When the event starts (ISO 8601; UTC without an offset)")
    url: Annotated[str | None, PlainValidator(_url, json_schema_input_type=str | None)] = Field(
        None, description="Where the bet can be placed (https)"
    )
    market_prices: MarketPrices | None = Field(
        None, description="All sides of this market at this sportsbook, the bet's own among them"
    )
    reference_prices: ReferencePrices | None = Field(
        None, description="All sides of the same market at other sportsbooks"
    )

    @cached_property
    def own_sides(self) -> tuple[int, ...]:
        """Which of `market_prices` are the bet's market, its own side first; none where that is not among them."""
        if self.market_prices is None or self.selection is None:
            return ()
        return own_market(fold(self.selection), self.line, *sides_of(self.market_prices))


class Bet(Leg):
    """One bet as it stands on the odds page."""

    client_ref: Annotated[str, StringConstraints(max_length=MAX_TEXT, pattern=NO_CONTROLS)] | StrictInt | None = Field(
        None, description="Echoed in the answer"
    )
    legs: (
        Annotated[
            tuple[Annotated[Leg, BeforeValidator(_leg)], ...],
            Field(fail_fast=True, min_length=MIN_LEGS, max_length=MAX_LEGS),
        ]
        | None
    ) = Field(None, description="The bets that a parlay is made of")


_REQUIRED = frozenset(name for name, field in Bet.model_fields.items() if field.is_required())
