"""How far to trust a prediction, from 0 to 1."""

from __future__ import annotations

from collections.abc import Mapping

from pikkit.bets.numbers import Truth, Value

__all__ = ["HALF_SAMPLE", "UNKNOWN_COST", "confidence"]

HALF_SAMPLE = 100.0  # settled bets at which half of the confidence that a sample can add is reached
UNKNOWN_COST: Mapping[str, float] = {
    "sport": 0.4,
    "league": 0.1,
    "market": 0.3,
    "institution_name": 0.1,
    "bet_type": 0.3,
}


def confidence(sample_size: Value, unknown: Mapping[str, Truth]) -> Value:
    """Confidence in one bet or in n bets.

    (1/2 + 1/2 * n / (n + 100)) * product over unknown categories of (1 - cost), where n is the number of settled bets
    behind the features. Without history it is 0.5 at the most, so neither A nor B is given; it rises with n and falls
    with every unknown.

    Args:
        sample_size: settled bets behind the features.
        unknown: for each of CATEGORICAL, whether the model set never saw the name.
    """
    trust: Value = 0.5 + 0.5 * sample_size / (sample_size + HALF_SAMPLE)
    for column, cost in UNKNOWN_COST.items():
        trust = trust * (1 - cost * unknown[column])
    return trust
