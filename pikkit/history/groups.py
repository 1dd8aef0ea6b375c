"""Groups of bets whose past results are remembered, and what is remembered of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pikkit.bets.bet import BetColumns
from pikkit.bets.names import group_key
from pikkit.bets.odds import implied_probability

__all__ = [
    "COUNT",
    "GROUPS",
    "IMPLIED",
    "RECENT",
    "RECENT_GROUP",
    "ROI",
    "SEPARATOR",
    "WINS",
    "HistoryColumns",
    "SettledBets",
    "group_keys",
    "group_values",
]

Floats = npt.NDArray[np.float64]

GROUPS: Mapping[str, tuple[str, ...]] = {
    "sport": ("sport",),
    "sport_market": ("sport", "market"),
    "sport_league": ("sport", "league"),
    "sport_league_market": ("sport", "league", "market"),
    "institution_name": ("institution_name",),
}
RECENT = 10  # decided bets behind the recent win rate, per sport and market
COUNT, WINS, IMPLIED, ROI = range(4)

RECENT_GROUP = tuple(GROUPS).index("sport_market")
SEPARATOR = "\x1f"  # a blank to `fold`, so no name has it


@dataclass(frozen=True, slots=True)
class SettledBets:
    """n decided bets. `bets.placed_at` is when the result was known, as far as the source tells."""

    bets: BetColumns
    won: npt.NDArray[np.bool_]
    roi_pct: Floats  # profit in percent of the stake

    def __len__(self) -> int:
        return len(self.won)


@dataclass(frozen=True, slots=True)
class HistoryColumns:
    """What is known of the past of n bets.

    `sums`: shape (n, 5, 4), by GROUPS: decided bets, wins, sum of implied probabilities (fractions), sum of
    ROI (percent). `recent`: shape (n, 2), decided bets and wins among the last ten of the sport and market.
    `first_bet_at`: seconds since the epoch; NaN without history. `empty`: there is no history at all.
    """

    sums: Floats
    recent: Floats
    first_bet_at: float
    empty: bool


def group_values(settled: SettledBets) -> Floats:
    """What each bet adds to the sums of its groups, shape (n, 4)."""
    ones = np.ones(len(settled))
    return np.column_stack([ones, settled.won, implied_probability(settled.bets.odds), settled.roi_pct])


def group_keys(bets: BetColumns) -> Iterator[list[str]]:
    """For each group the key of each bet."""
    folded = {
        column: [group_key(column, value) for value in values]
        for column, values in bets.categorical()
        if column != "bet_type"
    }
    for columns in GROUPS.values():
        if len(columns) == 1:
            yield folded[columns[0]]
        else:
            yield [SEPARATOR.join(parts) for parts in zip(*(folded[column] for column in columns), strict=True)]
