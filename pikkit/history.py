"""Past results per group, as a model set carries them: how often such bets won, and what they returned.

Only decided bets count: pushes and voids are neither wins nor losses. A bet sees only bets settled strictly before
it, in training (`as_of`) as in serving (`History.lookup`, built from bets of the past).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pikkit.bets import BetColumns
from pikkit.categories import group_key
from pikkit.errors import ModelError
from pikkit.odds import implied_probability

__all__ = ["GROUPS", "RECENT", "History", "HistoryColumns", "SettledBets", "as_of"]

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

_RECENT_GROUP = tuple(GROUPS).index("sport_market")
_SEPARATOR = "\x1f"
_FORMAT = 1


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


class History:
    """Immutable sums per group."""

    __slots__ = ("_first", "_index", "_recent", "_sums", "last_bet_at", "size")

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
        self._first = first_bet_at
        self._index: list[dict[str, int]] = []
        rows: list[Sequence[float]] = [(0.0, 0.0, 0.0, 0.0)]  # row 0: a group that was never seen
        lately: list[tuple[float, float]] = [(0.0, 0.0)]
        for position, group in enumerate(groups):
            self._index.append({key: len(rows) + i for i, key in enumerate(group)})
            rows += group.values()
            if position == _RECENT_GROUP:
                lately += [(0.0, 0.0)] * (len(rows) - len(lately) - len(group))
                lately += [(len(recent.get(key, "")), recent.get(key, "").count("1")) for key in group]
        lately += [(0.0, 0.0)] * (len(rows) - len(lately))
        self._sums = np.array(rows, dtype=np.float64)
        self._recent = np.array(lately, dtype=np.float64)

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
        values = _values(settled)
        groups: list[dict[str, list[float]]] = []
        recent: dict[str, str] = {}
        for position, keys in enumerate(_keys(settled.bets)):
            names, codes = np.unique(np.array(keys, dtype=object), return_inverse=True)
            sums = np.zeros((len(names), values.shape[1]))
            np.add.at(sums, codes, values)
            groups.append(dict(zip(names.tolist(), sums.tolist(), strict=True)))
            if position == _RECENT_GROUP:
                for i in order.tolist():
                    key = keys[i]
                    recent[key] = (recent.get(key, "") + "01"[int(settled.won[i])])[-RECENT:]
        return cls(groups, recent, size=len(settled), first_bet_at=float(times.min()), last_bet_at=float(times.max()))

    def lookup(self, bets: BetColumns) -> HistoryColumns:
        """The past of each bet, which is placed after everything in this history."""
        index = np.array(
            [[known.get(key, 0) for key in keys] for known, keys in zip(self._index, _keys(bets), strict=True)],
            dtype=np.intp,
        ).reshape(len(GROUPS), len(bets))
        return HistoryColumns(
            sums=self._sums[index.T],
            recent=self._recent[index[_RECENT_GROUP]],
            first_bet_at=self._first,
            empty=self.size == 0,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` gives the same history back."""
        groups: dict[str, Any] = {}
        recent: dict[str, str] = {}
        for position, (name, known) in enumerate(zip(GROUPS, self._index, strict=True)):
            groups[name] = [[*key.split(_SEPARATOR), *self._sums[row].tolist()] for key, row in sorted(known.items())]
            if position == _RECENT_GROUP:
                recent = {key: _outcomes(*self._recent[row].astype(int).tolist()) for key, row in known.items()}
        return {
            "format": _FORMAT,
            "size": self.size,
            "first_bet_at": None if self.size == 0 else self._first,
            "last_bet_at": None if self.size == 0 else self.last_bet_at,
            "columns": ["count", "wins", "implied_sum", "roi_sum_pct"],
            "groups": groups,
            "recent": [[*key.split(_SEPARATOR), outcomes] for key, outcomes in sorted(recent.items())],
        }

    @classmethod
    def from_json(cls, data: object) -> History:
        """Read what `to_json` wrote.

        Raises:
            ModelError: it is something else.
        """
        try:
            return cls._from_json(data)
        except (KeyError, TypeError, ValueError, IndexError) as cause:
            raise ModelError(
                f"the history is not one of format {_FORMAT} ({type(cause).__name__}: {cause}): "
                "make it with import_models.py --bets FILE"
            ) from cause

    @classmethod
    def _from_json(cls, data: Any) -> History:
        if data["format"] != _FORMAT:
            raise ValueError(f"format {data['format']!r}")
        size = int(data["size"])
        if size == 0:
            return cls.empty()
        groups: list[dict[str, list[float]]] = []
        for name, columns in GROUPS.items():
            group = {}
            for row in data["groups"][name]:
                *keys, count, wins, implied, roi = row
                sums = [float(number) for number in (count, wins, implied, roi)]
                if len(keys) != len(columns) or not np.isfinite(sums).all() or not 0 <= sums[WINS] <= sums[COUNT]:
                    raise ValueError(f"{name} {row!r:.80}")
                group[_SEPARATOR.join(keys)] = sums
            groups.append(group)
        recent = {}
        for *keys, outcomes in data["recent"]:
            if not isinstance(outcomes, str) or len(outcomes) > RECENT or set(outcomes) - {"0", "1"}:
                raise ValueError(f"recent {outcomes!r:.40}")
            recent[_SEPARATOR.join(keys)] = outcomes
        return cls(
            groups,
            recent,
            size=size,
            first_bet_at=float(data["first_bet_at"]),
            last_bet_at=float(data["last_bet_at"]),
        )


def as_of(settled: SettledBets) -> HistoryColumns:
    """The past of each bet among all: only bets with a strictly earlier time count.

    Sorted by group and time, the sum over earlier bets is a difference of cumulative sums between the start of the
    group and the start of the run of bets with the same time.
    """
    n = len(settled)
    values = _values(settled)
    times = settled.bets.placed_at
    sums = np.zeros((n, len(GROUPS), values.shape[1]))
    recent = np.zeros((n, 2))
    for position, keys in enumerate(_keys(settled.bets)):
        _, codes = np.unique(np.array(keys, dtype=object), return_inverse=True)
        order = np.lexsort((times, codes))
        group_start = _run_starts(codes[order])
        earlier_end = np.maximum(group_start, _run_starts(codes[order], times[order]))
        total = np.vstack([np.zeros(values.shape[1]), np.cumsum(values[order], axis=0)])
        sums[order, position] = total[earlier_end] - total[group_start]
        if position == _RECENT_GROUP:
            start = np.maximum(group_start, earlier_end - RECENT)
            recent[order, 0] = earlier_end - start
            recent[order, 1] = total[earlier_end, WINS] - total[start, WINS]
    # A sum of counts is exact; of fractions it keeps a trace of what was subtracted.
    unseen = sums[:, :, COUNT] == 0
    sums[unseen] = 0.0
    first = float(times.min()) if n else float("nan")
    return HistoryColumns(sums=sums, recent=recent, first_bet_at=first, empty=n == 0)


def _run_starts(*columns: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """For each position, where the run of equal values that it is in begins."""
    n = len(columns[0])
    new = np.ones(n, dtype=np.bool_)
    if n:
        new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return np.maximum.accumulate(np.where(new, np.arange(n), 0))


def _values(settled: SettledBets) -> Floats:
    ones = np.ones(len(settled))
    return np.column_stack([ones, settled.won, implied_probability(settled.bets.odds), settled.roi_pct])


def _keys(bets: BetColumns) -> Iterator[list[str]]:
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
            yield [_SEPARATOR.join(parts) for parts in zip(*(folded[column] for column in columns), strict=True)]


def _outcomes(count: int, wins: int) -> str:
    """Outcomes with these totals; their order is not kept, since only the totals are asked for."""
    return "1" * wins + "0" * (count - wins)
