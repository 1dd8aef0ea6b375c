"""Sport, league, market, sportsbook and bet type together: what a model set and its history know of them.

A day's bets have a few hundred combinations, so what was looked up is remembered: one look for a bet instead of
fourteen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from threading import Lock
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np

from pikkit.bets.bet import CATEGORICAL, Leg
from pikkit.bets.numbers import Bools, Floats, Truth, Value
from pikkit.features.spec import FeatureSpec
from pikkit.history.groups import GROUPS, HistoryColumns, Past
from pikkit.history.history import History

__all__ = ["Categories", "Known"]

_REMEMBERED = 8192
_NAN = float("nan")

_Column = TypeVar("_Column")

Names: TypeAlias = tuple[str, str, str, str, str]  # by CATEGORICAL


class Known(NamedTuple):
    """Of one bet or of n bets: codes, and whether the set lacks the name, by CATEGORICAL; and the past."""

    codes: Mapping[str, Value]
    unknown: Mapping[str, Truth]
    past: Past


class Categories:
    """Those of one model set. Threads may share it."""

    def __init__(self, spec: FeatureSpec, history: History) -> None:
        self._encoders = [spec.encoders.get(column) for column in CATEGORICAL]
        self._history = history
        self._lock = Lock()
        self._table = _Table()
        self._one = lru_cache(_REMEMBERED)(self._of_names)

    def one(self, bet: Leg) -> Known:
        """What is known of a bet, in plain numbers."""
        return self._one((bet.sport, bet.league, bet.market, bet.institution_name, bet.bet_type))

    def many(self, bets: Sequence[Leg]) -> Known:
        """What is known of n bets, in arrays."""
        names = [(bet.sport, bet.league, bet.market, bet.institution_name, bet.bet_type) for bet in bets]
        codes, unknown, past = self._of(names)
        return Known(_by_name(codes.T), _by_name(unknown.T), past.past())

    def _of_names(self, names: Names) -> Known:
        codes, unknown, past = self._of([names])
        return Known(_by_name(codes[0].tolist()), _by_name(unknown[0].tolist()), past.past_of_first())

    def _of(self, names: Sequence[Names]) -> tuple[Floats, Bools, HistoryColumns]:
        table = self._table
        places = [table.places.get(one, -1) for one in names]
        if -1 in places:
            table, places = self._with(names)
        return table.codes[places], table.unknown[places], self._history.columns(table.rows[places])

    def _with(self, names: Sequence[Names]) -> tuple[_Table, list[int]]:
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


def _by_name(columns: Iterable[_Column]) -> dict[str, _Column]:
    return dict(zip(CATEGORICAL, columns, strict=True))


class _Table:
    """`codes`, `unknown` and `rows` (of the history's groups), one line for each combination."""

    def __init__(self, least: int = 0) -> None:
        size = max(_REMEMBERED, least)
        self.places: dict[Names, int] = {}
        self.codes = np.empty((size, len(CATEGORICAL)))
        self.unknown = np.empty((size, len(CATEGORICAL)), dtype=np.bool_)
        self.rows = np.empty((size, len(GROUPS)), dtype=np.intp)
