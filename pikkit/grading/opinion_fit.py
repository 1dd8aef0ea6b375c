"""How much a win model's opinion counts beside the market's: fitted on settled bets, checked on later ones."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from pikkit.bets.numbers import Bools, Floats, log_losses, logit, sigmoid
from pikkit.bets.odds import implied_probability
from pikkit.features.rows import build_rows
from pikkit.grading.figures import Models
from pikkit.grading.opinion import Opinion
from pikkit.grading.price_prior import FOLDS, fit_prior
from pikkit.history.history import SettledBets, as_of

__all__ = ["ENOUGH_BETS", "ENOUGH_UNSEEN", "fit_opinion", "opinion_of", "price_range"]

ENOUGH_BETS = 100  # beyond a bound of the price range there are fewer
ENOUGH_UNSEEN = 500  # bets that a model has not learnt from, below which it gets no weight
_EDGE = 1e-6
_NEWTON_STEPS = 30
_LEAST_INFORMATION = 1.0  # with less, a weight between 0 and 1 is not known to within 1: the model has no opinion


def opinion_of(models: Models, settled: SettledBets, learnt_until: float) -> tuple[Opinion, int]:
    """The opinion of a set on settled bets, and how many of these it can't have learnt from.

    Only later bets than those that a model learnt from show whether what it says beyond the price is true; of its own
    it is right about too much. Where there are too few of them, it gets no weight.

    Args:
        models: the set.
        settled: past bets, oldest first.
        learnt_until: seconds since the epoch; what was placed later, the models have not seen.
    """
    rows = build_rows(settled.bets, as_of(settled), models.spec)
    model = np.clip(models.win_probability(rows.matrix), 0.0, 1.0)
    implied = implied_probability(settled.bets.odds)
    intercept, slope = _lie(model, implied)
    lowest, highest = price_range(implied)
    opinion = Opinion(intercept, slope, 0.0, 0.0, lowest, highest)
    unseen = settled.bets.placed_at > learnt_until
    count = int(unseen.sum())
    if count >= ENOUGH_UNSEEN:
        later = fit_opinion(model[unseen], implied[unseen], settled.won[unseen])
        opinion = replace(later, lowest=lowest, highest=highest)
    return opinion, count


def fit_opinion(
    model: Floats,
    implied: Floats,
    won: Bools,
    *,
    fair_market: Floats | None = None,
    fair_reference: Floats | None = None,
) -> Opinion:
    """Fit how a model's opinion lies to the raw price, and how much of the rest proved true.

    The weights are 0 unless they save more log loss on later folds than its standard error. Where no fair
    probabilities are given, the price as earlier bets bear it out stands in for the own market's; a reference can't be
    stood in for, so its weight is 0 then.

    Args:
        model: what the model gave (fractions), oldest bet first.
        implied: implied probabilities of the raw prices (fractions).
        won: results.
        fair_market: the own market's without vig (fractions).
        fair_reference: other sportsbooks' (fractions).
    """
    intercept, slope = _lie(model, implied)
    lowest, highest = price_range(implied)
    opinion = Opinion(intercept, slope, 0.0, 0.0, lowest, highest)
    return replace(
        opinion,
        weight_market=_weight(model, implied, won, fair_market),
        weight_reference=0.0 if fair_reference is None else _weight(model, implied, won, fair_reference),
    )


def price_range(implied: Floats) -> tuple[float, float]:
    """Implied probabilities (fractions) between which there are enough settled bets; all where there are few bets."""
    if len(implied) <= 2 * ENOUGH_BETS:
        return 0.0, 1.0
    ordered = np.sort(implied)
    return float(ordered[ENOUGH_BETS]), float(ordered[-ENOUGH_BETS - 1])


def _lie(model: Floats, implied: Floats) -> tuple[float, float]:
    """Intercept and slope of the model's log-odds on the raw price's, by least squares."""
    design = np.column_stack([np.ones(len(implied)), _safe_logit(implied)])
    intercept, slope = np.linalg.lstsq(design, _safe_logit(model), rcond=None)[0].tolist()
    return float(intercept), float(slope)


def _weight(model: Floats, implied: Floats, won: Bools, fair: Floats | None) -> float:
    """The weight that all bets give, from 0 to 1, if the folds confirm that there is one; else 0."""
    edges = np.linspace(0, len(won), FOLDS + 2).astype(int)[1:]
    saved = []
    for start, end in itertools.pairwise(edges):
        earlier, later = slice(0, start), slice(start, end)
        base, beyond = _parts(model, implied, won, fair, earlier)
        weight = _best_weight(base[earlier], beyond[earlier], won[earlier])
        without, beside = sigmoid(base[later]), sigmoid(base[later] + weight * beyond[later])
        saved.append(log_losses(without, won[later]) - log_losses(beside, won[later]))
    gains = np.concatenate(saved)
    if not gains.mean() > gains.std() / np.sqrt(len(gains)):
        return 0.0
    base, beyond = _parts(model, implied, won, fair, slice(0, len(won)))
    return _best_weight(base, beyond, won)


def _parts(model: Floats, implied: Floats, won: Bools, fair: Floats | None, known: slice) -> tuple[Floats, Floats]:
    """Log-odds of the market, and what the model says beyond them, by what is known from some bets."""
    intercept, slope = _lie(model[known], implied[known])
    beyond = _safe_logit(model) - intercept - slope * _safe_logit(implied)
    if fair is not None:
        return _safe_logit(fair), beyond
    return fit_prior(implied[known], won[known]).margin(implied), beyond


def _best_weight(base: Floats, beyond: Floats, won: Bools) -> float:
    """Logistic regression of the result on what the model says beyond the market (Newton's method), from 0 to 1."""
    weight = 0.0
    for _ in range(_NEWTON_STEPS):
        p = sigmoid(base + weight * beyond)
        information = float((beyond**2 * p * (1 - p)).sum())
        if information < _LEAST_INFORMATION:
            return 0.0
        step = float((beyond * (won - p)).sum()) / information
        weight = min(max(weight + step, 0.0), 1.0)
        if abs(step) < _EDGE:
            break
    return weight


def _safe_logit(p: Floats) -> Floats:
    return logit(np.clip(p, _EDGE, 1 - _EDGE))
