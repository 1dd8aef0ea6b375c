"""Sport, league, market, sportsbook and bet type together: what a model set and its history know of them.

A day's bets have a few hundred combinations, so what was looked up is remembered: one look for a bet instead of
fourteen.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pikkit.bets import CATEGORICAL, Bet
from pikkit.features import FeatureSpec
from pikkit.history import History, HistoryColumns

__all__ = ["Combination", "Combinations"]

_REMEMBERED = 8192
_NAN = float("nan")


class Combination(NamedTuple):
    """`codes` by CATEGORICAL, NaN where there is none. `unknown`: by CATEGORICAL. `rows`: of the history's groups."""

    codes: tuple[float, ...]
    unknown: tuple[bool, ...]
    rows: tuple[int, ...]


class Combinations:
    """Those of one model set."""

    def __init__(self, spec: FeatureSpec, history: History) -> None:
        self._encoders = [spec.encoders.get(column) for column in CATEGORICAL]
        self._history = history
        self._of = lru_cache(_REMEMBERED)(self._look)

    def columns(self, bets: Sequence[Bet]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], HistoryColumns]:
        """Codes and unknowns, shape (n, 5), and the past of the bets."""
        found = [self._of(bet.sport, bet.league, bet.market, bet.institution_name, bet.bet_type) for bet in bets]
        return (
            np.array([one.codes for one in found], dtype=np.float64),
            np.array([one.unknown for one in found], dtype=np.bool_),
            self._history.columns(np.array([one.rows for one in found], dtype=np.intp)),
        )

    def _look(self, *values: str) -> Combination:
        found = [
            (_NAN, True) if encoder is None else encoder.find(value)
            for encoder, value in zip(self._encoders, values, strict=True)
        ]
        return Combination(
            tuple(code for code, _ in found),
            tuple(not known for _, known in found),
            self._history.rows_of(*values[:4]),
        )
