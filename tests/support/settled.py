"""Small sets of settled bets for tests."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pikkit.bets.bet import CATEGORICAL, Bet
from pikkit.bets.columns import BetColumns
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


def columns_of(bets: Sequence[Bet], now: float) -> BetColumns:
    """The columns of bets, as the predictor reads them."""
    return BetColumns(
        **{column: [getattr(bet, column) for bet in bets] for column in CATEGORICAL},
        odds=np.array([bet.odds for bet in bets], dtype=np.float64),
        is_live=np.array([bet.is_live for bet in bets], dtype=np.bool_),
        clv_percentage=np.array([np.nan if bet.clv_percentage is None else bet.clv_percentage for bet in bets]),
        placed_at=np.array([bet.placed_at.timestamp() if bet.placed_at else now for bet in bets]),
    )


def rows_of(bets: SettledBets, index: Any) -> SettledBets:
    """Some of them, by position or mask."""
    return bets.take(np.arange(len(bets))[index])
