"""Simulated settled bets as a file that looks like an export."""

from pathlib import Path

import polars as pl

from training.simulate import simulate


def write_bets(path: Path, bets: int, seed: int, **columns: pl.Expr) -> Path:
    """Simulated bets as an export has them."""
    settled = simulate(bets, seed)
    frame = pl.DataFrame(
        {
            **dict(settled.bets.categorical()),
            "american_odds": settled.bets.odds,
            "is_live": settled.bets.is_live,
            "is_win": settled.won,
            "roi": settled.roi_pct,
            "created_at": pl.Series(settled.bets.placed_at * 1e6).cast(pl.Datetime("us", "UTC")),
        }
    ).with_columns(**columns)
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path)
    return path
