"""The past of each bet at its own time: what training sees."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pikkit.bets.numbers import Picked
from pikkit.history.groups import (
    COUNT,
    GROUPS,
    RECENT,
    RECENT_GROUP,
    WINS,
    HistoryColumns,
    SettledBets,
    group_keys,
    group_values,
)

__all__ = ["as_of"]


def as_of(settled: SettledBets) -> HistoryColumns:
    """The past of each bet among all: only bets with a strictly earlier time count.

    Sorted by group and time, the sum over earlier bets is a difference of cumulative sums between the start of the
    group and the start of the run of bets with the same time.
    """
    n = len(settled)
    values = group_values(settled)
    times = settled.bets.placed_at
    sums = np.zeros((n, len(GROUPS), values.shape[1]))
    recent = np.zeros((n, 2))
    for position, keys in enumerate(group_keys(settled.bets)):
        _, codes = np.unique(np.array(keys, dtype=object), return_inverse=True)
        order = np.lexsort((times, codes))
        group_start = _run_starts(codes[order])
        earlier_end = np.maximum(group_start, _run_starts(codes[order], times[order]))
        total = np.vstack([np.zeros(values.shape[1]), np.cumsum(values[order], axis=0)])
        sums[order, position] = total[earlier_end] - total[group_start]
        if position == RECENT_GROUP:
            start = np.maximum(group_start, earlier_end - RECENT)
            recent[order, 0] = earlier_end - start
            recent[order, 1] = total[earlier_end, WINS] - total[start, WINS]
    # A sum of counts is exact; of fractions it keeps a trace of what was subtracted.
    unseen = sums[:, :, COUNT] == 0
    sums[unseen] = 0.0
    first = float(times.min()) if n else float("nan")
    return HistoryColumns(sums=sums, recent=recent, first_bet_at=first, empty=n == 0)


def _run_starts(*columns: npt.NDArray[np.generic]) -> Picked:
    """For each position, where the run of equal values that it is in begins."""
    n = len(columns[0])
    new = np.ones(n, dtype=np.bool_)
    if n:
        new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return np.maximum.accumulate(np.where(new, np.arange(n), 0))
