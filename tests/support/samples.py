"""Small stand-ins for tests that need a bet, its prediction or a model set's vocabulary, and no models."""

from dataclasses import dataclass, field
from typing import Any

from pikkit.bets.bet import Bet
from pikkit.bets.prediction import Grade, Prediction

_SPORTS = ("Basketball", "Tennis")
_MARKETS = ("Moneyline", "Total", "")


@dataclass
class Vocabulary:
    """An encoder by the port that metrics use: case-insensitive, trimmed."""

    classes: tuple[str, ...]

    def knows(self, value: str) -> bool:
        return value.strip().casefold() in {name.casefold() for name in self.classes}

    def canonical(self, value: str) -> str:
        return next(name for name in self.classes if name.casefold() == value.strip().casefold())


@dataclass
class Spec:
    encoders: dict[str, Vocabulary] = field(
        default_factory=lambda: {
            "sport": Vocabulary(_SPORTS),
            "league": Vocabulary(("NBA", "ATP")),
            "market": Vocabulary(_MARKETS),
            "institution_name": Vocabulary(("DraftKings",)),
            "bet_type": Vocabulary(("straight",)),
        }
    )
    names: tuple[str, ...] = ()


@dataclass
class Past:
    size: int = 321


@dataclass
class ModelSet:
    version: str = "20251222_131123"
    tag: str = "pikkit_bet_models:20251222_131123"
    sha256: str = "ab" * 32
    starter: bool = False
    spec: Spec = field(default_factory=Spec)
    history: Past = field(default_factory=Past)
    baseline: dict[str, Any] | None = None


def a_model_set(**changes: Any) -> ModelSet:
    return ModelSet(**changes)


def a_bet(**changes: Any) -> Bet:
    bet = {
        "sport": "Basketball",
        "league": "NBA",
        "market": "Moneyline",
        "institution_name": "DraftKings",
        "odds": -110,
    }
    return Bet.model_validate({**bet, **changes})


def a_prediction(grade: Grade = "C", **changes: Any) -> Prediction:
    prediction: Any = {
        "win_probability": 0.55,
        "expected_roi": 6.0,
        "kelly_fraction": 0.05,
        "recommended_stake_pct": 1.25,
        "confidence": 0.8,
        "bet_grade": grade,
        "profitable": True,
        "timestamp": "2026-01-31T19:30:00.000Z",
        "model_version": "20251222_131123",
        "implied_probability": 0.52,
        "edge": 0.03,
        "sample_size": 300,
        "warnings": [],
        "ttl_s": 60,
        "model_probability": 0.55,
        "fair_probability": None,
        "fair_method": None,
        "overround": None,
        "reference_age_s": None,
        **changes,
    }
    return prediction  # type: ignore[no-any-return]
