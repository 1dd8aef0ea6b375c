"""The feature row of a single bet in plain numbers: what `build_matrix` gives for one bet, to the bit, but sooner.

NumPy takes about a microsecond for every operation, however short the array; a lone bet needs some sixty of them.
A property test holds the two together: a feature that changes in one of them must change in the other.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pikkit.bets.bet import CATEGORICAL, Bet
from pikkit.bets.odds import implied_probability
from pikkit.features.table import DAY_S, EPOCH_WEEKDAY, PRIOR_BETS, FeatureSpec
from pikkit.history.history import History

__all__ = ["FeatureRow", "feature_row"]

_NAN = float("nan")


class FeatureRow(NamedTuple):
    """`matrix`: (1, k). `unknown`: positions in CATEGORICAL. `sample_size`: bets of the sport and market."""

    matrix: npt.NDArray[np.float32]
    unknown: list[int]
    sample_size: int


def feature_row(bet: Bet, now: float, history: History, spec: FeatureSpec, *, neutral_count: int = 0) -> FeatureRow:
    """The feature row of one bet.

    Args:
        bet: the bet.
        now: seconds since the epoch; stands in where placed_at is not given.
        history: past results.
        spec: what the model set wants.
        neutral_count: sample size to assume where there is no history at all.
    """
    implied = implied_probability(bet.odds)
    row: list[float] = []
    unknown: list[int] = []
    for i, column in enumerate(CATEGORICAL):
        encoder = spec.encoders.get(column)
        code, known = (_NAN, True) if encoder is None else encoder.find(getattr(bet, column))
        row.append(code)
        if not known:
            unknown.append(i)
    has_clv = bet.clv_percentage is not None
    clv = 0.0 if bet.clv_percentage is None else bet.clv_percentage
    row += (implied, bet.is_live, clv, clv * implied, has_clv)
    groups, (recent_count, recent_wins) = history.of_one(bet.sport, bet.league, bet.market, bet.institution_name)
    empty = history.size == 0
    prior_wins = PRIOR_BETS * implied
    for count, wins, implied_sum, roi_sum in groups:
        weight = 1 / (count + PRIOR_BETS)
        row += ((wins + prior_wins) * weight, roi_sum * weight, neutral_count if empty else count)
        row.append((wins - implied_sum) * weight)
    row.append((recent_wins + prior_wins) / (recent_count + PRIOR_BETS))
    placed_at = now if bet.placed_at is None else bet.placed_at.timestamp()
    row += ((math.floor(placed_at / DAY_S) + EPOCH_WEEKDAY) % 7, math.floor(placed_at % DAY_S / 3600))
    row.append(0 if empty else max(0, math.floor((placed_at - history.first_bet_at) / DAY_S)))
    matrix = np.array([row])[:, spec.positions].astype(np.float32)
    return FeatureRow(matrix, unknown, neutral_count if empty else int(groups[1][0]))
