"""What comes in and what goes out: a bet, its columns, a prediction, and the batch envelopes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple, NotRequired

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Le, Lt
from pydantic import (
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    PlainValidator,
    Strict,
    StrictBool,
    StrictInt,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
)
from typing_extensions import TypedDict

from pikkit.bets.odds import parse_american, parse_decimal, parse_fractional
from pikkit.errors import ErrorBody, InvalidBet

__all__ = [
    "CATEGORICAL",
    "WHITE_SPACE",
    "BatchAnswer",
    "BatchError",
    "BatchItem",
    "BatchSummary",
    "Bet",
    "BetColumns",
    "BetNumbers",
    "Grade",
    "OddsFormat",
    "OddsLimits",
    "Prediction",
    "read_bet",
    "read_bets",
    "unknown_fields",
]

CATEGORICAL = ("sport", "league", "market", "institution_name", "bet_type")
MAX_TEXT = 200
_MAX_CLV_PCT = 1000.0
_EVEN, _PLAIN = 100, 10**9
_FIRST_YEAR, _LAST_YEAR = 1971, 2100

Grade = Literal["A", "B", "C", "D", "F"]
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
            f"{_shown(value)} is not a price: send American odds such as -110 or +150"
        )
    return _PARSERS[info.data.get("odds_format", "american")](value)


def _truth(value: object) -> bool:
    if isinstance(value, str) and value.strip().lower() in _TRUTHS:
        return _TRUTHS[value.strip().lower()]
    if not isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is neither true nor false: send one of them")  # noqa: TRY004 - as above
    return value


def _clv(value: object) -> float | None:
    if value is None:
        return None
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        number = None
    if number is None or not abs(number) <= _MAX_CLV_PCT:
        raise ValueError(
            f"{_shown(value)} is not a closing line value: send percent between -{_MAX_CLV_PCT:g} and "
            f"{_MAX_CLV_PCT:g}, or null while it is unknown"
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
            f"{_shown(value)} is not a time: send ISO 8601 such as 2026-01-31T19:30:00Z, "
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


class _PlainBet(Bet):
    """A bet as nearly all are sent: each value in its own type, American odds. Checked without a call into Python."""

    odds_format: Literal["american"] = "american"
    odds: Annotated[float, Strict(), Gt(_EVEN), Lt(_PLAIN)] | Annotated[float, Strict(), Lt(-_EVEN), Gt(-_PLAIN)]
    is_live: StrictBool = False
    clv_percentage: Annotated[float, Strict(), Ge(-_MAX_CLV_PCT), Le(_MAX_CLV_PCT)] | None = None
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
            f"{_shown(data)} is not a bet: send an object with sport, league, market, institution_name, odds"
        )
    try:
        bet = Bet.model_validate(data)
    except ValidationError as error:
        raise _explained(error, data) from None
    if not limits.smallest <= abs(bet.odds) <= limits.largest:
        raise InvalidBet(
            f"odds {_shown(data['odds'])} are outside ±{limits.smallest:g} … ±{limits.largest:g} (American): "
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
    return [_clip(name) for name in sorted(data.keys() - _FIELDS)[:5]]


def _explained(error: ValidationError, data: Mapping[str, object]) -> InvalidBet:
    first = error.errors(include_url=False, include_context=True, include_input=False)[0]
    field = str(first["loc"][0])
    rule = _RULES[field]
    if first["type"] == "missing":
        return InvalidBet(f"{field} is missing: send {rule}", field=field)
    if first["type"] == "value_error":
        return InvalidBet(f"{field} {first['ctx']['error']}", field=field)
    return InvalidBet(f"{field} {_shown(data[field])} is refused: send {rule}", field=field)


def _clip(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else text[:limit] + "…"


def _shown(value: object) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return f"({len(value)} characters)"
    try:
        return _clip(repr(value))
    except ValueError:  # Python refuses to write integers of more than 4,300 digits
        return "(a number of thousands of digits)"


class BetNumbers(NamedTuple):
    """The numbers among the columns of n bets."""

    odds: npt.NDArray[np.float64]  # American
    is_live: npt.NDArray[np.bool_]
    clv_percentage: npt.NDArray[np.float64]  # percent; NaN: unknown
    placed_at: npt.NDArray[np.float64]  # seconds since the epoch, UTC

    @classmethod
    def of(cls, bets: Sequence[Bet], now: float) -> BetNumbers:
        """Columns of validated bets; `now` (epoch seconds) stands in where placed_at is not given."""
        nan = float("nan")
        floats = partial(np.array, dtype=np.float64)
        return cls(
            odds=floats([bet.odds for bet in bets]),
            is_live=np.array([bet.is_live for bet in bets], dtype=np.bool_),
            clv_percentage=floats([nan if bet.clv_percentage is None else bet.clv_percentage for bet in bets]),
            placed_at=floats([now if bet.placed_at is None else bet.placed_at.timestamp() for bet in bets]),
        )


@dataclass(frozen=True, slots=True)
class BetColumns:
    """n bets, column by column: what features are computed from."""

    sport: list[str]
    league: list[str]
    market: list[str]
    institution_name: list[str]
    bet_type: list[str]
    odds: npt.NDArray[np.float64]  # American
    is_live: npt.NDArray[np.bool_]
    clv_percentage: npt.NDArray[np.float64]  # percent; NaN: unknown
    placed_at: npt.NDArray[np.float64]  # seconds since the epoch, UTC

    def __len__(self) -> int:
        return len(self.sport)

    def categorical(self) -> Iterator[tuple[str, list[str]]]:
        """The five text columns by name, in the order of CATEGORICAL."""
        return ((name, getattr(self, name)) for name in CATEGORICAL)

    @classmethod
    def of(cls, bets: Sequence[Bet], now: float) -> BetColumns:
        """Columns of validated bets; `now` (epoch seconds) stands in where placed_at is not given."""
        numbers = BetNumbers.of(bets, now)
        return cls(
            sport=[bet.sport for bet in bets],
            league=[bet.league for bet in bets],
            market=[bet.market for bet in bets],
            institution_name=[bet.institution_name for bet in bets],
            bet_type=[bet.bet_type for bet in bets],
            odds=numbers.odds,
            is_live=numbers.is_live,
            clv_percentage=numbers.clv_percentage,
            placed_at=numbers.placed_at,
        )


class Prediction(TypedDict):
    """The answer to one bet. Probabilities are fractions; ROI and stake are percent."""

    win_probability: Annotated[float, Field(ge=0, le=1)]
    expected_roi: Annotated[float, Field(description="Expected profit in percent of the stake")]
    kelly_fraction: Annotated[float, Field(ge=0, le=1, description="Full Kelly stake, fraction of the bankroll")]
    recommended_stake_pct: Annotated[
        float, Field(ge=0, le=100, description="Fractional Kelly stake, percent of the bankroll, capped")
    ]
    confidence: Annotated[float, Field(ge=0, le=1)]
    bet_grade: Grade
    profitable: Annotated[bool, Field(description="expected_roi is above 0")]
    timestamp: Annotated[str, Field(description="UTC, ISO 8601 with Z")]
    model_version: str
    implied_probability: Annotated[float, Field(ge=0, le=1, description="The price's own probability, vig included")]
    edge: Annotated[float, Field(description="win_probability - implied_probability")]
    sample_size: Annotated[int, Field(ge=0, description="Settled bets behind the features")]
    warnings: list[str]
    ttl_s: Annotated[int, Field(description="Seconds for which the answer may be reused")]
    client_ref: NotRequired[str | int]
    reasons: NotRequired[Annotated[list[str], Field(description="With explain=true: strongest contributions")]]


class BatchItem(TypedDict):
    """One graded bet of a batch; `bet` is what was sent."""

    index: int
    bet: dict[str, Any]
    prediction: Prediction


class BatchError(TypedDict):
    """One bet of a batch that could not be graded."""

    index: int
    bet: Any
    error: ErrorBody


class BatchSummary(TypedDict):
    """Counts and means over a batch; the means are null when nothing was graded."""

    total: int
    successful: int
    failed: int
    grade_distribution: dict[Grade, int]
    average_expected_roi: float | None
    average_win_probability: float | None


class BatchAnswer(TypedDict):
    """The answer to batch-predict."""

    predictions: list[BatchItem]
    errors: list[BatchError]
    summary: BatchSummary
