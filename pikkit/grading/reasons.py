"""Why a bet was graded as it was: the strongest feature contributions of each model, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pikkit.bets.numbers import Floats, sigmoid
from pikkit.features.table import Feature, Matrix

__all__ = ["Contributions", "reasons"]

_STRONGEST = 3
_LEAST_SHOWN = 0.05  # less would be shown as 0.0


@dataclass(frozen=True, slots=True)
class Contributions:
    """SHAP values by model, shape (n, k + 1), the last column being the model's base value; None where it has none.

    `win` is in log-odds: a row's sum is the logit of the win probability. `roi` is in percent: a row's sum is the
    expected ROI. `from_price`: the base value of a row is what its price alone says.
    """

    win: Floats | None
    roi: Floats | None
    from_price: bool = False


def reasons(contributions: Contributions, matrix: Matrix, features: Sequence[Feature]) -> list[list[str]]:
    """For each row up to three sentences per model, the strongest contribution first.

    Args:
        contributions: what each feature added.
        matrix: the feature rows, shape (n, k).
        features: the columns, k of them.
    """
    words: list[list[str]] = [[] for _ in range(len(matrix))]
    if contributions.win is not None:
        if contributions.from_price:
            for row, base in zip(words, sigmoid(contributions.win[:, -1]).tolist(), strict=True):
                row.append(f"the price alone gives a win probability of {100 * base:.1f} %")
        total = contributions.win.sum(axis=1, keepdims=True)
        # What the probability would lose without the one feature, in percentage points.
        points = 100 * (sigmoid(total) - sigmoid(total - contributions.win[:, :-1]))
        _add(words, points, matrix, features, "the win probability", "points")
    if contributions.roi is not None and not contributions.from_price:  # else it would say the same a second time
        _add(words, contributions.roi[:, :-1], matrix, features, "the expected ROI", "%")
    return words


def _add(
    words: list[list[str]],
    effects: Floats,
    matrix: Matrix,
    features: Sequence[Feature],
    target: str,
    unit: str,
) -> None:
    strongest = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :_STRONGEST]
    for row, columns in enumerate(strongest.tolist()):
        values = dict(zip((feature.name for feature in features), matrix[row].tolist(), strict=True))
        for column in columns:
            effect = float(effects[row, column])
            if abs(effect) >= _LEAST_SHOWN:
                verb = "raised" if effect > 0 else "lowered"
                phrase = features[column].words(values[features[column].name], values)
                words[row].append(f"{phrase} {verb} {target} by {abs(effect):.1f} {unit}")
