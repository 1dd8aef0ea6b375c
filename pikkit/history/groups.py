"""Groups of bets whose past results are remembered, and what is remembered of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pikkit.bets.columns import BetColumns
from pikkit.bets.names import group_key
from pikkit.bets.numbers import Bools, Floats, Picked, Value
from pikkit.bets.odds import implied_probability

__all__ = [
    "COUNT",
    "GROUPS",
    "IMPLIED",
    "PAST_NUMBERS",
    "RECENT",
    "RECENT_GROUP",
    "ROI",
    "SEPARATOR",
    "WINS",
    "HistoryColumns",
    "Past",
    "Record",
    "SettledBets",
    "group_keys",
    "group_values",
]

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
    won: Bools
    roi_pct: Floats  # profit in percent of the stake

    def __len__(self) -> int:
        return len(self.won)

    def take(self, picked: Picked) -> SettledBets:
        """The bets at these positions."""
        return SettledBets(self.bets.take(picked), self.won[picked], self.roi_pct[picked])


class Record(NamedTuple):
    """What a group's past bets came to, for one bet or for n."""

    bets: Value  # decided ones
    wins: Value
    implied_sum: Value  # of implied probabilities (fractions)
    roi_sum: Value  # percent


PAST_NUMBERS = len(GROUPS) * len(Record._fields) + 2


class Past(NamedTuple):
    """What is known of the past of one bet, or of n bets."""

    records: Mapping[str, Record]  # by GROUPS
    recent_count: Value  # decided bets among the last ten of the sport and market
    recent_wins: Value
    first_bet_at: float  # seconds since the epoch; NaN without history
    empty: bool  # there is no history at all

    @classmethod
    def of(cls, numbers: Sequence[Any] | Floats, first_bet_at: float, *, empty: bool) -> Past:
        """What PAST_NUMBERS of one bet, or of n, say: the fields of Record by GROUPS, then the two that are recent."""
        each = len(Record._fields)
        records = {group: Record(*numbers[each * i : each * (i + 1)]) for i, group in enumerate(GROUPS)}
        count, wins = numbers[each * len(GROUPS) :]
        return cls(records, count, wins, first_bet_at, empty)


@dataclass(frozen=True, slots=True)
class HistoryColumns:
    """What is known of the past of n bets.

    `sums`: shape (n, 5, 4), by GROUPS and the fields of Record. `recent`: shape (n, 2), decided bets and wins among
    the last ten of the sport and market. `first_bet_at`: seconds since the epoch; NaN without history. `empty`: there
    is no history at all.
    """

    sums: Floats
    recent: Floats
    first_bet_at: float
    empty: bool

    def past(self) -> Past:
        """The same by name."""
        sums = self.sums.reshape(len(self.sums), -1)
        return Past.of([*sums.T, *self.recent.T], self.first_bet_at, empty=self.empty)

    def take(self, picked: Picked) -> HistoryColumns:
        """The past of the bets at these positions."""
        return HistoryColumns(self.sums[picked], self.recent[picked], self.first_bet_at, self.empty)


def group_values(settled: SettledBets) -> Floats:
    """What each bet adds to the sums of its groups, shape (n, 4)."""
    ones = np.ones(len(settled))
    return np.column_stack([ones, settled.won, implied_probability(settled.bets.odds), settled.roi_pct])


def group_keys(bets: BetColumns, key_of: Callable[[str, str], str] = group_key) -> Iterator[list[str]]:
    """For each group the key of each bet; `key_of`: column and name to what the column's results are grouped by."""
    folded = {
        column: [key_of(column, value) for value in values]
        for column, values in bets.categorical()
        if column != "bet_type"
    }
    for columns in GROUPS.values():
        if len(columns) == 1:
            yield folded[columns[0]]
        else:
            yield [SEPARATOR.join(parts) for parts in zip(*(folded[column] for column in columns), strict=True)]
