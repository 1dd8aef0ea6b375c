"""How good predicted probabilities are: log loss, Brier score, calibration error, AUC, and their uncertainty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pikkit.bets.numbers import Bools, Floats, log_losses, logit, sigmoid

__all__ = [
    "Calibration",
    "Interval",
    "Scores",
    "auc",
    "bootstrap_mean",
    "brier",
    "calibration",
    "ece",
    "log_losses",
    "percent",
    "reliability",
    "scores",
]


_BINS = 10
_EDGE = 1e-9
_NEWTON_STEPS = 50
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Log-odds of winning = intercept + slope * log-odds predicted, with standard errors (1.96 of them: 95 %)."""

    intercept: float
    intercept_error: float
    slope: float
    slope_error: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Measures over n bets."""

    bets: int
    log_loss: float
    brier: float
    ece: float
    auc: float


def brier(p: Floats, won: Bools) -> float:
    """Mean squared error of the probabilities (Brier 1950)."""
    return float(np.mean((p - won) ** 2))


def reliability(p: Floats, won: Bools) -> list[tuple[float, float, int]]:
    """(mean prediction, share won, bets) in bins of equal count."""
    order = np.argsort(p, kind="stable")
    return [
        (float(p[part].mean()), float(won[part].mean()), len(part))
        for part in np.array_split(order, min(_BINS, max(len(p), 1)))
        if len(part)
    ]


def ece(p: Floats, won: Bools) -> float:
    """Expected calibration error (fraction): mean gap between prediction and share won, in bins of equal count."""
    return sum(abs(mean - share) * bets for mean, share, bets in reliability(p, won)) / max(len(p), 1)


def calibration(p: Floats, won: Bools) -> Calibration:
    """Intercept and slope of the results on the predictions' log-odds (Cox 1958), by Newton's method.

    A slope below 1: too extreme; an intercept below 0 at a slope of 1: too high. NaN where all predictions or results
    are the same.
    """
    x = logit(np.clip(p, _EDGE, 1 - _EDGE))
    if np.ptp(x) == 0 or won.all() or not won.any():
        return Calibration(*[float("nan")] * 4)
    design = np.column_stack([np.ones(len(x)), x])
    theta = np.array([0.0, 1.0])
    for _ in range(_NEWTON_STEPS):
        with np.errstate(over="ignore"):  # where results contradict all that was said, it ends at 0
            now = sigmoid(design @ theta)
        information = (design * (now * (1 - now))[:, None]).T @ design
        step = np.linalg.lstsq(information, design.T @ (won - now), rcond=None)[0]
        theta += step
        if np.abs(step).max() < _EDGE:
            break
    intercept_error, slope_error = np.sqrt(np.diag(np.linalg.pinv(information))).tolist()
    return Calibration(float(theta[0]), intercept_error, float(theta[1]), slope_error)


def auc(p: Floats, won: Bools) -> float:
    """Chance that a bet that won was given more than one that lost (ties half); NaN without both."""
    wins = int(won.sum())
    if wins in (0, len(won)):
        return float("nan")
    values, positions, counts = np.unique(p, return_inverse=True, return_counts=True)
    del values
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[positions]
    return float((ranks[won].sum() - wins * (wins + 1) / 2) / (wins * (len(won) - wins)))


def scores(p: Floats, won: Bools) -> Scores:
    """All of them."""
    return Scores(len(p), float(log_losses(p, won).mean()), brier(p, won), ece(p, won), auc(p, won))


def bootstrap_mean(values: Floats, *, statistic: Callable[[Floats], Floats] | None = None) -> Interval:
    """Mean of the values with its 95 % percentile interval (Efron 1979).

    Args:
        values: one per bet.
        statistic: maps an array (resamples, n) to (resamples,); default: the mean over the bets.
    """
    if not len(values):
        return Interval(float("nan"), float("nan"), float("nan"))
    pick = np.random.default_rng(0)
    measure = statistic or (lambda rows: rows.mean(axis=-1))
    means = np.concatenate(
        [measure(values[pick.integers(0, len(values), (50, len(values)))]) for _ in range(_RESAMPLES // 50)]
    )
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(measure(values[None, :])[0]), float(low), float(high))


def percent(interval: Interval) -> str:
    """The interval of percents in words; nothing where there is none."""
    return "" if np.isnan(interval.mean) else f"{interval.mean:+.1f} [{interval.low:+.1f}, {interval.high:+.1f}]"
