"""One decision for each bet: how far to trust it, grade, stake, whether it is profitable, and what to say of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from pikkit.bets.bet import Leg
from pikkit.bets.numbers import MANY, SINGLE, Truth, Value, rounded

__all__ = ["HALF_SAMPLE", "UNKNOWN_COST", "Decision", "Rules", "confidence", "decide", "remarks"]

HALF_SAMPLE = 100.0  # settled bets at which half of the confidence that a sample can add is reached
UNKNOWN_COST: Mapping[str, float] = {
    "sport": 0.4,
    "league": 0.1,
    "market": 0.3,
    "institution_name": 0.1,
    "bet_type": 0.3,
}
_DISAGREEMENT = (
    "the models disagree: the expected ROI is {:+.1f} %, the win probability and the price give {:+.1f} %; "
    "the lower one decides"
)


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


def confidence(sample_size: Value, unknown: Mapping[str, Truth]) -> Value:
    """Confidence in one bet or in n bets, from 0 to 1.

    (1/2 + 1/2 * n / (n + 100)) * product over unknown categories of (1 - cost), where n is the number of settled bets
    behind the features. Without history it is 0.5 at the most, so neither A nor B is given; it rises with n and falls
    with every unknown.

    Args:
        sample_size: settled bets behind the features.
        unknown: by CATEGORICAL, whether the model set never saw the name; what it lacks nothing of may be left out.
    """
    trust: Value = 0.5 + 0.5 * sample_size / (sample_size + HALF_SAMPLE)
    for column, lacking in unknown.items():
        trust = trust * (1 - UNKNOWN_COST[column] * lacking)
    return trust


def decide(roi_pct: Value, trust: Value, kelly: Value, rules: Rules, *, limited: Truth = False) -> Decision:
    """Grade, stake and `profitable`, which never contradict each other, of one bet or of n bets alike.

    Worth a stake is a bet whose expected ROI is above 0 and whose stake is not 0: only such a bet is an A, B or C,
    and only an A, B or C has a stake and is profitable, whatever the thresholds.

    Args:
        roi_pct: expected ROI in percent; of two, the lower.
        trust: confidence (fraction).
        kelly: full Kelly fraction.
        rules: thresholds.
        limited: the grade is a D at the most, for a reason that the figures do not have.
    """
    stake = 100 * rules.kelly_multiplier * kelly
    [stake] = rounded((SINGLE if isinstance(stake, float) else MANY).smaller(stake, rules.max_stake_pct))
    worth = (roi_pct > 0) & (stake > 0) & (limited ^ True)
    a = worth & (roi_pct > rules.a_roi) & (trust > rules.a_confidence)
    b = worth & (roi_pct > rules.b_roi) & (trust > rules.b_confidence)
    c = worth & (roi_pct > rules.c_roi) & (trust > rules.c_confidence)
    profitable = a | b | c
    d = roi_pct > rules.d_roi
    # How far down the grades it goes, in arithmetic that holds for one bet and for arrays: a step for each one missed.
    grade = cast("Value", (a ^ True) * (1 + (b ^ True) * (1 + (c ^ True) * (1 + (d ^ True)))))
    return Decision(grade, stake * profitable, profitable)


def remarks(
    bets: Sequence[Leg],
    unknown: Sequence[tuple[int, str]],
    limited: Mapping[int, str],
    rois: Sequence[float],
    price_rois: Sequence[float],
    outside: Sequence[bool],
) -> Iterator[tuple[int, str]]:
    """What a caller should know about n answers beside their figures: warnings with the positions of their bets.

    Args:
        bets: as they were graded.
        unknown: which bets have a name that the set does not know, in which column.
        limited: why bets are a D at the most.
        rois: expected ROI of each (percent).
        price_rois: what follows from its win probability and its price (percent).
        outside: whether its price is one of which the set has seen too few.
    """
    for i, name in unknown:
        value = getattr(bets[i], name)
        said = (
            f"{name} {value!r} is unknown to this model set"
            if value
            else f"no {name}, and no class for that in this set"
        )
        yield i, f"{said}: confidence is lower"
    for i, reason in limited.items():
        yield i, f"{reason}; the grade is at most D, without a stake"
    for i, (roi, price_roi) in enumerate(zip(rois, price_rois, strict=True)):
        if (roi > 0) != (price_roi > 0):
            yield i, _DISAGREEMENT.format(roi, price_roi)
    if any(outside):
        for i, flag in enumerate(outside):
            if flag:
                yield i, "this model set has seen too few bets at such prices: the grade is at most D, without a stake"
