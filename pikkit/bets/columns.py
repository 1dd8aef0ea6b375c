"""Bets column by column: what features and past results are computed from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pikkit.bets.bet import CATEGORICAL
from pikkit.bets.numbers import Bools, Floats, Picked, Truth, Value

__all__ = ["BetColumns", "BetNumbers"]


class BetNumbers(NamedTuple):
    """The numbers of one bet, or of n bets in arrays of shape (n,)."""

    odds: Value  # American
    is_live: Truth
    clv: Value  # percent; 0 while unknown
    has_clv: Truth
    placed_at: Value  # seconds since the epoch, UTC


@dataclass(frozen=True, slots=True)
class BetColumns:
    """n bets, column by column: what features are computed from."""

    sport: list[str]
    league: list[str]
    market: list[str]
    institution_name: list[str]
    bet_type: list[str]
    odds: Floats  # American
    is_live: Bools
    clv_percentage: Floats  # percent; NaN: unknown
    placed_at: Floats  # seconds since the epoch, UTC

    def __len__(self) -> int:
        return len(self.sport)

    def categorical(self) -> Iterator[tuple[str, list[str]]]:
        """The five text columns by name, in the order of CATEGORICAL."""
        return ((name, getattr(self, name)) for name in CATEGORICAL)

    @property
    def numbers(self) -> BetNumbers:
        """The columns that are numbers."""
        known = ~np.isnan(self.clv_percentage)
        return BetNumbers(self.odds, self.is_live, np.where(known, self.clv_percentage, 0.0), known, self.placed_at)

    def take(self, picked: Picked) -> BetColumns:
        """The bets at these positions."""
        texts = {name: [values[i] for i in picked.tolist()] for name, values in self.categorical()}
        return BetColumns(
            **texts,
            odds=self.odds[picked],
            is_live=self.is_live[picked],
            clv_percentage=self.clv_percentage[picked],
            placed_at=self.placed_at[picked],
        )
