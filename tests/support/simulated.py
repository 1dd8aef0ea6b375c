"""Simulated settled bets as files that look like exports: clean, as dirty as real ones, and as a bet tracker writes."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from training.settled.simulate import simulate

_IMPORTS = 35  # blocks of rows, each one user's import
_FIRST_IMPORT = 1_759_773_128.0  # 2025-10-06T17:52:08Z
_DAY = 86_400.0
# Of 1,000 rows of such an export, as counted on a real one.
_PUSHES, _WON_PUSHES, _CONTRADICTIONS, _NO_RESULT, _LIVE = 20, 1, 2, 1, 45


@dataclass(frozen=True, slots=True)
class DirtyExport:
    """`frame` holds text only, as a CSV file does; `unusable` counts the rows of each fault, each row once."""

    frame: pl.DataFrame
    unusable: Mapping[str, int]

    def write(self, path: Path) -> Path:
        """As CSV, compressed where the name ends with .gz."""
        content = self.frame.write_csv().encode()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        return path


def write_bets(path: Path, bets: int, seed: int, **columns: pl.Expr) -> Path:
    """Simulated bets as an export has them."""
    frame = _clean(bets, seed).with_columns(**columns)
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path)
    return path


def dirty_export(bets: int, seed: int) -> DirtyExport:
    """What an export of a betting app holds beside good rows.

    Parlays without a league, several spellings of one sportsbook, odds in the millions, pushes (a few of them
    "won"), results that contradict their return, no return at all, and times that are those of the import: all
    within a day, in blocks.
    """
    random = np.random.default_rng(seed)
    clean = _clean(bets, seed)
    row = pl.int_range(pl.len())
    at = random.permutation(bets)

    def share(per_mille: int) -> int:
        return max(1, bets * per_mille // 1000)

    def take(count: int) -> pl.Expr:
        nonlocal at
        some, at = at[:count], at[count:]
        return row.is_in(some.tolist())

    push, won_push, contradiction = take(share(_PUSHES)), take(share(_WON_PUSHES)), take(share(_CONTRADICTIONS))
    no_result, millions = take(share(_NO_RESULT)), take(8)
    block = np.sort(random.integers(0, _IMPORTS, bets))
    starts = np.sort(random.uniform(0, _DAY - 3600, _IMPORTS))
    imported = _FIRST_IMPORT + np.sort(starts[block] + random.uniform(0, 1800, bets)).round()
    frame = clean.with_columns(
        pl.when(pl.col("league") != "None").then(pl.col("league")).alias("league"),
        pl.when(row % 97 == 0)
        .then(pl.col("institution_name").replace({"FanDuel": "Fanduel Sportsbook"}))
        .otherwise(pl.col("institution_name"))
        .alias("institution_name"),
        pl.when(millions).then(pl.lit(12_687_100.0)).otherwise(pl.col("american_odds")).alias("american_odds"),
        pl.when(push).then(False).when(won_push).then(True).otherwise(pl.col("is_win")).alias("is_win"),
        pl.when(push | won_push)
        .then(0.0)
        .when(no_result)
        .then(None)
        .when(contradiction)
        .then(-pl.col("roi"))
        .otherwise(pl.col("roi").round(2))
        .alias("roi"),
        pl.Series("clv_percentage", np.where(random.random(bets) < 0.24, random.normal(-3, 4, bets).round(2), np.nan))
        .fill_nan(None)
        .alias("clv_percentage"),
        pl.Series("is_live", random.random(bets) < _LIVE / 1000),
        pl.from_epoch(pl.Series(imported), time_unit="s").dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("created_at"),
    ).with_columns(pl.col("is_win", "is_live").replace_strict({True: "True", False: "False"}, return_dtype=pl.String))
    return DirtyExport(
        frame.cast(pl.String),
        {
            "push": share(_PUSHES) + share(_WON_PUSHES),
            "contradict": share(_CONTRADICTIONS),
            "no result": share(_NO_RESULT),
            "odds outside": 8,
        },
    )


def tracker_export(bets: int, seed: int) -> pl.DataFrame:
    """A bet tracker's transactions: decimal odds, US dates, statuses, pushes and pending ones, the bet as one text."""
    clean = _clean(bets, seed)
    parlay = pl.col("bet_type") == "parlay"
    price = pl.when(pl.col("american_odds") > 0)
    decimal = price.then(1 + pl.col("american_odds") / 100).otherwise(1 - 100 / pl.col("american_odds")).round(3)
    stake = 10.0
    status = (
        pl.when(pl.int_range(pl.len()) % 50 == 7)
        .then(pl.lit("SETTLED_PUSH"))
        .when(pl.int_range(pl.len()) % 97 == 5)
        .then(pl.lit("PENDING"))
        .when(pl.col("is_win"))
        .then(pl.lit("SETTLED_WIN"))
        .otherwise(pl.lit("SETTLED_LOSS"))
    )
    us, iso = "%m/%d/%Y %H:%M:%S GMT", "%Y-%m-%dT%H:%M:%S.000Z"
    settled = pl.col("created_at") + pl.duration(hours=3)
    pick = pl.concat_str(pl.lit("Home @ Away "), pl.col("market"), separator="")
    rows = clean.with_columns(status=status, decimal=decimal)
    won, lost = pl.col("status") == "SETTLED_WIN", pl.col("status") == "SETTLED_LOSS"
    pending = pl.col("status") == "PENDING"
    return rows.select(
        bet_id=pl.concat_str(pl.lit("bet-"), pl.int_range(pl.len())),
        sportsbook="institution_name",
        type="bet_type",
        status="status",
        odds="decimal",
        closing_line=(pl.col("decimal") * 0.98).round(3),
        ev=pl.lit(None, pl.Float64),
        amount=pl.lit(stake),
        profit=pl.when(won).then((pl.col("decimal") - 1) * stake).when(lost).then(-stake).otherwise(0.0).round(2),
        time_placed=pl.col("created_at").dt.strftime(us),
        time_settled=pl.when(~pending).then(settled.dt.strftime(us)),
        time_placed_iso=pl.col("created_at").dt.strftime(iso),
        time_settled_iso=pl.when(~pending).then(settled.dt.strftime(iso)),
        bet_info=pl.when(parlay).then(pl.lit("Home Moneyline|Over 9.5 Total Points")).otherwise(pick),
        tags=pl.lit(""),
        sports=pl.when(parlay).then(pl.lit("Basketball | Tennis")).otherwise(pl.col("sport")),
        leagues=pl.when(parlay).then(pl.lit("NBA | ATP")).otherwise(pl.col("league")),
    )


def _clean(bets: int, seed: int) -> pl.DataFrame:
    settled = simulate(bets, seed)
    return pl.DataFrame(
        {
            **dict(settled.bets.categorical()),
            "american_odds": settled.bets.odds,
            "is_live": settled.bets.is_live,
            "is_win": settled.won,
            "roi": settled.roi_pct,
            "created_at": pl.Series(settled.bets.placed_at * 1e6).cast(pl.Datetime("us", "UTC")),
        }
    )
