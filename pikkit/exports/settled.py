"""Settled bets from an export, as dirty as exports are: what can't be used is counted by reason, and can be kept."""

from __future__ import annotations

import csv
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pikkit.bets.columns import BetColumns
from pikkit.bets.odds import american_to_decimal, expected_roi_pct
from pikkit.errors import ModelError
from pikkit.exports.layout import Asked, Layout, survey
from pikkit.exports.reading import TEXTS, RowReader
from pikkit.exports.results import LOST, WON
from pikkit.exports.table import Table, of_records, open_table
from pikkit.history.history import SettledBets

__all__ = ["ReadReport", "check_apart", "read_settled", "settled_from_rows", "settled_from_table"]

_REQUIRED = ("sport", "market", "institution_name", "odds", "result", "time")
_MIN_ODDS, _MAX_ODDS = 100.0, 100_000.0
_MOST_ROI = 1e7  # percent or fraction
_FRACTIONS = (0.005, 0.02)  # of what a won bet returns in percent: written as a fraction


@dataclass(frozen=True, slots=True)
class ReadReport:
    """How the bets were read; how many were used, and how many were set aside for which reason."""

    rows: int
    used: int
    set_aside: Mapping[str, int] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """One line per fact, for people."""
        yield from self.evidence
        yield f"{self.used:,} of {self.rows:,} bets are used"
        for reason, count in sorted(self.set_aside.items(), key=lambda pair: -pair[1]):
            yield f"{count:,} set aside: {reason}"


def read_settled(
    path: Path, asked: Asked | None = None, *, placed: bool = False, rejected: Path | None = None
) -> tuple[SettledBets, ReadReport]:
    """Settled bets of a file, oldest first.

    Args:
        path: CSV (also gzip) or Parquet.
        asked: what the caller says of it.
        placed: the time of a bet is when it was placed, where the file tells, rather than when it was settled.
        rejected: a file to write into what was set aside: line, reason and cells.

    Raises:
        ModelError: the file is not there, is none, lacks a column, or can be read in several ways; or it is the one
            to write.
    """
    check_apart(path, rejected)
    return settled_from_table(open_table(path), asked or Asked(placed=placed), rejected=rejected)


def check_apart(bets: Path, *written: Path | None) -> None:
    """Refuse to write over the bets.

    Raises:
        ModelError: one of the files to be written is that of the bets.
    """
    for path in written:
        if path is not None and path.exists() and bets.exists() and path.samefile(bets):
            raise ModelError(f"{path} is the file of the bets itself, which would be lost: name another one to write")


def settled_from_rows(rows: list[dict[str, Any]], *, placed: bool = False) -> tuple[SettledBets, ReadReport]:
    """Settled bets from decoded JSON rows, as a database returns them."""
    return settled_from_table(of_records(rows, "rows of a database"), Asked(placed=placed))


def settled_from_table(table: Table, asked: Asked, *, rejected: Path | None = None) -> tuple[SettledBets, ReadReport]:
    """Settled bets of a table, oldest first; rows with the same id count once.

    A push is a bet that returned its stake (ROI 0). ROI is the file's own, else profit over stake, else it follows from
    price and result.

    Raises:
        ModelError: a column is missing, or odds or times can be read in several ways.
    """
    layout = survey(table, asked, _REQUIRED)
    kept = _Kept(layout)
    counts: Counter[str] = Counter()
    rows = 0
    with ExitStack() as stack:
        aside = _aside(rejected, table.names, stack)
        for line, cells in table.rows():
            rows += 1
            reason = kept.take(cells)
            if reason is not None:
                counts[reason] += 1
                if aside is not None:
                    aside.writerow([line, reason, *cells])
    return kept.bets(), ReadReport(rows, len(kept), dict(counts), (*layout.evidence, *kept.evidence()))


class _Kept:
    """The columns of the bets that are used, filled row by row."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._reader = RowReader(layout)
        self._seen: set[str] = set()
        self._texts: dict[str, list[str]] = {name: [] for name in TEXTS}
        self._numbers = {name: array("d") for name in ("odds", "clv", "time", "roi")}
        self._won = array("b")
        self._live = array("b")
        self._has_roi = "roi" in layout.places
        self._other = 0

    def __len__(self) -> int:
        return len(self._won)

    def take(self, cells: Sequence[str]) -> str | None:
        """Keep a row, or the reason why it is not used."""
        layout, reader = self._layout, self._reader
        if len(cells) != len(layout.names):
            return f"a line of {len(cells)} cells under a header of {len(layout.names)}"
        number = layout.cell(cells, "id")
        if number in self._seen:
            return "the same id occurs before"
        if number:
            self._seen.add(number)
        texts, time, odds = reader.texts(cells), reader.time(cells), reader.odds(cells)
        outcome = reader.outcome(cells)
        roi = reader.number(cells, "roi") if self._has_roi else reader.roi(cells)
        won = outcome == WON
        wrong: str | None = outcome
        if outcome in (WON, LOST):
            wrong = _unusable(texts, time, odds) or _unsettled(roi, won=won, must=self._has_roi)
        if wrong or odds is None or time is None:
            return wrong
        for name, value in texts.items():
            self._texts[name].append(value)
        self._numbers["odds"].append(odds)
        self._numbers["clv"].append(reader.clv(cells, odds))
        self._numbers["time"].append(time)
        self._numbers["roi"].append(expected_roi_pct(float(won), odds) if roi is None else roi)
        self._won.append(won)
        self._live.append(reader.live(cells))
        return None

    def bets(self) -> SettledBets:
        """All of them, oldest first."""
        found = {name: np.frombuffer(values, dtype=np.float64) for name, values in self._numbers.items() if values}
        found = {name: found.get(name, np.empty(0)) for name in self._numbers}
        order = np.argsort(found["time"], kind="stable")
        places = order.tolist()
        return SettledBets(
            BetColumns(
                **{name: [values[i] for i in places] for name, values in self._texts.items()},
                odds=found["odds"][order],
                is_live=np.array(self._live, dtype=np.bool_)[order],
                clv_percentage=found["clv"][order],
                placed_at=found["time"][order],
            ),
            np.array(self._won, dtype=np.bool_)[order],
            found["roi"][order] * self._roi_scale(),
        )

    def evidence(self) -> Iterator[str]:
        """What the rows showed of how they are to be read."""
        yield from self._reader.evidence()
        if self._roi_scale() != 1:
            yield "ROI: fractions, by what won bets returned at their odds; read as percent"

    def _roi_scale(self) -> float:
        if not self._has_roi or not self._won:
            return 1.0
        won = np.array(self._won, dtype=np.bool_)
        if not won.any():
            return 1.0
        odds, roi = (np.frombuffer(self._numbers[name])[won] for name in ("odds", "roi"))
        share = float(np.median(roi / (100 * (american_to_decimal(odds) - 1))))
        return 100.0 if _FRACTIONS[0] < share < _FRACTIONS[1] else 1.0


def _unusable(texts: Mapping[str, str], time: float | None, odds: float | None) -> str | None:
    """Why a bet can't be used, whatever became of it."""
    if not (texts["sport"] and texts["market"] and texts["institution_name"]):
        return "no sport, market or sportsbook"
    if time is None:
        return "no time that can be read"
    if odds is None:
        return "no odds that can be read"
    return None if _MIN_ODDS <= abs(odds) <= _MAX_ODDS else f"odds outside ±{_MIN_ODDS:g} … ±{_MAX_ODDS:g}"


def _unsettled(roi: float | None, *, won: bool, must: bool) -> str | None:
    """Why a result that the file tells can't be used."""
    if roi is None:
        return "not settled: no result" if must else None
    if abs(roi) > _MOST_ROI:
        return "an ROI beyond what any price pays"
    if roi == 0:
        return "push or void: the stake came back"
    return "result and ROI contradict each other" if won != (roi > 0) else None


def _aside(path: Path | None, names: Sequence[str], stack: ExitStack) -> Any:
    if path is None:
        return None
    try:
        file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
    except OSError as cause:
        raise ModelError(f"{path} can't be written ({cause.strerror}): name another file by --rejected") from cause
    writer = csv.writer(file)
    writer.writerow(["line", "reason", *names])
    return writer
