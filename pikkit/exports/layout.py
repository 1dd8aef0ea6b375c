"""How an export is to be read: its columns, its way to write numbers, odds and times, with the evidence for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pikkit.errors import ModelError
from pikkit.exports.columns import OURS, find_columns
from pikkit.exports.prices import decide_format, writes_decimal_comma
from pikkit.exports.table import Table
from pikkit.exports.times import TimeEvidence, Times

__all__ = ["Asked", "Layout", "survey"]

_NUMBERS = ("odds", "roi", "profit", "stake", "clv", "closing")
_MOMENTS = ("settled_at", "created_at", "placed_at")
_TIME = "time"  # any of them
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller says of the file; None: to be found out.

    Attributes:
        columns: the file's names to ours.
        odds_format: american, decimal or fractional.
        date_format: mdy, dmy, ymd or a strptime format.
        placed: the time of a bet is when it was placed, rather than when it was settled.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    odds_format: str | None = None
    date_format: str | None = None
    placed: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns by our names, and how their content is written."""

    names: tuple[str, ...]
    places: Mapping[str, int]
    odds_format: str
    times: Times
    decimal_comma: bool
    moments: tuple[str, ...]  # columns that tell the time of a bet, the better first
    evidence: tuple[str, ...]

    def cell(self, cells: Sequence[str], ours: str) -> str:
        """The text in a column of ours, without outer blanks; empty where there is none."""
        place = self.places.get(ours)
        return "" if place is None else cells[place].strip()


def survey(table: Table, asked: Asked, required: Sequence[str]) -> Layout:
    """Read the whole table once and find out how it is written.

    Raises:
        ModelError: a column is missing, or odds or times can be read in several ways.
    """
    places = find_columns(table.names, asked.columns)
    missing = [ours for ours in required if ours not in places and not _follows(ours, places)]
    if missing:
        raise ModelError(
            f"the bets have no column for {', '.join(missing)} (known: "
            f"{'; '.join(_known(ours) for ours in missing)}); there are {', '.join(table.names)[:300]}: "
            f"name it by --map THEIRS={_MOMENTS[0] if missing[0] == _TIME else missing[0]}"
        )
    odds: Counter[str] = Counter()
    evidence = TimeEvidence()
    commas = 0
    for cells in _whole(table):
        if "odds" in places:
            odds[cells[places["odds"]].strip()] += 1
        for moment in _MOMENTS:
            if moment in places:
                evidence.see(cells[places[moment]].strip())
        if table.comma_is_decimal or commas < _SHOWN:
            commas += any(writes_decimal_comma(cells[places[name]]) for name in _NUMBERS if name in places)
    decimal_comma = commas > 0
    told = [table.described + (", numbers with a decimal comma" if decimal_comma else "")]
    odds_format = "american"
    if "odds" in places:
        column = table.names[places["odds"]]
        odds_format, why = decide_format(column, odds, asked.odds_format, decimal_comma=decimal_comma)
        told.append(f"odds: {why}")
    times, why = evidence.decide(asked.date_format)
    if why:
        told.append(f"dates: {why}")
    read = [f"{ours} from {table.names[place]}" for ours, place in places.items() if table.names[place] != ours]
    if read:
        told.append(f"columns: {', '.join(read)}")
    settled, created, placed = _MOMENTS
    order = (placed, created, settled) if asked.placed else (settled, created, placed)
    moments = tuple(name for name in order if name in places)
    return Layout(table.names, places, odds_format, times, decimal_comma, moments, tuple(told))


def _follows(ours: str, places: Mapping[str, int]) -> bool:
    """Whether a column's content follows from others."""
    return (ours == "market" and "info" in places) or (ours == _TIME and any(name in places for name in _MOMENTS))


def _whole(table: Table) -> Iterator[list[str]]:
    width = len(table.names)
    return (cells for _, cells in table.rows() if len(cells) == width)


def _known(ours: str) -> str:
    return ", ".join(OURS.get(ours, ("settled_at", "placed_at", "created_at", "date"))[:4])
