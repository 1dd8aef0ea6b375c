"""One decision for each bet: grade, stake and whether it is profitable, of one bet or of n bets alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

from pikkit.bets.numbers import Truth, Value, rounded, smaller

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
    """`grade`: index into GRADES. `stake_pct`: percent of the bankroll, to six digits."""

    grade: Value
    stake_pct: Value
    profitable: Truth


def decide(roi_pct: Value, trust: Value, kelly: Value, rules: Rules, *, limited: Truth = False) -> Decision:
    """Grade, stake and `profitable`, which never contradict each other.

    Worth a stake is a bet whose expected ROI is above 0 and whose stake is not 0: only such a bet is an A, B or C,
    and only an A, B or C has a stake and is profitable, whatever the thresholds.

    Args:
        roi_pct: expected ROI in percent; of two, the lower.
        trust: confidence (fraction).
        kelly: full Kelly fraction.
        rules: thresholds.
        limited: the grade is a D at the most, for a reason that the figures do not have.
    """
    [stake] = rounded(smaller(100 * rules.kelly_multiplier * kelly, rules.max_stake_pct))
    worth = (roi_pct > 0) & (stake > 0) & (limited ^ True)
    a = worth & (roi_pct > rules.a_roi) & (trust > rules.a_confidence)
    b = worth & (roi_pct > rules.b_roi) & (trust > rules.b_confidence)
    c = worth & (roi_pct > rules.c_roi) & (trust > rules.c_confidence)
    profitable = a | b | c
    d = roi_pct > rules.d_roi
    # How far down the grades it goes, in arithmetic that holds for one bet and for arrays: a step for each one missed.
    grade = cast("Value", (a ^ True) * (1 + (b ^ True) * (1 + (c ^ True) * (1 + (d ^ True)))))
    return Decision(grade, stake * profitable, profitable)
