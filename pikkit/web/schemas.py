"""Bodies of the reporting routes, and what JSON Schema says beyond the types of a bet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from typing_extensions import TypedDict

from pikkit.bets.prediction import Prediction
from pikkit.bets.prices import NO_CONTROLS, NOT_BLANK
from pikkit.errors import ErrorBody

__all__ = ["BET_RULES", "QUERY_RULES", "HealthBody", "LegacyBatchAnswer", "ModelInfoBody", "ReloadBody", "StateBody"]


class HealthBody(TypedDict):
    """`degraded`: it serves with a fault (`reload_error`), or has no model set. `alerts`: "on", or "off, because …"."""

    status: Literal["healthy", "degraded"]
    models_loaded: bool
    model_timestamp: str | None
    starter_models: bool | None
    model_source: str | None
    history: str | None
    reload_error: str | None
    alerts: str
    environment: str
    version: str
    deployment: str
    uptime_seconds: float


class ModelInfoBody(TypedDict):
    """The model set that serves, without what is long. `model_source`: import, MODEL_DIR or store (docs/models.md)."""

    metadata: dict[str, Any]
    feature_names: list[str]
    feature_count: int
    loaded_at: str | None
    encoders: dict[str, list[Any]]
    bundle_tag: str
    sha256: str
    starter_models: bool
    model_source: str
    history_size: int
    history: str


class ReloadBody(TypedDict):
    """What a look at MODEL_DIR came to."""

    status: Literal["success"]
    message: str
    changed: bool
    model_version: str


class StateBody(TypedDict):
    """One word."""

    status: Literal["alive", "ready", "starting"]


class FailedBet(TypedDict):
    """A bet of a legacy batch that could not be graded."""

    error: ErrorBody


class LegacyBatchAnswer(TypedDict):
    """Predictions or errors in the order of the bets."""

    predictions: list[Prediction | FailedBet]
    count: int


_TEXT = {
    "type": "string",
    "minLength": 1,
    "maxLength": 200,
    "pattern": NOT_BLANK,
}
_TIME = {
    "type": "string",
    "pattern": r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$",
    "examples": ["2026-01-31T19:30:00Z"],
}
_CLV = {"type": "number", "minimum": -1000, "maximum": 1000}

# The patterns describe what every client can safely send; the service reads a little more.
BET_RULES: Mapping[str, Any] = {
    **{
        name: {**_TEXT, "description": text, "examples": [example]}
        for name, text, example in (
            ("sport", "Sport", "Basketball"),
            ("league", "League or tour", "NBA"),
            ("market", "Market", "Moneyline"),
            ("institution_name", "Sportsbook", "DraftKings"),
        )
    },
    "bet_type": {**_TEXT, "description": "straight, parlay, …", "default": "straight"},
    "clv_percentage": {
        "anyOf": [_CLV, {"type": "null"}],
        "description": "Closing line value in percent; null while unknown",
        "default": None,
    },
    "placed_at": {
        "anyOf": [_TIME, {"type": "null"}],
        "description": "When the bet is placed (ISO 8601; UTC without an offset); default: now",
        "default": None,
    },
}

QUERY_RULES: Mapping[str, Any] = {
    "odds": {
        "anyOf": [
            {"type": "number", "minimum": 100, "maximum": 100_000},
            {"type": "number", "minimum": -100_000, "maximum": -100},
        ]
    },
    "odds_format": {"type": "string", "enum": ["american"], "default": "american"},
    "is_live": {"type": "boolean", "default": False},
    "clv_percentage": _CLV,
    "client_ref": {"type": "string", "maxLength": 200, "pattern": NO_CONTROLS},
    "placed_at": _TIME,
}
