"""Simulated settled bets: a seeded market with a margin, and places where its prices are off.

They stand in for real bets where nobody has any yet: the starter models are trained on them, and say so.
"""

from __future__ import annotations

import numpy as np

from pikkit.bets import BetColumns
from pikkit.history import SettledBets
from pikkit.odds import decimal_to_american, expected_roi_pct

__all__ = ["simulate"]

_START = 1_735_689_600.0  # 2025-01-01T00:00:00Z
_DAYS = 300
_SPORTS = {
    "Basketball": (0.34, ("NBA", "WNBA", "NCAAB", "Euroleague")),
    "American Football": (0.2, ("NFL", "NCAAF")),
    "Baseball": (0.2, ("MLB",)),
    "Ice Hockey": (0.1, ("NHL",)),
    "Soccer": (0.08, ("EPL", "La Liga", "MLS", "UEFA Champions League")),
    "Tennis": (0.08, ("ATP", "WTA")),
}
_MARKETS = ("Moneyline", "Spread", "Total Points", "Player Points", "1st Half Spread", "Team Total")
_BOOKS = {
    "DraftKings": 0.3,
    "FanDuel": 0.25,
    "BetMGM": 0.2,
    "Caesars": 0.1,
    "ESPN BET": 0.05,
    "bet365": 0.05,
    "Hard Rock Bet": 0.05,
}
_MARGIN = 0.045
_PARLAY_SHARE, _PARLAY_MARGIN = 0.1, 0.15
_LIVE_SHARE = 0.05
_MISPRICED_SD = 0.06  # of the chance to win, by league and market: what a model can find


def simulate(bets: int, seed: int) -> SettledBets:
    """`bets` settled bets over 300 days, the same for the same seed.

    The price of a bet follows its chance to win but for two errors: one that league and market share, which past
    results show, and one of each bet's own, which nothing shows. The bookmaker's margin lies on top.
    """
    random = np.random.default_rng(seed)
    sports = list(_SPORTS)
    sport = random.choice(len(sports), bets, p=[share for share, _ in _SPORTS.values()])
    league = [str(random.choice(_SPORTS[sports[i]][1])) for i in sport]
    market = random.choice(len(_MARKETS), bets, p=[0.3, 0.25, 0.2, 0.1, 0.08, 0.07])
    book = random.choice(list(_BOOKS), bets, p=list(_BOOKS.values()))
    parlay = random.random(bets) < _PARLAY_SHARE
    fair = np.where(parlay, random.uniform(0.04, 0.3, bets), np.clip(random.normal(0.48, 0.13, bets), 0.08, 0.92))
    names = sorted({(one, int(kind)) for one, kind in zip(league, market, strict=True)})
    errors = dict(zip(names, random.normal(0, _MISPRICED_SD, len(names)), strict=True))
    shared = np.array([errors[one, int(kind)] for one, kind in zip(league, market, strict=True)])
    shared[parlay] = 0.0
    chance = np.clip(fair + shared + random.normal(0, 0.01, bets), 0.01, 0.99)
    implied = np.clip(fair * (1 + np.where(parlay, _PARLAY_MARGIN, _MARGIN)), 0.02, 0.97)
    odds = np.round(decimal_to_american(1 / implied))
    odds = np.where(np.abs(odds) < 100, 100.0, odds)  # noqa: PLR2004 - rounding may leave the scale's gap
    won = random.random(bets) < chance
    return SettledBets(
        BetColumns(
            sport=["Parlay" if multi else sports[i] for i, multi in zip(sport, parlay, strict=True)],
            league=["None" if multi else one for one, multi in zip(league, parlay, strict=True)],
            market=["Parlay" if multi else _MARKETS[i] for i, multi in zip(market, parlay, strict=True)],
            institution_name=[str(name) for name in book],
            bet_type=["parlay" if multi else "straight" for multi in parlay],
            odds=odds,
            is_live=random.random(bets) < _LIVE_SHARE,
            clv_percentage=np.full(bets, np.nan),
            placed_at=np.sort(_START + random.uniform(0, _DAYS * 86_400.0, bets)).round(),
        ),
        won,
        expected_roi_pct(won.astype(np.float64), odds),
    )
