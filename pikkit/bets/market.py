"""What the prices of all sides of a market say: the sportsbook's vig, and chances without it.

Implied probabilities of one market add up to more than 1 by the vig (overround). How it lies on the sides is an
assumption:

- power: p = q^k with k so that they add up to 1; longshots carry more. Clarke, Kovalchik and Ingram (2017), "Adjusting
  bookmaker's odds to allow for overround", American Journal of Sports Science 5(6).
- multiplicative: p = q / sum(q), the same share on each side.
- shin: p = (sqrt(z^2 + 4 (1 - z) q^2 / sum(q)) - z) / (2 (1 - z)), z being the share of insiders. Shin (1993),
  "Measuring the incidence of insider trading in a market for state-contingent claims", Economic Journal 103; solved as
  by Jullien and Salanié (1994), "Measuring the incidence of insider trading: a comment on Shin", ibid. 104.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache, reduce
from operator import add, mul
from typing import Any, Literal, NamedTuple, cast

import numpy as np

from pikkit.bets.names import fold
from pikkit.bets.numbers import MANY, SINGLE, Arithmetic, Floats, Numbers, Value
from pikkit.bets.odds import implied_probability
from pikkit.bets.prices import Price

__all__ = [
    "LARGEST_SUM",
    "LEAST_SUM",
    "FairMarket",
    "FairMarkets",
    "MarginMethod",
    "fair_market",
    "fair_markets",
    "own_market",
    "own_markets",
    "sides_of",
    "without_margin",
]

MarginMethod = Literal["power", "multiplicative", "shin"]

LEAST_SUM, LARGEST_SUM = 0.97, 1.6  # implied probabilities of one market; beyond, it is none, or a price is wrong
_REMEMBERED = 4096  # markets: most prices come again and again
_FEW = 8  # markets that are quicker told, or remembered, one by one
_STEPS = 40
_TINY = 1e-7  # what is left after a step of this size is its square


class FairMarket(NamedTuple):
    """`total`: of the implied probabilities. `chances`: without vig (fractions); empty where it can't be one market."""

    total: float
    chances: Sequence[float]


class FairMarkets(NamedTuple):
    """The same of m markets with k sides each: `total` (m,), `chances` (m, k), NaN where it can't be one market."""

    total: Floats
    chances: Floats


@lru_cache(_REMEMBERED)
def fair_market(prices: tuple[float, ...], method: MarginMethod = "power") -> FairMarket:
    """What the prices (American) of all sides of a market say."""
    implied = [implied_probability(float(price)) for price in prices]
    total = sum(implied)
    return FairMarket(total, without_margin(implied, method) if LEAST_SUM <= total <= LARGEST_SUM else ())


def fair_markets(prices: Floats, method: MarginMethod = "power") -> FairMarkets:
    """What the prices (American) of m markets say, which have k sides each; shape (m, k)."""
    if len(prices) <= _FEW:
        each = [fair_market(tuple(market), method) for market in prices.tolist()]
        nothing = [math.nan] * prices.shape[1]
        return FairMarkets(np.array([one.total for one in each]), np.array([one.chances or nothing for one in each]))
    implied = implied_probability(np.ascontiguousarray(prices.T))
    total = reduce(add, implied)
    possible = (total >= LEAST_SUM) & (total <= LARGEST_SUM)
    if possible.all():
        return FairMarkets(total, np.transpose(without_margin(list(implied), method)))
    chances = np.full(prices.shape, np.nan)
    if possible.any():
        chances[possible] = np.transpose(without_margin(list(implied[:, possible]), method))
    return FairMarkets(total, chances)


def without_margin(implied: Sequence[Numbers], method: MarginMethod = "power") -> list[Numbers]:
    """Fair probabilities (fractions) of the sides of a market, which add up to 1; or of the sides of m markets.

    Args:
        implied: implied probabilities (fractions, vig included); a number for each side, or an array of shape (m,).
        method: how the vig is thought to lie on the sides.
    """
    first: Value = implied[0]
    fair = _METHODS[method](implied, SINGLE if isinstance(first, float) else MANY)
    total = cast("Numbers", sum(fair))
    return [cast("Numbers", chance / total) for chance in fair]


def _power(q: Sequence[Value], arithmetic: Arithmetic) -> Sequence[Value]:
    """Newton's method on log(sum(q^k)), which falls and is convex in k."""
    exp, log = arithmetic.exp, arithmetic.log
    logs = [log(one) for one in q]
    k: Value = 1.0
    parts = q
    for _ in range(_STEPS):
        total = reduce(add, parts)  # `sum` adds 0 first, which for arrays costs as much as to add a side
        step = log(total) * total / reduce(add, map(mul, parts, logs))
        k = k - step
        parts = [exp(k * one) for one in logs]
        if arithmetic.largest(abs(step)) < _TINY:
            break
    return parts


def _multiplicative(q: Sequence[Value], _arithmetic: Arithmetic) -> Sequence[Value]:
    return q


def _shin(q: Sequence[Value], arithmetic: Arithmetic) -> Sequence[Value]:
    """Bisection on z: the sum falls with it; below a sum of 1 there are no insiders, and the rest is multiplicative."""
    total = sum(q)
    low: Value = 0.0
    width = 1 - 1e-9

    def chances(z: Value) -> list[Value]:
        return [(arithmetic.sqrt(z**2 + 4 * (1 - z) * one**2 / total) - z) / (2 * (1 - z)) for one in q]

    for _ in range(_STEPS + 10):
        width /= 2
        low = low + width * (sum(chances(low + width)) > 1)
    return chances(low + width / 2)


_METHODS: dict[MarginMethod, Any] = {"power": _power, "multiplicative": _multiplicative, "shin": _shin}


def sides_of(prices: Sequence[Price]) -> tuple[list[str], list[float | None]]:
    """The sides that prices are for: their names, folded, and their lines."""
    return [fold(price["selection"]) for price in prices], [price["line"] for price in prices]


def own_market(name: str, line: float | None, names: Sequence[str], lines: Sequence[float | None]) -> tuple[int, ...]:
    """The positions of the sides that make one market with a side, which comes first; the others by their names.

    The other side of a spread has the line with the opposite sign, of a total the same one. Where a side has both, it
    is a spread with alternates.

    Args:
        name: of the side, folded.
        line: of the side.
        names: of all sides that prices came with, folded.
        lines: of these.

    Returns:
        Nothing where the side is not among them.
    """
    for own, at in enumerate(lines):
        if names[own] == name and (line is None or at is None or at == line):
            break
    else:
        return ()
    line = at if line is None else line
    if len(names) == 2:  # noqa: PLR2004 - as most markets have
        at = lines[1 - own]
        fits = line is None or at is None or at in (line, -line)
        return (own, 1 - own) if fits and names[1 - own] != name else (own,)
    found: dict[str, int] = {}
    for i, other in enumerate(names):
        at = lines[i]
        fits = line is None or at is None or at in (line, -line)
        if fits and other != name and (other not in found or (line is not None and at == -line)):
            found[other] = i
    return (own, *(found.values() if len(found) == 1 else [found[one] for one in sorted(found)]))


def own_markets(
    bets: Iterable[tuple[str, float | None, int]], names: Sequence[str], lines: Sequence[float | None]
) -> list[tuple[int, ...]]:
    """`own_market` of each bet, at a third of the cost where there are no lines.

    Args:
        bets: the name of each one's side, folded, its line, and how many sides it came with.
        names: of the sides of all bets, folded.
        lines: of these.
    """
    found: list[tuple[int, ...]] = []
    some_lines = lines.count(None) < len(lines)
    end = 0
    for name, line, count in bets:
        start, end = end, end + count
        market = names[start:end]
        if (some_lines and lines[start:end].count(None) < count) or name not in market:
            found.append(own_market(name, line, market, lines[start:end]))
        elif count == 2 and market[0] != market[1]:  # noqa: PLR2004 - as most markets have
            found.append((0, 1) if name == market[0] else (1, 0))
        else:
            found.append((market.index(name), *map(market.index, sorted({*market} - {name}))))
    return found
