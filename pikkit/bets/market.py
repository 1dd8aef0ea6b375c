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
from collections.abc import Sequence
from functools import lru_cache
from operator import mul
from typing import Literal, NamedTuple

from pikkit.bets.names import fold
from pikkit.bets.odds import implied_probability
from pikkit.bets.prices import Price

__all__ = [
    "LARGEST_SUM",
    "LEAST_SUM",
    "FairMarket",
    "MarginMethod",
    "fair_market",
    "side_of",
    "sides_on_line",
    "without_margin",
]

MarginMethod = Literal["power", "multiplicative", "shin"]

LEAST_SUM, LARGEST_SUM = 0.97, 1.6  # implied probabilities of one market; beyond, it is none, or a price is wrong
_REMEMBERED = 4096  # markets: most prices come again and again
_STEPS = 40
_TINY = 1e-7  # what is left after a step of this size is its square


class FairMarket(NamedTuple):
    """`total`: of the implied probabilities. `chances`: without vig (fractions); empty where it can't be one market."""

    total: float
    chances: Sequence[float]


@lru_cache(_REMEMBERED)
def fair_market(prices: tuple[float, ...], method: MarginMethod = "power") -> FairMarket:
    """What the prices (American) of all sides of a market say."""
    implied = [implied_probability(float(price)) for price in prices]
    total = sum(implied)
    return FairMarket(total, without_margin(implied, method) if LEAST_SUM <= total <= LARGEST_SUM else ())


def without_margin(implied: Sequence[float], method: MarginMethod = "power") -> list[float]:
    """Fair probabilities (fractions) of the sides of a market, which add up to 1.

    Args:
        implied: implied probabilities (fractions, vig included).
        method: how the vig is thought to lie on the sides.
    """
    if method == "power":
        fair = _power(implied)
    elif method == "shin":
        fair = _shin(implied)
    else:
        fair = list(implied)
    total = sum(fair)
    return [chance / total for chance in fair]


def _power(q: Sequence[float]) -> list[float]:
    """Newton's method on log(sum(q^k)), which falls and is convex in k."""
    logs = [math.log(one) for one in q]
    k = 1.0
    for _ in range(_STEPS):
        parts = [math.exp(k * log) for log in logs]
        total = sum(parts)
        step = math.log(total) * total / sum(map(mul, parts, logs))
        k -= step
        if abs(step) < _TINY:
            break
    return [math.exp(k * log) for log in logs]


def _shin(q: Sequence[float]) -> list[float]:
    """Bisection on z: the sum falls with it; below a sum of 1 there are no insiders, and the rest is multiplicative."""
    total = sum(q)
    low, high = 0.0, 1 - 1e-9

    def chances(z: float) -> list[float]:
        return [(math.sqrt(z**2 + 4 * (1 - z) * one**2 / total) - z) / (2 * (1 - z)) for one in q]

    for _ in range(_STEPS + 10):
        z = (low + high) / 2
        low, high = (z, high) if sum(chances(z)) > 1 else (low, z)
    return chances((low + high) / 2)


def side_of(selection: str, line: float | None, prices: Sequence[Price]) -> int | None:
    """Which of the prices is the one of a selection and its line; None where there is none."""
    name = fold(selection)
    for i, price in enumerate(prices):
        if price["selection"] == selection or fold(price["selection"]) == name:
            at = price["line"]
            if at == line or line is None or at is None:
                return i
    return None


def sides_on_line(side: int, line: float | None, prices: Sequence[Price]) -> list[int]:
    """The positions that make one market with the price at `side`, which comes first; the others by their names.

    The other side of a spread has the line with the opposite sign, of a total the same one. Where a side has both, it
    is a spread with alternates.
    """
    line = prices[side]["line"] if line is None else line
    own = fold(prices[side]["selection"])
    found: dict[str, int] = {}
    if len(prices) == 2 and line is None:  # noqa: PLR2004 - as most markets are
        other = 1 - side
        return [side, other] if fold(prices[other]["selection"]) != own else [side]
    for i, price in enumerate(prices):
        at = price["line"]
        if i != side and (line is None or at is None or at in (line, -line)):
            name = fold(price["selection"])
            if name != own and (name not in found or (line is not None and at == -line)):
                found[name] = i
    return [side, *(found.values() if len(found) == 1 else (found[name] for name in sorted(found)))]
