"""Grade, confidence and stake of predicted bets. Pure, vectorised over n bets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pikkit.bets.bet import CATEGORICAL, Grade

__all__ = ["GRADES", "Grading", "Rules", "confidence", "confidence_of_one", "grade", "grade_one", "stake_pct"]

Floats = npt.NDArray[np.float64]

GRADES: tuple[Grade, ...] = ("A", "B", "C", "D", "F")
_A, _B, _C, _D, _F = range(5)

HALF_SAMPLE = 100.0  # settled bets at which half of the confidence that a sample can add is reached
_UNKNOWN_COST = {"sport": 0.4, "league": 0.1, "market": 0.3, "institution_name": 0.1, "bet_type": 0.3}
_KEPT_OF_ONE = [1 - _UNKNOWN_COST[name] for name in CATEGORICAL]
_KEPT_WHEN_UNKNOWN = np.array(_KEPT_OF_ONE)


@dataclass(frozen=True, slots=True)
class Rules:
    """Thresholds: expected ROI in percent and confidence (fraction) that a grade must exceed."""

    a_roi: float = 5.0
    a_confidence: float = 0.7
    b_roi: float = 3.0
    b_confidence: float = 0.5
    c_roi: float = 0.0
    c_confidence: float = 0.3
    d_roi: float = -2.0
    kelly_multiplier: float = 0.25
    max_stake_pct: float = 5.0


@dataclass(frozen=True, slots=True)
class Grading:
    """`grade`: index into GRADES for each bet; `disagree`: the two models contradict each other about it."""

    grade: npt.NDArray[np.intp]
    disagree: npt.NDArray[np.bool_]


def confidence(sample_size: npt.NDArray[np.int64], unknown: npt.NDArray[np.bool_]) -> Floats:
    """How far to trust each prediction, from 0 to 1.

    (1/2 + 1/2 * n / (n + 100)) * product over unknown categories of (1 - cost), where n is the number of
    settled bets behind the features; the costs are 0.4 for the sport, 0.3 for market and bet type, 0.1 for
    league and sportsbook. Without history it is 0.5 at the most, so neither A nor B is given; it rises with
    n and falls with every unknown.

    Args:
        sample_size: settled bets behind the features, shape (n,).
        unknown: which of CATEGORICAL the model set never saw, shape (n, 5).
    """
    evidence = 0.5 + 0.5 * sample_size / (sample_size + HALF_SAMPLE)
    if not unknown.any():
        return np.asarray(evidence, dtype=np.float64)
    return np.asarray(evidence * np.where(unknown, _KEPT_WHEN_UNKNOWN, 1.0).prod(axis=1), dtype=np.float64)


def confidence_of_one(sample_size: int, unknown: Sequence[int]) -> float:
    """`confidence` of a single bet in plain numbers; `unknown`: positions in CATEGORICAL."""
    kept = 1.0
    for column in unknown:
        kept *= _KEPT_OF_ONE[column]
    return (0.5 + 0.5 * sample_size / (sample_size + HALF_SAMPLE)) * kept


def stake_pct(kelly: Floats, rules: Rules) -> Floats:
    """Recommended stake in percent of the bankroll: fractional Kelly, capped."""
    return np.minimum(100 * rules.kelly_multiplier * kelly, rules.max_stake_pct)


def grade(roi_pct: Floats, trust: Floats, kelly: Floats, rules: Rules) -> Grading:
    """Grade each bet: at most a C where the models disagree (Kelly > 0 but ROI <= 0, or the reverse).

    Args:
        roi_pct: expected ROI in percent, shape (n,).
        trust: confidence (fraction), shape (n,).
        kelly: full Kelly fraction, shape (n,).
        rules: thresholds.
    """
    staked = kelly > 0
    disagree = staked != (roi_pct > 0)
    best = np.where(roi_pct > rules.d_roi, _D, _F)
    best[(roi_pct > rules.c_roi) & (trust > rules.c_confidence)] = _C
    best[(roi_pct > rules.b_roi) & (trust > rules.b_confidence) & staked] = _B
    best[(roi_pct > rules.a_roi) & (trust > rules.a_confidence) & staked] = _A
    return Grading(np.where(disagree, np.maximum(best, _C), best), disagree)


def grade_one(roi_pct: float, trust: float, kelly: float, rules: Rules) -> tuple[int, bool]:
    """`grade` of a single bet in plain numbers: index into GRADES, and whether the models disagree."""
    staked = kelly > 0
    disagree = staked != (roi_pct > 0)
    if roi_pct > rules.a_roi and trust > rules.a_confidence and staked:
        best = _A
    elif roi_pct > rules.b_roi and trust > rules.b_confidence and staked:
        best = _B
    elif roi_pct > rules.c_roi and trust > rules.c_confidence:
        best = _C
    else:
        best = _D if roi_pct > rules.d_roi else _F
    return (max(best, _C) if disagree else best), disagree
