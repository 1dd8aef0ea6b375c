"""Past results per group, as a model set carries them: how often such bets won, and what they returned.

Only decided bets count: pushes and voids are neither wins nor losses. A bet sees only bets settled strictly before
it, in training (`as_of`) as in serving (`History.lookup`, built from bets of the past).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from pikkit.bets.columns import BetColumns
from pikkit.bets.names import KnownNames, group_key
from pikkit.bets.numbers import Floats
from pikkit.errors import ModelError
from pikkit.history.earlier import as_of
from pikkit.history.groups import (
    COUNT,
    GROUPS,
    IMPLIED,
    RECENT,
    RECENT_GROUP,
    ROI,
    SEPARATOR,
    WINS,
    HistoryColumns,
    Record,
    SettledBets,
    group_keys,
    group_values,
)

__all__ = ["COUNT", "GROUPS", "IMPLIED", "RECENT", "ROI", "WINS", "History", "HistoryColumns", "SettledBets", "as_of"]

_FORMAT = 1


class History:
    """Immutable sums per group."""

    __slots__ = (
        "_index",
        "_known",
        "_recent",
        "_sums",
        "first_bet_at",
        "last_bet_at",
        "size",
    )

    def __init__(
        self,
        groups: Sequence[Mapping[str, Sequence[float]]],
        recent: Mapping[str, str],
        *,
        size: int,
        first_bet_at: float,
        last_bet_at: float,
    ) -> None:
        self.size = size
        self.last_bet_at = last_bet_at
        self.first_bet_at = first_bet_at
        self._index: list[dict[str, int]] = []
        rows: list[Sequence[float]] = [(0.0, 0.0, 0.0, 0.0)]  # row 0: a group that was never seen
        lately: list[tuple[float, float]] = [(0.0, 0.0)]
        for position, group in enumerate(groups):
            self._index.append({key: len(rows) + i for i, key in enumerate(group)})
            rows += group.values()
            if position == RECENT_GROUP:
                lately += [(0.0, 0.0)] * (len(rows) - len(lately) - len(group))
                lately += [(len(recent.get(key, "")), recent.get(key, "").count("1")) for key in group]
        lately += [(0.0, 0.0)] * (len(rows) - len(lately))
        self._known = {column: KnownNames(column, names) for column, names in self._names().items()}
        self._sums, self._recent = np.array(rows, dtype=np.float64), np.array(lately, dtype=np.float64)
        self._sums.flags.writeable = self._recent.flags.writeable = False

    @classmethod
    def empty(cls) -> History:
        """No history: every group unseen."""
        return cls([{} for _ in GROUPS], {}, size=0, first_bet_at=float("nan"), last_bet_at=float("nan"))

    @classmethod
    def from_bets(cls, settled: SettledBets) -> History:
        """The sums over all these bets."""
        if not len(settled):
            return cls.empty()
        times = settled.bets.placed_at
        order = np.argsort(times, kind="stable")
        values = group_values(settled)
        groups: list[dict[str, list[float]]] = []
        recent: dict[str, str] = {}
        for position, keys in enumerate(group_keys(settled.bets)):
            names, codes = np.unique(np.array(keys, dtype=object), return_inverse=True)
            sums = np.zeros((len(names), values.shape[1]))
            np.add.at(sums, codes, values)
            groups.append(dict(zip(names.tolist(), sums.tolist(), strict=True)))
            if position == RECENT_GROUP:
                for i in order.tolist():
                    key = keys[i]
                    recent[key] = (recent.get(key, "") + "01"[int(settled.won[i])])[-RECENT:]
        return cls(groups, recent, size=len(settled), first_bet_at=float(times.min()), last_bet_at=float(times.max()))

    def lookup(self, bets: BetColumns) -> HistoryColumns:
        """The past of each bet, which is placed after everything in this history."""
        by_group = zip(self._index, group_keys(bets, self._key), strict=True)
        rows = [[known.get(key, 0) for key in keys] for known, keys in by_group]
        index = np.array(rows, dtype=np.intp).reshape(len(GROUPS), len(bets))
        return HistoryColumns(
            sums=self._sums[index.T],
            recent=self._recent[index[RECENT_GROUP]],
            first_bet_at=self.first_bet_at,
            empty=self.size == 0,
        )

    def numbers_of(self, names: Sequence[tuple[str, str, str, str]]) -> Floats:
        """What `Past.of` reads of n bets with these sports, leagues, markets and sportsbooks, a row each."""
        rows = np.array([self._rows_of(*one) for one in names])
        return np.hstack([self._sums[rows].reshape(len(rows), -1), self._recent[rows[:, RECENT_GROUP]]])

    def _rows_of(self, sport: str, league: str, market: str, institution_name: str) -> tuple[int, ...]:
        """The row of each group of a single bet."""
        sport, league, market = self._key("sport", sport), self._key("league", league), self._key("market", market)
        by_sport, by_market, by_league, by_both, by_institution = self._index
        return (
            by_sport.get(sport, 0),
            by_market.get(f"{sport}{SEPARATOR}{market}", 0),
            by_league.get(f"{sport}{SEPARATOR}{league}", 0),
            by_both.get(f"{sport}{SEPARATOR}{league}{SEPARATOR}{market}", 0),
            by_institution.get(self._key("institution_name", institution_name), 0),
        )

    def _names(self) -> dict[str, set[str]]:
        """The names by which results are grouped, by column."""
        names: dict[str, set[str]] = {column: set() for columns in GROUPS.values() for column in columns}
        for columns, known in zip(GROUPS.values(), self._index, strict=True):
            for key in known:
                for column, name in zip(columns, key.split(SEPARATOR), strict=True):
                    names[column].add(name)
        return names

    def _key(self, column: str, name: str) -> str:
        return self._known[column].key(name)

    def to_json(self) -> dict[str, object]:
        """Plain JSON values; `from_json` gives the same history back."""
        groups: dict[str, object] = {}
        recent: dict[str, str] = {}
        for position, (name, known) in enumerate(zip(GROUPS, self._index, strict=True)):
            groups[name] = [[*key.split(SEPARATOR), *self._sums[row].tolist()] for key, row in sorted(known.items())]
            if position == RECENT_GROUP:
                recent = {key: _outcomes(*self._recent[row].astype(int).tolist()) for key, row in known.items()}
        return {
            "format": _FORMAT,
            "size": self.size,
            "first_bet_at": None if self.size == 0 else self.first_bet_at,
            "last_bet_at": None if self.size == 0 else self.last_bet_at,
            "columns": ["count", "wins", "implied_sum", "roi_sum_pct"],
            "groups": groups,
            "recent": [[*key.split(SEPARATOR), outcomes] for key, outcomes in sorted(recent.items())],
        }

    @classmethod
    def from_json(cls, data: object) -> History:
        """Read what `to_json` wrote.

        Raises:
            ModelError: it is something else.
        """
        try:
            return cls._of(_Written.model_validate(data))
        except (KeyError, ValueError) as cause:
            said = f"{type(cause).__name__} {cause}"[:200]
            if isinstance(cause, ValidationError):
                fault = cause.errors(include_url=False, include_input=False)[0]
                said = f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".removeprefix(": ")
            raise ModelError(
                f"the history is not one of format {_FORMAT} ({said}): make it with import_models.py --bets FILE"
            ) from cause

    @classmethod
    def _of(cls, written: _Written) -> History:
        if written.size == 0 or written.first_bet_at is None or written.last_bet_at is None:
            return cls.empty()
        groups: list[dict[str, list[float]]] = []
        for name, columns in GROUPS.items():
            group: dict[str, list[float]] = {}
            for row in written.groups[name]:
                keys = [value for value in row if isinstance(value, str)]
                sums = [value for value in row if not isinstance(value, str)]
                if (len(keys), len(sums)) != (len(columns), len(Record._fields)) or not _can_be(sums):
                    raise ValueError(f"{name} {row!r:.80}")
                key = _refolded(columns, keys)
                group[key] = [a + b for a, b in zip(sums, group.get(key, [0.0] * len(sums)), strict=True)]
            groups.append(group)
        recent: dict[str, str] = {}
        for *keys, outcomes in written.recent:
            if len(outcomes) > RECENT or set(outcomes) - {"0", "1"}:
                raise ValueError(f"recent {outcomes!r:.40}")
            recent[_refolded(GROUPS["sport_market"], keys)] = outcomes
        return cls(
            groups, recent, size=written.size, first_bet_at=written.first_bet_at, last_bet_at=written.last_bet_at
        )


def _refolded(columns: Sequence[str], keys: Sequence[str]) -> str:
    """The key of a group as today's names have it; the file may be older than they."""
    return SEPARATOR.join(group_key(column, key) for column, key in zip(columns, keys, strict=True))


def _can_be(sums: Sequence[float]) -> bool:
    """Whether bets can have these sums."""
    count = sums[COUNT]
    return 0 <= sums[WINS] <= count <= _MOST and 0 <= sums[IMPLIED] <= count and abs(sums[ROI]) <= _LARGEST_ROI * count


_MOST = 10**12  # bets
_LARGEST_ROI = 1e15  # percent a bet; what sums to no finite feature is beyond
_Time = Annotated[float, Field(ge=-1e11, le=1e11)]  # seconds since the epoch; exports had times of the year 1


class _Written(BaseModel):
    """A history as it is written: rows of a group's keys and its sums, or its last outcomes."""

    format: Literal[1]
    size: Annotated[int, Field(ge=0, le=_MOST)]
    first_bet_at: _Time | None = None
    last_bet_at: _Time | None = None
    groups: dict[str, list[list[str | FiniteFloat]]] = {}
    recent: list[list[str]] = []


def _outcomes(count: int, wins: int) -> str:
    """Outcomes with these totals; their order is not kept, since only the totals are asked for."""
    return "1" * wins + "0" * (count - wins)
