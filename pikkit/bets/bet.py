"""A bet as it stands on the odds page, and the rules of its fields."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StrictInt,
    StringConstraints,
    ValidationInfo,
)

from pikkit.bets.odds import parse_american, parse_decimal, parse_fractional
from pikkit.bets.shown import shown

__all__ = ["CATEGORICAL", "MAX_CLV_PCT", "MAX_TEXT", "WHITE_SPACE", "Bet", "OddsFormat", "OddsLimits"]

CATEGORICAL = ("sport", "league", "market", "institution_name", "bet_type")
MAX_TEXT = 200
MAX_CLV_PCT = 1000.0
_FIRST_YEAR, _LAST_YEAR = 1971, 2100

OddsFormat = Literal["american", "decimal", "fractional"]

_TRUTHS = {"true": True, "false": False}
_PARSERS = {"american": parse_american, "decimal": parse_decimal, "fractional": parse_fractional}


@dataclass(frozen=True, slots=True)
class OddsLimits:
    """Bounds of |American odds| that are accepted, both included."""

    smallest: float = 100.0
    largest: float = 100_000.0


def _odds(value: object, info: ValidationInfo) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(  # noqa: TRY004 - pydantic reports ValueError as the field's own
            f"{shown(value)} is not a price: send American odds such as -110 or +150"
        )
    return _PARSERS[info.data.get("odds_format", "american")](value)


def _truth(value: object) -> bool:
    if isinstance(value, str) and value.strip().lower() in _TRUTHS:
        return _TRUTHS[value.strip().lower()]
    if not isinstance(value, bool):
        raise ValueError(f"{shown(value)} is neither true nor false: send one of them")  # noqa: TRY004 - as above
    return value


def _clv(value: object) -> float | None:
    if value is None:
        return None
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        number = None
    if number is None or not abs(number) <= MAX_CLV_PCT:
        raise ValueError(
            f"{shown(value)} is not a closing line value: send percent between -{MAX_CLV_PCT:g} and "
            f"{MAX_CLV_PCT:g}, or null while it is unknown"
        )
    return number


def _placed_at(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if not isinstance(moment, datetime) or not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(
            f"{shown(value)} is not a time: send ISO 8601 such as 2026-01-31T19:30:00Z, "
            f"between {_FIRST_YEAR} and {_LAST_YEAR}"
        )
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# What strip_whitespace strips, as the inside of a character class. (`\s` differs by language: U+0085, U+FEFF.)
WHITE_SPACE = r"\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT)]


class Bet(BaseModel):
    """One bet as it stands on the odds page. `odds` is American once validated, whatever the format sent."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    sport: Text = Field(description="Sport", examples=["Basketball"])
    league: Text = Field(description="League or tour", examples=["NBA"])
    market: Text = Field(description="Market", examples=["Moneyline"])
    institution_name: Text = Field(description="Sportsbook", examples=["DraftKings"])
    bet_type: Text = Field("straight", description="straight, parlay, …", examples=["straight"])
    odds_format: OddsFormat = Field("american", description="How `odds` is written")
    odds: Annotated[float, PlainValidator(_odds, json_schema_input_type=float | str)] = Field(
        description="Price; American unless odds_format says otherwise: -110, 150, '+150', 'EVEN'",
        examples=[-110],
    )
    is_live: Annotated[bool, PlainValidator(_truth, json_schema_input_type=bool | Literal["true", "false"])] = Field(
        False, description="Placed while the event is running"
    )
    clv_percentage: Annotated[float | None, PlainValidator(_clv, json_schema_input_type=float | None)] = Field(
        None, description="Closing line value in percent; null while unknown", examples=[None]
    )
    client_ref: Annotated[str, StringConstraints(max_length=MAX_TEXT)] | StrictInt | None = Field(
        None, description="Echoed in the answer"
    )
    placed_at: Annotated[datetime | None, PlainValidator(_placed_at, json_schema_input_type=str | None)] = Field(
        None, description="When the bet is placed (ISO 8601; UTC without an offset); default: now"
    )
