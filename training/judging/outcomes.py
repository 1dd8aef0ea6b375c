"""What came of served predictions: closing line value first, since it tells with far fewer bets than returns do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pikkit.bets.numbers import Floats
from pikkit.bets.prediction import GRADES
from training.judging.live import Live
from training.judging.measures import Interval, bootstrap_mean, percent

__all__ = ["Outcome", "outcomes", "verdict"]


_LEAST = 2
_NONE = Interval(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of some of the bets; all in percent, intervals are 95 % bootstrap intervals.

    Attributes:
        name: which bets.
        bets: how many.
        clv: mean closing line value, where it is known.
        clv_known: of how many bets it is.
        expected: mean expected ROI.
        returned: of one unit on each.
        kelly: profit by stakes of the full Kelly fraction, of what was staked; NaN without stakes.
    """

    name: str
    bets: int
    clv: Interval
    clv_known: int
    expected: float
    returned: Interval
    kelly: Interval


def outcomes(live: Live) -> Iterator[Outcome]:
    """Of all, of each grade, and of each evidence; of each model version and slot, where there are several."""
    parts = live.parts()
    yield _of(*next(parts))
    for i, letter in enumerate(GRADES):
        yield _of(f"grade {letter}", live.some(np.flatnonzero(live.judged.letters == i)))
    for name, part in parts:
        yield _of(name, part)


def verdict(everything: Outcome) -> str:
    """What the closing lines say of all bets, in words."""
    if not everything.clv_known:
        return "no closing line is known (closing_line or clv_percentage): returns alone take far more bets to tell"
    words = f"closing line value {percent(everything.clv)} % on {everything.clv_known:,} bets: "
    if everything.clv.low > 0:
        return f"{words}these bets beat the closing line"
    if everything.clv.high < 0:
        return f"{words}the closing line beat these bets"
    return f"{words}neither better nor worse than the closing line, as far as so many bets can tell"


def _of(name: str, part: Live) -> Outcome:
    clv = part.judged.bets.clv_percentage
    known = clv[np.isfinite(clv)]
    bets = len(part.expected_roi)
    return Outcome(
        name,
        bets,
        bootstrap_mean(known) if len(known) >= _LEAST else _NONE,
        len(known),
        float(part.expected_roi.mean()) if bets else float("nan"),
        bootstrap_mean(part.judged.roi_pct),
        _return_on_stakes(part.kelly, part.judged.roi_pct),
    )


def _return_on_stakes(stakes: Floats, roi_pct: Floats) -> Interval:
    """Profit in percent of what was staked, resampled by bets (ratio of sums)."""
    staked = stakes > 0
    pairs = np.column_stack([stakes[staked] * roi_pct[staked], stakes[staked]])
    if len(pairs) < _LEAST:
        return _NONE
    return bootstrap_mean(pairs, statistic=lambda rows: rows[..., 0].sum(axis=-1) / rows[..., 1].sum(axis=-1))
