"""What a price alone says of the result, as past bets bear it out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pikkit.bets.numbers import Bools, Floats, logit, sigmoid

__all__ = ["FOLDS", "Prior", "fit_prior"]

FOLDS = 4  # later parts of the bets on which what the earlier ones gave is judged
_NEWTON_STEPS = 50
# The price is believed as if this much information (about 16,000 even-money bets) had shown that it is right. Of 300,
# 1000, 4000 and the bare price, on five later parts of the training bets: the firmest within one standard error of the
# best.
_BELIEF = 4000.0


@dataclass(frozen=True, slots=True)
class Prior:
    """margin = intercept + slope * logit(implied); `information`: 2 x 2 Fisher information behind the two."""

    intercept: float
    slope: float
    information: Floats

    def margin(self, implied: Floats) -> Floats:
        """Log-odds by the price alone."""
        return self.intercept + self.slope * logit(implied)


def fit_prior(implied: Floats, won: Bools, *, offset: Floats | None = None, known: Prior | None = None) -> Prior:
    """Logistic regression of the result on the price's log-odds (Newton's method), held to the price itself.

    Args:
        implied: implied probabilities (fractions).
        won: results.
        offset: log-odds that are added to each margin and stay as they are.
        known: what earlier data say; it counts with its information.
    """
    design = np.column_stack([np.ones(len(implied)), logit(implied)])
    start = np.array([known.intercept, known.slope]) if known else np.array([0.0, 1.0])
    weight = known.information if known else np.eye(2) * _BELIEF
    theta = start.copy()
    fixed = np.zeros(len(implied)) if offset is None else offset
    information = weight
    for _ in range(_NEWTON_STEPS):
        p = sigmoid(design @ theta + fixed)
        information = (design * (p * (1 - p))[:, None]).T @ design + weight
        step = np.linalg.solve(information, design.T @ (won - p) - weight @ (theta - start))
        theta += step
        if np.abs(step).max() < 1e-10:  # noqa: PLR2004 - far below what matters
            break
    return Prior(float(theta[0]), float(theta[1]), information)
