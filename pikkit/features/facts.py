"""What features are computed from: everything that is known of one bet, in plain numbers, or of n bets, in arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pikkit.bets.columns import BetNumbers
from pikkit.bets.numbers import Floats, Picked, Truth, Value, or_zero
from pikkit.bets.odds import implied_probability
from pikkit.history.groups import Past, Record

__all__ = ["Facts"]


class Facts(NamedTuple):
    """One bet's, or n bets' in arrays of shape (n,)."""

    codes: Mapping[str, Value]  # by CATEGORICAL; NaN where the model set has none
    past: Past
    implied: Value  # the price's own chance to win (fraction), vig included
    is_live: Truth
    clv: Value  # percent; 0 while unknown
    has_clv: Truth
    placed_at: Value  # seconds since the epoch, UTC
    assumed_count: int  # sample size where there is no history at all

    @classmethod
    def of(cls, numbers: BetNumbers, codes: Mapping[str, Value], past: Past, *, neutral_count: int = 0) -> Facts:
        """The facts of a bet or of bets.

        Args:
            numbers: their numbers.
            codes: what their names are to the model set.
            past: what is known of their past.
            neutral_count: sample size to assume where there is no history at all.
        """
        clv = numbers.clv_percentage
        return cls(
            codes=codes,
            past=past,
            implied=implied_probability(numbers.odds),
            is_live=numbers.is_live,
            clv=or_zero(clv),
            has_clv=clv == clv,  # noqa: PLR0124 - NaN differs from itself
            placed_at=numbers.placed_at,
            assumed_count=neutral_count if past.empty else 0,
        )

    def at_other_prices(self, index: Picked, odds: Floats) -> Facts:
        """The facts of some of n bets, were their prices others.

        Args:
            index: which bets, shape (m,).
            odds: American, shape (m,).
        """

        def at(column: Value) -> Floats:
            return np.asarray(column)[index]

        past = self.past
        return self._replace(
            codes={name: at(codes) for name, codes in self.codes.items()},
            past=past._replace(
                records={group: Record(*map(at, record)) for group, record in past.records.items()},
                recent_count=at(past.recent_count),
                recent_wins=at(past.recent_wins),
            ),
            implied=implied_probability(odds),
            is_live=np.asarray(self.is_live)[index],
            clv=at(self.clv),
            has_clv=np.asarray(self.has_clv)[index],
            placed_at=at(self.placed_at),
        )
