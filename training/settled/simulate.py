"""Simulated settled bets: a seeded market with vig, and places where its prices are off.

They stand in for real bets where nobody has any yet: the starter models are trained on them, and say so.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pikkit.bets.columns import BetColumns
from pikkit.bets.odds import LEAST_AMERICAN, decimal_to_american, expected_roi_pct
from pikkit.history.history import SettledBets

__all__ = ["simulate"]

_START = 1_735_689_600.0  # 2025-01-01T00:00:00Z
_DAYS = 300
_CORE = ("Moneyline", "Spread", "Total Points")  # of every sport
# Share of the bets, leagues, and markets beside the core.
_SPORTS: Mapping[str, tuple[float, tuple[str, ...], tuple[str, ...]]] = {
    "Basketball": (
        0.34,
        ("NBA", "WNBA", "NCAAB", "Euroleague"),
        (
            "Player Points",
            "Player Rebounds",
            "Player Assists",
            "1st Half Spread",
            "1st Half Total",
            "Team Total Points",
        ),
    ),
    "American Football": (
        0.19,
        ("NFL", "NCAAFB", "CFL"),
        ("Player Receiving Yards", "Player Rushing Yards", "1st Half Spread", "1st Half Total", "Team Total Points"),
    ),
    "Baseball": (
        0.19,
        ("MLB", "NPB", "KBO"),
        ("Run Line", "Total Runs", "Pitcher Strikeouts", "Player Home Runs", "1st 5 Innings Total"),
    ),
    "Ice Hockey": (0.09, ("NHL", "AHL"), ("Puck Line", "Total Goals", "Player Shots")),
    "Soccer": (
        0.08,
        ("Premier League", "La Liga", "MLS", "Champions League", "Ligue 1", "Serie A", "Bundesliga", "Liga MX"),
        ("Total Goals", "Both Teams to Score", "Draw No Bet"),
    ),
    "Tennis": (0.08, ("ATP", "WTA"), ("Total Games", "Total Sets", "1st Set Winner")),
    "MMA": (0.03, ("UFC",), ("Fight Props",)),
}
_BOOKS = {
    "DraftKings": 0.27,
    "FanDuel": 0.23,
    "BetMGM": 0.2,
    "Caesars": 0.1,
    "ESPN BET": 0.05,
    "bet365": 0.05,
    "Hard Rock Bet": 0.04,
    "Betway": 0.02,
    "BetParx": 0.01,
    "Fanatics": 0.01,
    "Fliff": 0.01,
    "SugarHouse": 0.01,
}
_CORE_SHARE = 0.6
_MARGIN = 0.045
_PARLAY_SHARE, _PARLAY_MARGIN = 0.1, 0.15
_LIVE_SHARE = 0.05
_MISPRICED_SD = 0.06  # of the win probability, by league and market: what a model can find


def simulate(bets: int, seed: int) -> SettledBets:
    """`bets` settled bets over 300 days, the same for the same seed.

    The price of a bet follows its win probability but for two errors: one that league and market share, which past
    results show, and one of each bet's own, which nothing shows. The sportsbook's vig lies on top.
    """
    random = np.random.default_rng(seed)
    names = list(_SPORTS)
    picked = random.choice(len(names), bets, p=[share for share, _, _ in _SPORTS.values()])
    sport = [names[i] for i in picked]
    league = [str(random.choice(_SPORTS[name][1])) for name in sport]
    market = [
        str(random.choice(_CORE if core else _SPORTS[name][2]))
        for name, core in zip(sport, random.random(bets) < _CORE_SHARE, strict=True)
    ]
    book = random.choice(list(_BOOKS), bets, p=list(_BOOKS.values()))
    parlay = random.random(bets) < _PARLAY_SHARE
    fair = np.where(parlay, random.uniform(0.04, 0.3, bets), np.clip(random.normal(0.48, 0.13, bets), 0.08, 0.92))
    kinds = sorted(set(zip(sport, league, market, strict=True)))
    errors = dict(zip(kinds, random.normal(0, _MISPRICED_SD, len(kinds)), strict=True))
    shared = np.array([errors[kind] for kind in zip(sport, league, market, strict=True)])
    shared[parlay] = 0.0
    chance = np.clip(fair + shared + random.normal(0, 0.01, bets), 0.01, 0.99)
    implied = np.clip(fair * (1 + np.where(parlay, _PARLAY_MARGIN, _MARGIN)), 0.02, 0.97)
    odds = np.round(decimal_to_american(1 / implied))
    odds = np.where(np.abs(odds) < LEAST_AMERICAN, LEAST_AMERICAN, odds)  # rounding may leave the scale's gap
    won = random.random(bets) < chance
    return SettledBets(
        BetColumns(
            sport=["Parlay" if multi else one for one, multi in zip(sport, parlay, strict=True)],
            league=["None" if multi else one for one, multi in zip(league, parlay, strict=True)],
            market=["Parlay" if multi else one for one, multi in zip(market, parlay, strict=True)],
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
