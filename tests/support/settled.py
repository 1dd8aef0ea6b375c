"""Small sets of settled bets for tests."""

from typing import Any

import numpy as np

from pikkit.bets.bet import BetColumns
from pikkit.history.history import SettledBets


def settled(rows: list[dict[str, Any]]) -> SettledBets:
    """Settled bets with defaults for what a row does not say; `time` in seconds, `won` a truth value."""
    full = [
        {
            "sport": "Basketball",
            "league": "NBA",
            "market": "Moneyline",
            "institution_name": "DraftKings",
            "bet_type": "straight",
            "odds": 100.0,
            "live": False,
            "clv": np.nan,
            "time": float(i),
            "won": False,
            **row,
        }
        for i, row in enumerate(rows)
    ]

    def column(name: str) -> list[Any]:
        return [row[name] for row in full]

    odds, won = np.array(column("odds"), dtype=np.float64), np.array(column("won"), dtype=np.bool_)
    profit = np.where(odds > 0, odds, 10_000 / np.abs(odds))
    return SettledBets(
        BetColumns(
            sport=column("sport"),
            league=column("league"),
            market=column("market"),
            institution_name=column("institution_name"),
            bet_type=column("bet_type"),
            odds=odds,
            is_live=np.array(column("live"), dtype=np.bool_),
            clv_percentage=np.array(column("clv"), dtype=np.float64),
            placed_at=np.array(column("time"), dtype=np.float64),
        ),
        won,
        np.where(won, profit, -100.0),
    )


def rows_of(bets: SettledBets, index: Any) -> SettledBets:
    """Some of them, by position or mask."""
    columns = bets.bets
    picked = np.arange(len(bets))[index]

    def some(values: list[str]) -> list[str]:
        return [values[i] for i in picked]

    return SettledBets(
        BetColumns(
            sport=some(columns.sport),
            league=some(columns.league),
            market=some(columns.market),
            institution_name=some(columns.institution_name),
            bet_type=some(columns.bet_type),
            odds=columns.odds[picked],
            is_live=columns.is_live[picked],
            clv_percentage=columns.clv_percentage[picked],
            placed_at=columns.placed_at[picked],
        ),
        bets.won[picked],
        bets.roi_pct[picked],
    )
