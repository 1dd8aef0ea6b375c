"""Sport, league, market, sportsbook and bet type together: what a model set and its history know of them.

A day's bets have a few hundred combinations, so what was looked up is remembered: one look for a bet instead of
fourteen.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np
import numpy.typing as npt

from pikkit.bets.bet import CATEGORICAL, Bet
from pikkit.features.table import FeatureSpec
from pikkit.history.history import GROUPS, History, HistoryColumns

__all__ = ["Combinations"]

_REMEMBERED = 8192
_NAN = float("nan")


class Combinations:
    """Those of one model set. Threads may share it."""

    def __init__(self, spec: FeatureSpec, history: History) -> None:
        self._encoders = [spec.encoders.get(column) for column in CATEGORICAL]
        self._history = history
        self._lock = Lock()
        self._table = _Table()

    def columns(self, bets: Sequence[Bet]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], HistoryColumns]:
        """Codes and unknowns, shape (n, 5), and the past of the bets."""
        table = self._table
        places = [
            table.places.get((bet.sport, bet.league, bet.market, bet.institution_name, bet.bet_type), -1)
            for bet in bets
        ]
        if -1 in places:
            table, places = self._with(bets)
        return (
            table.codes[places],
            table.unknown[places],
            self._history.columns(table.rows[places]),
        )

    def _with(self, bets: Sequence[Bet]) -> tuple[_Table, list[int]]:
        """The table with all of these bets in it, and their places; a new one where they do not fit in any more."""
        with self._lock:
            table = self._table
            if len(table.places) + len(bets) > len(table.codes):
                table = self._table = _Table(len(bets))
            places: list[int] = []
            for bet in bets:
                values = (bet.sport, bet.league, bet.market, bet.institution_name, bet.bet_type)
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


class _Table:
    """`codes`, `unknown` and `rows` (of the history's groups), one line for each combination."""

    def __init__(self, least: int = 0) -> None:
        size = max(_REMEMBERED, least)
        self.places: dict[tuple[str, ...], int] = {}
        self.codes = np.empty((size, len(CATEGORICAL)))
        self.unknown = np.empty((size, len(CATEGORICAL)), dtype=np.bool_)
        self.rows = np.empty((size, len(GROUPS)), dtype=np.intp)
