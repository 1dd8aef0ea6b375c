"""What features are computed from: everything that one model set and its history know of one bet, or of n bets.

A day's bets have a few hundred combinations of sport, league, market, sportsbook and bet type, so what was looked up
for one is remembered: one look for a bet instead of fourteen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from threading import Lock
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np

from pikkit.bets.bet import CATEGORICAL, Leg
from pikkit.bets.columns import BetNumbers
from pikkit.bets.names import Encoder
from pikkit.bets.numbers import MANY, SINGLE, Arithmetic, Bools, Floats, Picked, Truth, Value
from pikkit.bets.odds import american_to_decimal
from pikkit.history.groups import GROUPS, Past, Record
from pikkit.history.history import History

__all__ = ["Categories", "Facts"]

_REMEMBERED = 8192
_NAN = float("nan")

_Column = TypeVar("_Column")
_Names: TypeAlias = tuple[str, str, str, str, str]  # by CATEGORICAL


class Facts(NamedTuple):
    """One bet's in plain numbers, or n bets' in arrays of shape (n,)."""

    codes: Mapping[str, Value]  # by CATEGORICAL; NaN where the model set has none
    unknown: Mapping[str, Truth]  # for those of CATEGORICAL of which the set lacks a name, whether it does
    past: Past
    odds: Value  # American
    decimal: Value
    implied: Value  # the price's own win probability (fraction), vig included
    is_live: Truth
    clv: Value  # percent; 0 while unknown
    has_clv: Truth
    placed_at: Value  # seconds since the epoch, UTC
    assumed_count: int  # sample size where there is no history at all
    sample_size: Value  # settled bets behind the features: those of the sport and market
    arithmetic: Arithmetic  # of one bet or of many

    @classmethod
    def of(
        cls,
        numbers: BetNumbers,
        codes: Mapping[str, Value],
        unknown: Mapping[str, Truth],
        past: Past,
        *,
        neutral_count: int = 0,
        arithmetic: Arithmetic = MANY,
    ) -> Facts:
        """The facts of a bet or of bets.

        Args:
            numbers: their numbers.
            codes: what their names are to the model set.
            unknown: which of them it lacks.
            past: what is known of their past.
            neutral_count: sample size to assume where there is no history at all.
            arithmetic: of one bet or of many.
        """
        odds, is_live, clv, has_clv, placed_at = numbers
        decimal = american_to_decimal(odds)
        assumed = neutral_count if past.empty else 0
        return cls(
            codes,
            unknown,
            past,
            odds,
            decimal,
            1 / decimal,
            is_live,
            clv,
            has_clv,
            placed_at,
            assumed,
            past.records["sport_market"].bets + assumed,
            arithmetic,
        )

    def at_other_prices(self, index: Picked, odds: Floats) -> Facts:
        """The facts of some of n bets, were their prices others.

        Args:
            index: which bets, shape (m,).
            odds: American, shape (m,).
        """

        def at(column: Value) -> Floats:
            return np.asarray(column)[index]

        past, decimal = self.past, american_to_decimal(odds)
        return self._replace(
            codes={name: at(codes) for name, codes in self.codes.items()},
            unknown={name: np.asarray(flags)[index] for name, flags in self.unknown.items()},
            past=past._replace(
                records={group: Record(*map(at, record)) for group, record in past.records.items()},
                recent_count=at(past.recent_count),
                recent_wins=at(past.recent_wins),
            ),
            odds=odds,
            decimal=decimal,
            implied=1 / decimal,
            is_live=np.asarray(self.is_live)[index],
            clv=at(self.clv),
            has_clv=np.asarray(self.has_clv)[index],
            placed_at=at(self.placed_at),
            sample_size=at(self.sample_size),
        )


class Categories:
    """Names as one model set and its history know them. Threads may share it."""

    def __init__(self, encoders: Mapping[str, Encoder], history: History, *, neutral_count: int = 0) -> None:
        """`neutral_count`: sample size to assume where there is no history at all."""
        self._encoders = [encoders.get(column) for column in CATEGORICAL]
        self._history = history
        self._neutral_count = neutral_count
        self._lock = Lock()
        self._table = _Table()
        self._one = lru_cache(_REMEMBERED)(self._of_names)

    def one(self, bet: Leg, now: float) -> Facts:
        """What is known of a bet, in plain numbers; `now` (epoch seconds) stands in where placed_at is not given."""
        codes, unknown, past = self._one((bet.sport, bet.league, bet.market, bet.institution_name, bet.bet_type))
        [numbers] = _numbers([bet], now)
        return Facts.of(
            BetNumbers(*numbers), codes, unknown, past, neutral_count=self._neutral_count, arithmetic=SINGLE
        )

    def many(self, bets: Sequence[Leg], now: float) -> Facts:
        """What is known of n bets, in arrays."""
        names = [(bet.sport, bet.league, bet.market, bet.institution_name, bet.bet_type) for bet in bets]
        codes, unknown, rows = self._of(names)
        numbers = BetNumbers(*map(np.array, zip(*_numbers(bets, now), strict=True)))
        lacking = {CATEGORICAL[i]: unknown[:, i] for i in np.flatnonzero(unknown.any(axis=0)).tolist()}
        columns = _by_name(codes.T), lacking, self._history.past(rows)
        return Facts.of(numbers, *columns, neutral_count=self._neutral_count)

    def _of_names(self, names: _Names) -> tuple[Mapping[str, Value], Mapping[str, Truth], Past]:
        codes, unknown, rows = self._of([names])
        past = self._history.columns(rows).past_of_first()
        lacking = {name: True for name, flag in _by_name(unknown[0].tolist()).items() if flag}
        return _by_name(codes[0].tolist()), lacking, past

    def _of(self, names: Sequence[_Names]) -> tuple[Floats, Bools, Picked]:
        table = self._table
        places = [table.places.get(one, -1) for one in names]
        if -1 in places:
            table, places = self._with(names)
        return table.codes[places], table.unknown[places], table.rows[places]

    def _with(self, names: Sequence[_Names]) -> tuple[_Table, list[int]]:
        """The table with all of these names in it, and their places; a new one where they do not fit in any more."""
        with self._lock:
            table = self._table
            if len(table.places) + len(names) > len(table.codes):
                table = self._table = _Table(len(names))
            places: list[int] = []
            for values in names:
                place = table.places.get(values)
                if place is None:
                    place = len(table.places)
                    for i, (encoder, value) in enumerate(zip(self._encoders, values, strict=True)):
                        code, known = (_NAN, True) if encoder is None else encoder.find(value)
                        table.codes[place, i], table.unknown[place, i] = code, not known
                    table.rows[place] = self._history.rows_of(*values[:4])
                    table.places[values] = place  # last, as others read without the lock
                places.append(place)
            return table, places


def _numbers(bets: Sequence[Leg], now: float) -> list[tuple[float, bool, float, bool, float]]:
    return [
        (
            bet.odds,
            bet.is_live,
            0.0 if bet.clv_percentage is None else bet.clv_percentage,
            bet.clv_percentage is not None,
            now if bet.placed_at is None else bet.placed_at.timestamp(),
        )
        for bet in bets
    ]


def _by_name(columns: Iterable[_Column]) -> dict[str, _Column]:
    return dict(zip(CATEGORICAL, columns, strict=True))


class _Table:
    """`codes`, `unknown` and `rows` (of the history's groups), one line for each combination."""

    def __init__(self, least: int = 0) -> None:
        size = max(_REMEMBERED, least)
        self.places: dict[_Names, int] = {}
        self.codes = np.empty((size, len(CATEGORICAL)))
        self.unknown = np.empty((size, len(CATEGORICAL)), dtype=np.bool_)
        self.rows = np.empty((size, len(GROUPS)), dtype=np.intp)
