"""A win model on top of the market's price: the price is the prior, trees add what past results show beyond it.

margin = intercept + slope * logit(implied probability) + trees. Everything is chosen on time-ordered folds of the
training part; trees that do not beat the price by more than noise, there and on the calibration part, are left out:
the market is the floor.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost

from pikkit.bets.numbers import Bools, Floats, log_losses, logit, sigmoid
from pikkit.features.table import Matrix
from pikkit.grading.price_prior import FOLDS, Prior, fit_prior

__all__ = ["Choice", "Fitted", "Prior", "calibrate", "choose", "fit", "fit_prior", "logit"]


ROUNDS = (5, 10, 20, 40, 80, 160)
_GRID: Sequence[dict[str, Any]] = tuple(
    {"max_depth": depth, "min_child_weight": weight, "reg_lambda": ridge}
    for depth, weight, ridge in ((1, 40, 50), (2, 40, 50), (2, 40, 10), (3, 20, 10))
)
_ETA = 0.08


@dataclass(frozen=True, slots=True)
class Choice:
    """What the folds chose. `gain`: mean log loss saved against the price; `noise`: its standard error."""

    parameters: dict[str, Any]
    rounds: int
    gain: float
    noise: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """A win model: the prior and a classifier that was trained on top of it."""

    prior: Prior
    classifier: xgboost.XGBClassifier
    choice: Choice

    def trees(self, matrix: Matrix) -> Floats:
        """What the trees add to the margin."""
        zero = np.zeros(len(matrix), dtype=np.float32)
        raw = self.classifier.predict(matrix, output_margin=True, base_margin=zero)
        return np.asarray(raw, dtype=np.float64)

    def predict(self, matrix: Matrix, implied: Floats) -> Floats:
        """Win probability (fraction)."""
        return sigmoid(self.prior.margin(implied) + self.trees(matrix))


def choose(
    matrix: Matrix,
    implied: Floats,
    won: Bools,
    *,
    rising: Sequence[bool],
    seed: int,
    progress: Callable[[], None] = lambda: None,
) -> Choice:
    """Parameters and number of rounds by the log loss on later bets, over expanding folds.

    Of all that are within one standard error of the best, the smallest model is taken (Breiman et al. 1984); where
    the best itself gains less than that, the price alone (0 rounds).

    Args:
        matrix: feature rows, oldest bet first.
        implied: implied probabilities (fractions).
        won: results.
        rising: which features may only raise the probability.
        seed: of the trees' sampling.
        progress: called after each model.
    """
    edges = np.linspace(0, len(won), FOLDS + 2).astype(int)[1:]
    saved: dict[tuple[int, int], list[Floats]] = {}
    for start, end in itertools.pairwise(edges):
        prior = fit_prior(implied[:start], won[:start])
        base = prior.margin(implied)
        market = log_losses(sigmoid(base[start:end]), won[start:end])
        for number, parameters in enumerate(_GRID):
            model = _classifier({**parameters, **_monotone(rising)}, ROUNDS[-1], seed)
            model.fit(matrix[:start], won[:start].astype(int), base_margin=base[:start])
            for rounds in ROUNDS:
                raw = model.predict(
                    matrix[start:end], output_margin=True, base_margin=base[start:end], iteration_range=(0, rounds)
                )
                losses = log_losses(sigmoid(np.asarray(raw, dtype=np.float64)), won[start:end])
                saved.setdefault((number, rounds), []).append(market - losses)
            progress()
    gains = {key: np.concatenate(parts) for key, parts in saved.items()}
    best = max(gains, key=lambda key: float(gains[key].mean()))
    gain = float(gains[best].mean())
    noise = float(gains[best].std() / np.sqrt(len(gains[best])))
    if gain <= noise:
        return Choice(dict(_GRID[best[0]]), 0, gain, noise)
    close = [key for key, values in gains.items() if values.mean() >= gain - noise]
    number, rounds = min(close, key=lambda key: (_GRID[key[0]]["max_depth"] * key[1], key))
    return Choice(dict(_GRID[number]), rounds, float(gains[number, rounds].mean()), noise)


def fit(matrix: Matrix, implied: Floats, won: Bools, choice: Choice, *, rising: Sequence[bool], seed: int) -> Fitted:
    """The win model with the chosen parameters."""
    prior = fit_prior(implied, won)
    # A classifier has one tree at least; with this gamma it is a single leaf, which adds next to nothing.
    parameters = {**choice.parameters, **_monotone(rising)} if choice.rounds else {"gamma": 1e9, "reg_lambda": 1e9}
    model = _classifier(parameters, max(choice.rounds, 1), seed)
    model.fit(matrix, won.astype(int), base_margin=prior.margin(implied))
    return Fitted(prior, model, choice)


def calibrate(fitted: Fitted, price: Fitted, matrix: Matrix, implied: Floats, won: Bools) -> Fitted:
    """Intercept and slope weighed anew on later bets; the trees stay only if these bets confirm them.

    Args:
        fitted: the win model.
        price: the one without trees, which is returned unless the gain is beyond one standard error here too.
        matrix: feature rows of the later bets.
        implied: their implied probabilities (fractions).
        won: their results.
    """
    both = []
    for model in (fitted, price):
        prior = fit_prior(implied, won, offset=model.trees(matrix), known=model.prior)
        both.append(Fitted(prior, model.classifier, model.choice))
    losses = [log_losses(model.predict(matrix, implied), won) for model in both]
    saved = losses[1] - losses[0]
    return both[0] if saved.mean() > saved.std() / np.sqrt(len(saved)) else both[1]


def _monotone(rising: Sequence[bool]) -> dict[str, Any]:
    return {"monotone_constraints": tuple(int(up) for up in rising)}


def _classifier(parameters: dict[str, Any], rounds: int, seed: int) -> xgboost.XGBClassifier:
    return xgboost.XGBClassifier(
        n_estimators=rounds,
        learning_rate=_ETA,
        tree_method="hist",
        max_bin=64,
        subsample=0.8,
        colsample_bytree=0.8,
        random_state=seed,
        n_jobs=2,
        **parameters,
    )
