"""The starter models as a rival's author would load them: pickles, metadata, and eight features by hand."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

_FOLDER = Path(os.environ["MODEL_DIR"])


def load() -> tuple[Any, dict[str, Any]]:
    """The win model and its metadata."""
    with (_FOLDER / "win_probability_model_latest.pkl").open("rb") as file:
        model = pickle.load(file)  # noqa: S301 - our own file
    return model, json.loads((_FOLDER / "model_metadata_latest.json").read_text())


def decimal_odds(bet: dict[str, Any]) -> float:
    """The price, from any of the three formats."""
    odds, written = bet["odds"], bet.get("odds_format")
    if written == "decimal":
        return float(odds)
    if written == "fractional":
        won, staked = odds.split("/")
        return 1 + int(won) / int(staked)
    american = float(odds)
    return 1 + american / 100 if american > 0 else 1 - 100 / american


def row(bet: dict[str, Any], metadata: dict[str, Any]) -> list[float]:
    """The features, with constants for the history, as the predecessor did."""
    kinds = metadata["encoders"]["bet_type"]
    known = {
        "bet_type_encoded": float(kinds.index(bet.get("bet_type", "straight"))),
        "implied_prob": 1 / decimal_odds(bet),
        "is_live": float(bet.get("is_live", False)),
    }
    return [known.get(name, 0.0) for name in metadata["features"]]


def answer(probability: float, bet: dict[str, Any]) -> dict[str, Any]:
    """A prediction of the same size as ours."""
    decimal = decimal_odds(bet)
    roi = 100 * (probability * decimal - 1)
    kelly = max(0.0, (probability * decimal - 1) / (decimal - 1))
    return {
        "win_probability": probability, "expected_roi": roi, "kelly_fraction": kelly,
        "recommended_stake_pct": min(25 * kelly, 5), "confidence": 1.0, "bet_grade": "C", "profitable": roi > 0,
        "timestamp": "2026-01-01T00:00:00.000Z", "model_version": "x", "implied_probability": 1 / decimal,
        "edge": probability - 1 / decimal, "sample_size": 100, "warnings": [],
    }  # fmt: skip
