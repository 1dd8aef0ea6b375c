"""One decision for each bet: grade, stake and whether it is profitable, of one bet or of n bets alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

from pikkit.bets.numbers import Truth, Value, smaller

__all__ = ["Decision", "Rules", "decide"]


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


class Decision(NamedTuple):
    """`grade`: index into GRADES. `stake_pct`: percent of the bankroll. `disagree`: the two models contradict."""

    grade: Value
    stake_pct: Value
    profitable: Truth
    disagree: Truth


def decide(roi_pct: Value, trust: Value, kelly: Value, rules: Rules) -> Decision:
    """Grade, stake and `profitable`.

    At most a C where the models disagree (Kelly > 0 but ROI <= 0, or the reverse).

    Args:
        roi_pct: expected ROI in percent.
        trust: confidence (fraction).
        kelly: full Kelly fraction.
        rules: thresholds.
    """
    staked, profitable = kelly > 0, roi_pct > 0
    disagree = staked ^ profitable
    agree = disagree ^ True
    a = (roi_pct > rules.a_roi) & (trust > rules.a_confidence) & staked & agree
    b = (roi_pct > rules.b_roi) & (trust > rules.b_confidence) & staked & agree
    c = (roi_pct > rules.c_roi) & (trust > rules.c_confidence)
    d = roi_pct > rules.d_roi
    # How far down the grades it goes, in arithmetic that holds for one bet and for arrays: a step for each one missed.
    grade = cast("Value", (a ^ True) * (1 + (b ^ True) * (1 + (c ^ True) * (1 + (d ^ True)))))
    return Decision(grade, smaller(100 * rules.kelly_multiplier * kelly, rules.max_stake_pct), profitable, disagree)
