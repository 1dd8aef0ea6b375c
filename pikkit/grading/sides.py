"""Bets that are sides of one market: their chances add up to 1 at the most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pikkit.bets.bet import Leg
from pikkit.bets.names import fold, group_key
from pikkit.bets.numbers import Floats

__all__ = ["same_market", "scaled_to_one"]


def same_market(bets: Sequence[Leg]) -> Sequence[Sequence[Sequence[int]]]:
    """Markets of which several sides are among the bets; for each its sides, for each the positions of its bets.

    Sides belong together by event, market, sportsbook, live or not, and line: the other side of a spread has the line
    with the opposite sign, of a total the same one. A bet without event and selection is a side of nothing known.
    """
    markets: dict[tuple[object, ...], dict[tuple[str, float | None], list[int]]] = {}
    for i, bet in enumerate(bets):
        if bet.event is not None and bet.selection is not None:
            key = (
                fold(bet.event),
                fold(bet.sport),
                group_key("market", bet.market),
                group_key("institution_name", bet.institution_name),
                bet.is_live,
                bet.starts_at,
                None if bet.line is None else abs(bet.line),
            )
            markets.setdefault(key, {}).setdefault((fold(bet.selection), bet.line), []).append(i)
    return [list(part.values()) for sides in markets.values() if len(sides) > 1 for part in _parts(sides)]


def _parts(sides: dict[tuple[str, float | None], list[int]]) -> list[dict[tuple[str, float | None], list[int]]]:
    """Sides of one size of line, apart by who gives and who takes it."""
    names = {name for name, _ in sides}
    if len(names) != len(sides) and len(names) == 2:  # noqa: PLR2004 - alternates of a spread: each with both signs
        first = min(names)
        parts: dict[bool, dict[tuple[str, float | None], list[int]]] = {}
        for (name, line), bets in sides.items():
            parts.setdefault((name == first) == ((line or 0.0) < 0), {})[name, line] = bets
        return [part for part in parts.values() if len(part) > 1]
    return [sides] if len(names) == len(sides) else []


def scaled_to_one(probability: Floats, markets: Sequence[Sequence[Sequence[int]]]) -> Floats:
    """Chances of n bets (fractions); where the sides of a market add up to more than 1, each is divided by the sum."""
    if not markets:
        return probability
    scaled = probability.copy()
    for sides in markets:
        total = sum(max(probability[bets].tolist()) for bets in map(list, sides))
        if total > 1:
            for bets in map(list, sides):
                scaled[bets] = probability[bets] / total
    return np.asarray(scaled)
