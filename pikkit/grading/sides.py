"""Bets that are sides of one market: only one of them can be right, so their chances add up to 1 at the most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, compress
from operator import itemgetter

import numpy as np

from pikkit.bets.bet import Leg
from pikkit.bets.market import LARGEST_SUM
from pikkit.bets.names import fold, folded, same_name
from pikkit.bets.numbers import Bools, Floats, Picked, rounded
from pikkit.bets.odds import expected_roi_pct, implied_probability

__all__ = ["Sides", "beaten", "same_market", "scaled_to_one"]

Sides = Sequence[Sequence[int]]  # of one market; for each the positions of its bets

_ANSWERS = ("over", "under", "yes", "no")
# Markets in which several selections can be right, unless these are the answers to one question.
_SEVERAL_RIGHT = ("player ", "pitcher ", "anytime", "double chance", "to score", "props")
# Of a bet's `vars`: attributes of models are slow.
_named = itemgetter("line", "market", "institution_name", "is_live", "sport", "starts_at")
_TIE = 1e-5  # percent: returns that differ by less are the same


def same_market(bets: Sequence[Leg], requests: Sequence[int] | None = None) -> Sequence[Sides]:
    """Markets of which several sides are among the bets of one request, only one of which can be right.

    Sides belong together by event, market, sportsbook, live or not, and line: the other side of a spread has the line
    with the opposite sign, of a total the same one; over and under, yes and no, by what else their names say. A bet
    without event and selection is a side of nothing known, and what adds up to more than a market can, is none.

    Args:
        bets: n bets.
        requests: which request each came with; None: all with one.
    """
    fields = [bet.__dict__ for bet in bets]
    named = [i for i, bet in enumerate(fields) if bet["event"] is not None and bet["selection"] is not None]
    names: Sequence[str] = folded([fields[i]["event"] for i in named])
    if "" in names:  # `undefined` and the like: no event, and not the same one
        named, names = list(compress(named, names)), list(filter(None, names))
    events: Sequence[object] = (
        names if requests is None else [(requests[i], of) for i, of in zip(named, names, strict=True)]
    )
    times = Counter(events)
    if len(times) == len(events):  # as in most batches
        return []
    shared = [(i, event) for i, event in zip(named, events, strict=True) if times[event] > 1]
    selections = folded([fields[i]["selection"] for i, _ in shared])
    markets: dict[tuple[object, ...], dict[tuple[str, float | None], list[int]]] = {}
    for (i, event), selection in zip(shared, selections, strict=True):
        line, market, institution, is_live, sport, starts_at = _named(fields[i])
        about = _about(selection)
        of, several_right = _market(market, institution, sport)
        if about is None and several_right:
            continue
        key = (event, about, of, is_live, None if line is None else abs(line), starts_at)
        markets.setdefault(key, {}).setdefault((selection, line), []).append(i)
    parts = [list(part.values()) for sides in markets.values() if len(sides) > 1 for part in _parts(sides)]
    found = [sides for part in parts for sides in _moments(bets, part)]
    if not found:
        return []
    implied = implied_probability(np.array([bet.odds for bet in bets])).tolist()
    return [sides for sides in found if sum([implied[side[0]] for side in sides]) <= LARGEST_SUM]


def _about(selection: str) -> str | None:
    """What an over or under, yes or no is about, of its folded name; None for other selections."""
    if selection.startswith(_ANSWERS) or selection.endswith(_ANSWERS):
        words = selection.split()
        if words[0] in _ANSWERS:
            return " ".join(words[1:])
        if words[-1] in _ANSWERS:
            return " ".join(words[:-1])
    return None


@lru_cache(1024)
def _market(market: str, institution: str, sport: str) -> tuple[tuple[str, str, str], bool]:
    """What all spellings of the three have in common, and whether several selections can be right."""
    name = fold(market)
    names = (same_name("market", market), same_name("institution_name", institution), same_name("sport", sport))
    return names, any(part in name for part in _SEVERAL_RIGHT)


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


def _moments(bets: Sequence[Leg], sides: Sides) -> Sequence[Sides]:
    """The sides apart by the prices of the market that each bet brought: other prices are of another time or game."""
    if sum(map(len, sides)) == len(sides) or None in [bets[i].market_prices for side in sides for i in side]:
        return [sides]
    moments: dict[object, list[list[int]]] = {}
    for side in sides:
        apart: dict[object, list[int]] = {}
        for i in side:
            prices = sorted((fold(price["selection"]), price["odds"]) for price in bets[i].market_prices or ())
            apart.setdefault(tuple(prices), []).append(i)
        for key, some in apart.items():
            moments.setdefault(key, []).append(some)
    return [some for some in moments.values() if len(some) > 1]


def scaled_to_one(probability: Floats, markets: Sequence[Sides]) -> Floats:
    """Chances of n bets (fractions); where the sides of a market add up to more than 1, each is divided by the sum."""
    if not markets:
        return probability
    sides = list(chain.from_iterable(markets))
    bets = np.array(list(chain.from_iterable(sides)))
    likeliest = np.maximum.reduceat(probability[bets], _starts(sides))
    totals = np.add.reduceat(likeliest, _starts(markets))
    scaled = probability.copy()
    scaled[bets] /= np.repeat(np.maximum(totals, 1.0), [sum(map(len, market)) for market in markets])
    return scaled


def _starts(parts: Sequence[Sequence[object]]) -> Picked:
    """Where each part begins when all are laid end to end."""
    return np.cumsum([0, *map(len, parts[:-1])])


def beaten(value: Floats, markets: Sequence[Sides], others: tuple[Picked, Floats, Floats]) -> Bools:
    """Of n bets those that promise something, though another side of their market promises as much or more.

    Args:
        value: expected ROI (percent).
        markets: sides that are among the bets.
        others: positions of the bets that other sides came with, these sides' odds (American) and chances (fractions).
    """
    worth = value > 0
    if not worth.any():
        return worth
    best = np.full(len(value), -np.inf)  # that another side promises
    bets, odds, chances = others
    asked = worth[bets]
    if asked.any():
        [shown] = rounded(chances[asked])
        [promise] = rounded(expected_roi_pct(np.asarray(shown), odds[asked]))
        np.maximum.at(best, bets[asked], np.asarray(promise))
    promised = value.tolist() if markets else []
    for sides in markets:
        tops = [max([promised[bet] for bet in side]) for side in sides]
        if max(tops) > 0:
            for i, side in enumerate(sides):
                other = max(tops[:i] + tops[i + 1 :])
                for bet in side:
                    best[bet] = max(best[bet], other)
    return np.asarray(worth & (value <= best + _TIE))
