"""What goes out: a prediction, and the answer to a batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from pikkit.bets.odds import american_to_decimal, decimal_to_american
from pikkit.errors import ErrorBody

__all__ = ["GRADES", "BatchAnswer", "BatchError", "BatchItem", "BatchSummary", "Grade", "Prediction", "play_to"]

Grade = Literal["A", "B", "C", "D", "F"]
GRADES: tuple[Grade, ...] = ("A", "B", "C", "D", "F")  # the best first


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
    model_probability: Annotated[float, Field(ge=0, le=1, description="What the win model alone says")]
    fair_probability: Annotated[
        float | None,
        Field(ge=0, le=1, description="What the market's prices give without the vig; null without other prices"),
    ]
    fair_method: Annotated[
        Literal["reference", "market"] | None,
        Field(description="reference: other sportsbooks' prices; market: all sides at the bet's own"),
    ]
    overround: Annotated[float | None, Field(description="What the market's implied probabilities add up to, beyond 1")]
    reference_age_s: Annotated[
        float | None, Field(ge=0, description="Age in seconds of the oldest reference price that counts")
    ]
    client_ref: NotRequired[str | int]
    reasons: NotRequired[Annotated[list[str], Field(description="With explain=true: strongest contributions")]]


class BatchItem(TypedDict):
    """One graded bet of a batch; `bet` is what was sent."""

    index: int
    bet: dict[str, object]
    prediction: Prediction


class BatchError(TypedDict):
    """One bet of a batch that could not be graded."""

    index: int
    bet: object
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


def play_to(prediction: Mapping[str, Any], odds: float) -> float | None:
    """The worst price (American) at which the bet is still worth it, rounded to the bettor's side.

    Its expected ROI is the lower of two; from that follows the win probability p that it reckons with, and 1/p is the
    decimal price at which nothing is left.
    """
    decimal = float(american_to_decimal(float(odds)))
    chance = min(float(prediction["win_probability"]), (1 + float(prediction["expected_roi"]) / 100) / decimal)
    if not 0 < chance < 1:
        return None
    return float(math.ceil(round(float(decimal_to_american(1 / chance)), 6)))
