"""What features are computed from: everything that one model set and its history know of one bet, or of n bets.

A day's bets have a few hundred combinations of sport, league, market, sportsbook and bet type, so what was looked up
for one is remembered: one look for a bet instead of fourteen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from threading import Lock
from typing import NamedTuple, TypeAlias

import numpy as np

from pikkit.bets.bet import CATEGORICAL, Leg, names_of
from pikkit.bets.columns import BetNumbers
from pikkit.bets.names import Encoder
from pikkit.bets.numbers import MANY, SINGLE, Arithmetic, Bools, Floats, Picked, Truth, Value
from pikkit.bets.odds import american_to_decimal
from pikkit.history.groups import PAST_NUMBERS, Past
from pikkit.history.history import History

__all__ = ["Categories", "Facts"]

_REMEMBERED = 4096  # combinations; 3 MiB
_REMEMBERED_ALONE = 2048  # with all that is known of them by name; 4 MiB
_NAN = float("nan")
_CODES = len(CATEGORICAL)
_NAMED = _CODES + PAST_NUMBERS  # that hang on names alone
_WIDTH = _NAMED + len(BetNumbers._fields) - 1

_Names: TypeAlias = tuple[str, str, str, str, str]  # by CATEGORICAL
_numbers_of = itemgetter("odds", "is_live", "clv_percentage", "placed_at")


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

    @classmethod
    def looked_up(
        cls,
        table: Floats,
        odds: Floats,
        unknown: Mapping[str, Truth],
        *,
        first_bet_at: float,
        empty: bool,
        assumed: int,
    ) -> Facts:
        """Those of n bets.

        Args:
            table: codes by CATEGORICAL, what `Past.of` reads, then the numbers of the bets but their prices.
            odds: American.
            unknown: which names the set lacks.
            first_bet_at: of the history; seconds since the epoch.
            empty: there is no history at all.
            assumed: sample size where there is none.
        """
        rows = list(table)
        codes = dict(zip(CATEGORICAL, rows, strict=False))
        past = Past.of(rows[_CODES:_NAMED], first_bet_at, empty=empty)
        numbers = BetNumbers(odds, *rows[_NAMED:])
        return cls.of(numbers, codes, unknown, past, neutral_count=assumed)


class Categories:
    """Names as one model set and its history know them. Threads may share it."""

    def __init__(self, encoders: Mapping[str, Encoder], history: History, *, neutral_count: int = 0) -> None:
        """`neutral_count`: sample size to assume where there is no history at all."""
        self._history = history
        self._neutral_count = neutral_count
        self._combinations = _Combinations(encoders, history)
        # Remembers no method of its own: a set that serves no more would wait for the garbage collector.
        self._one = lru_cache(_REMEMBERED_ALONE)(self._combinations.one)

    def one(self, bet: Leg, now: float) -> Facts:
        """What is known of a bet, in plain numbers; `now` (epoch seconds) stands in where placed_at is not given."""
        codes, unknown, past = self._one(names_of(vars(bet)))
        odds, is_live, clv, at = _numbers_of(vars(bet))
        numbers = BetNumbers(
            odds,
            is_live,
            0.0 if clv is None else clv,
            clv is not None,
            now if at is None else at.timestamp(),
        )
        return Facts.of(numbers, codes, unknown, past, neutral_count=self._neutral_count, arithmetic=SINGLE)

    def many(
        self, bets: Sequence[Leg], now: float | Sequence[float], again: tuple[Picked, Floats] | None = None
    ) -> Facts:
        """What is known of n bets, in arrays.

        Args:
            bets: the bets.
            now: stands in for placed_at, for all or for each; seconds since the epoch.
            again: which of the bets come again after them, were their prices others, and these (American), each of
                shape (m,). Their unknown names are not told again.
        """
        fields = [bet.__dict__ for bet in bets]
        known, lacking = self._combinations.many(list(map(names_of, fields)))
        odds, live, clvs, times = zip(*map(_numbers_of, fields), strict=True)
        prices = np.array(odds)
        table = np.empty((_WIDTH, len(bets)))
        table[:_NAMED] = known.T
        is_live, clv, has_clv, placed_at = table[_NAMED:]
        is_live[:] = live
        clv[:] = has_clv[:] = 0.0
        if clvs.count(None) < len(clvs):
            clv[:] = [given or 0.0 for given in clvs]
            has_clv[:] = [given is not None for given in clvs]
        placed_at[:] = now
        if times.count(None) < len(times):
            given = zip(times, placed_at.tolist(), strict=True)
            placed_at[:] = [instead if at is None else at.timestamp() for at, instead in given]
        unknown: Mapping[str, Truth] = {}
        if lacking.any():
            unknown = {name: flags for name, flags in zip(CATEGORICAL, lacking.T, strict=True) if flags.any()}
        if again is not None:
            table = np.concatenate([table, table.take(again[0], axis=1)], axis=1)
            prices = np.concatenate([prices, again[1]])
        return Facts.looked_up(
            table,
            prices,
            unknown,
            first_bet_at=self._history.first_bet_at,
            empty=self._history.size == 0,
            assumed=self._neutral_count,
        )


class _Combinations:
    """What hangs on the names of a bet alone."""

    def __init__(self, encoders: Mapping[str, Encoder], history: History) -> None:
        self._encoders = [encoders.get(column) for column in CATEGORICAL]
        self._history = history
        self._lock = Lock()
        self._table = _Table()

    def one(self, names: _Names) -> tuple[Mapping[str, Value], Mapping[str, Truth], Past]:
        """Codes, which names are unknown, and the past of a bet with these names."""
        known, lacking = self.many([names])
        numbers = known[0].tolist()
        unknown = {name: True for name, flag in zip(CATEGORICAL, lacking[0].tolist(), strict=True) if flag}
        past = Past.of(numbers[_CODES:], self._history.first_bet_at, empty=self._history.size == 0)
        return dict(zip(CATEGORICAL, numbers, strict=False)), unknown, past

    def many(self, names: Sequence[_Names]) -> tuple[Floats, Bools]:
        """Codes and past numbers, shape (n, _NAMED), and which codes are of unknown names, shape (n, 5)."""
        table = self._table
        places = [table.places.get(one, -1) for one in names]
        if -1 in places:
            table, places = self._with(names)
        rows = np.array(places)
        return table.known.take(rows, axis=0), table.lacking.take(rows, axis=0)

    def _with(self, names: Sequence[_Names]) -> tuple[_Table, list[int]]:
        """The table with all of these names in it, and their places; a new one where they do not fit in any more."""
        with self._lock:
            table = self._table
            if len(table.places) + len(names) > len(table.known):
                table = self._table = _Table(len(names))
            first = len(table.places)
            new = {
                one: first + i for i, one in enumerate(dict.fromkeys(one for one in names if one not in table.places))
            }
            if new:
                found = np.array([self._find(one) for one in new])
                rows = slice(first, first + len(new))
                table.known[rows, :_CODES], table.lacking[rows] = found[:, :_CODES], found[:, _CODES:]
                table.known[rows, _CODES:] = self._history.numbers_of([one[:4] for one in new])
                table.places.update(new)  # last, as others read without the lock
            return table, [table.places[one] for one in names]

    def _find(self, names: _Names) -> list[float]:
        """Codes of a bet's names, and then whether they are of unknown ones."""
        found = [
            (_NAN, True) if encoder is None else encoder.find(value)
            for encoder, value in zip(self._encoders, names, strict=True)
        ]
        return [code for code, _ in found] + [not known for _, known in found]


class _Table:
    """`known`: codes and past numbers; `lacking`: whether a code is of an unknown name. A line a combination."""

    def __init__(self, least: int = 0) -> None:
        size = max(_REMEMBERED, least)
        self.places: dict[_Names, int] = {}
        self.known = np.empty((size, _NAMED))
        self.lacking = np.empty((size, _CODES), dtype=np.bool_)
