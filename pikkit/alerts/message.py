"""An alert: one bet graded A or B, what is told about it, and the key by which it is the same one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pikkit.bets.bet import Bet
from pikkit.bets.names import group_key
from pikkit.bets.odds import implied_probability
from pikkit.bets.prediction import Prediction

__all__ = ["Alert", "alert_id_of", "dedup_key", "make_alert"]

_BAND = 0.02  # of implied probability: a price that moves by less is the same bet
_TEXT = ("sport", "league", "market", "institution_name")
_SHOWN = (
    "win_probability",
    "expected_roi",
    "kelly_fraction",
    "recommended_stake_pct",
    "confidence",
    "bet_grade",
    "profitable",
    "implied_probability",
    "edge",
    "sample_size",
    "warnings",
    "timestamp",
)


@dataclass(frozen=True, slots=True)
class Alert:
    """`payload` is the JSON object that receivers get; `key` names the bet it is about."""

    alert_id: str
    key: str
    created_at: float  # seconds since the epoch
    payload: Mapping[str, Any]

    @property
    def grade(self) -> str:
        """A or B."""
        return str(self.payload["grade"])


def dedup_key(bet: Bet, model_version: str, now: float) -> str:
    """What makes two bets the same: names, price band, day (UTC) and model set."""
    band = round(float(implied_probability(bet.odds)) / _BAND)
    day = datetime.fromtimestamp(now, UTC).date().isoformat()
    parts = [*(group_key(name, getattr(bet, name)) for name in _TEXT), str(band), day, model_version]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def alert_id_of(key: str, now: float) -> str:
    """The idempotency key of the alert raised for `key` at this moment."""
    return hashlib.sha256(f"{key}\x1f{now:.6f}".encode()).hexdigest()[:32]


def make_alert(
    bet: Bet,
    prediction: Prediction,
    *,
    model_version: str,
    environment: str,
    deployment: str,
    now: float,
) -> Alert:
    """The alert about a graded bet."""
    key = dedup_key(bet, model_version, now)
    identifier = alert_id_of(key, now)
    stamp = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    payload = {
        "type": "high_grade_bet",
        "alert_id": identifier,
        "grade": prediction["bet_grade"],
        "bet": bet.model_dump(mode="json", exclude={"client_ref", "odds_format"}),
        "prediction": {name: prediction[name] for name in _SHOWN},  # type: ignore[literal-required]
        "environment": environment,
        "deployment": deployment,
        "model_version": model_version,
        "timestamp": stamp,
    }
    return Alert(identifier, key, now, payload)
