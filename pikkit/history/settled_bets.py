"""Settled bets from a file, as dirty as exports are: what can't be used is counted by reason.

Needs polars, of the training extra: the service does not import this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pikkit.bets.columns import BetColumns
from pikkit.bets.odds import expected_roi_pct
from pikkit.errors import ModelError
from pikkit.history.history import SettledBets

__all__ = ["ReadReport", "read_settled", "settled_from_frame", "settled_from_rows"]

# Column names seen in exports, by ours; the first that is there is read.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "sport": ("sport",),
    "league": ("league",),
    "market": ("market",),
    "institution_name": ("institution_name", "sportsbook", "book"),
    "bet_type": ("bet_type", "type"),
    "odds": ("american_odds", "odds"),
    "won": ("is_win", "won"),
    "roi": ("roi", "roi_pct"),
    "clv": ("clv_percentage", "clv"),
    "live": ("is_live", "live"),
    "time": ("settled_at", "created_at", "placed_at", "time_settled"),
}
_PLACED = ("placed_at", "created_at", "settled_at", "time_settled")
_OPTIONAL = frozenset({"league", "bet_type", "roi", "clv", "live"})
_MIN_ODDS, _MAX_ODDS = 100.0, 100_000.0


@dataclass(frozen=True, slots=True)
class ReadReport:
    """How many rows were read and used, and how many were set aside for which reason."""

    rows: int
    used: int
    set_aside: Mapping[str, int] = field(default_factory=dict)

    def lines(self) -> Iterable[str]:
        """One line per fact, for people."""
        yield f"{self.used:,} of {self.rows:,} bets are used"
        for reason, count in sorted(self.set_aside.items(), key=lambda pair: -pair[1]):
            if count:
                yield f"{count:,} set aside: {reason}"


def read_settled(path: Path, *, placed: bool = False) -> tuple[SettledBets, ReadReport]:
    """Settled bets of a CSV (also compressed) or Parquet file, oldest first.

    `placed`: the time of a bet is when it was placed, where the file tells, rather than when it was settled.

    Raises:
        ModelError: the file is not there, is neither, or lacks a column.
    """
    if not path.is_file():
        raise ModelError(f"{path} is not a file: name a CSV or Parquet file of settled bets")
    try:
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError, ValueError) as cause:
        raise ModelError(f"{path} can't be read as bets ({cause}): give CSV or Parquet") from cause
    return settled_from_frame(frame, placed=placed)


def settled_from_rows(rows: list[dict[str, Any]], *, placed: bool = False) -> tuple[SettledBets, ReadReport]:
    """Settled bets from decoded JSON rows, as a database returns them."""
    return settled_from_frame(pl.DataFrame(rows, infer_schema_length=None, strict=False), placed=placed)


def settled_from_frame(frame: pl.DataFrame, *, placed: bool = False) -> tuple[SettledBets, ReadReport]:
    """Settled bets of a table, oldest first; rows with the same `id` count once.

    A push is a bet that returned its stake (ROI 0); without an ROI column the return follows from price and result.

    Raises:
        ModelError: a column is missing.
    """
    given = {
        name: next((pl.col(known) for known in names if known in frame.columns), None)
        for name, names in {**_COLUMNS, **({"time": _PLACED} if placed else {})}.items()
    }
    missing = [names[0] for name, names in _COLUMNS.items() if given[name] is None and name not in _OPTIONAL]
    if missing:
        raise ModelError(f"the bets have no column {', '.join(missing)}; there are {', '.join(frame.columns)[:300]}")

    def text(name: str, default: str) -> pl.Expr:
        column = given[name]
        return pl.lit(default) if column is None else column.cast(pl.String).str.strip_chars().fill_null(default)

    def number(name: str) -> pl.Expr:
        column = given[name]
        if column is None:
            return pl.lit(None, pl.Float64)
        plain = column.cast(pl.String).str.strip_chars().str.replace("\u2212", "-", literal=True).str.to_uppercase()
        value = plain.replace(_EVEN).cast(pl.Float64, strict=False)
        return pl.when(value.is_finite()).then(value)

    def truth(name: str) -> pl.Expr:
        column = given[name]
        if column is None:
            return pl.lit(False)
        return column.cast(pl.String).str.to_lowercase().replace_strict(_TRUTHS, default=None, return_dtype=pl.Boolean)

    time = given["time"] if given["time"] is not None else pl.lit(None)
    if isinstance(frame.select(time).dtypes[0], pl.Datetime):
        moment = time
    else:
        moment = time.cast(pl.String).str.to_datetime(time_zone="UTC", time_unit="us", strict=False)
    table = frame.select(
        sport=text("sport", ""),
        league=text("league", ""),
        market=text("market", ""),
        institution_name=text("institution_name", ""),
        bet_type=text("bet_type", "straight"),
        odds=number("odds"),
        won=truth("won"),
        roi=number("roi"),
        clv=number("clv"),
        live=truth("live").fill_null(value=False),
        time=moment.dt.epoch("us") / 1e6,
        again=pl.col("id").is_duplicated() & ~pl.col("id").is_first_distinct()
        if "id" in frame.columns
        else pl.lit(False),
    )
    odds = pl.col("odds").abs()
    has_roi = given["roi"] is not None
    reasons = (
        ("the same id occurs before", pl.col("again")),
        ("no sport, market or sportsbook", pl.any_horizontal(pl.col("sport", "market", "institution_name") == "")),
        ("no time", pl.col("time").is_null()),
        ("no odds", pl.col("odds").is_null()),
        (f"odds outside ±{_MIN_ODDS:g} … ±{_MAX_ODDS:g}", (odds < _MIN_ODDS) | (odds > _MAX_ODDS)),
        (
            "not settled: no result",
            pl.col("won").is_null() | (pl.col("roi").is_null() if has_roi else pl.lit(False)),
        ),
        ("push or void: the stake came back", pl.col("roi") == 0),
        ("result and ROI contradict each other", pl.col("won") != (pl.col("roi") > 0)),
    )
    reason = pl.lit(None, pl.String)
    for words, applies in reversed(reasons):
        reason = pl.when(applies).then(pl.lit(words)).otherwise(reason)
    table = table.with_columns(reason=reason)
    counts = dict(table.filter(pl.col("reason").is_not_null()).group_by("reason").len().iter_rows())
    used = table.filter(pl.col("reason").is_null()).sort("time", maintain_order=True)
    bets = BetColumns(
        sport=used["sport"].to_list(),
        league=used["league"].to_list(),
        market=used["market"].to_list(),
        institution_name=used["institution_name"].to_list(),
        bet_type=used["bet_type"].to_list(),
        odds=used["odds"].to_numpy().astype(np.float64),
        is_live=used["live"].to_numpy().astype(np.bool_),
        clv_percentage=used["clv"].fill_null(float("nan")).to_numpy().astype(np.float64),
        placed_at=used["time"].to_numpy().astype(np.float64),
    )
    won = used["won"].to_numpy().astype(np.bool_)
    roi = used["roi"].to_numpy().astype(np.float64) if has_roi else expected_roi_pct(won.astype(np.float64), bets.odds)
    return SettledBets(bets, won, roi), ReadReport(frame.height, used.height, counts)


_TRUTHS = {
    **dict.fromkeys(("true", "1", "1.0", "t", "yes"), True),
    **dict.fromkeys(("false", "0", "0.0", "f", "no"), False),
}
_EVEN = dict.fromkeys(("EVEN", "EV", "PK"), "100")
