"""What the prices of all sides of a market say: the sportsbook's vig, and chances without it.

Of m markets at once, a row each; a side that a market does not have is NaN. Implied probabilities of one market add up
to more than 1 by the vig (overround). How it lies on the sides is an assumption:

- power: p = q^k with k so that they add up to 1; longshots carry more. Clarke, Kovalchik and Ingram (2017), "Adjusting
  bookmaker's odds to allow for overround", American Journal of Sports Science 5(6).
- multiplicative: p = q / sum(q), the same share on each side.
- shin: p = (sqrt(z^2 + 4 (1 - z) q^2 / sum(q)) - z) / (2 (1 - z)), z being the share of insiders. Shin (1993),
  "Measuring the incidence of insider trading in a market for state-contingent claims", Economic Journal 103; solved as
  by Jullien and Salanié (1994), "Measuring the incidence of insider trading: a comment on Shin", ibid. 104.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from pikkit.bets.names import fold
from pikkit.bets.numbers import Bools, Floats
from pikkit.bets.prices import Price

__all__ = ["LARGEST_SUM", "LEAST_SUM", "MarginMethod", "is_one_market", "side_of", "sides_on_line", "without_margin"]

MarginMethod = Literal["power", "multiplicative", "shin"]

LEAST_SUM, LARGEST_SUM = 0.97, 1.6  # implied probabilities of one market; beyond, it is none, or a price is wrong
_STEPS = 40
_NEVER = -1e5  # log-probability of a side that is not there
_TINY = 1e-7  # what is left after a step of this size is its square


def is_one_market(sums: Floats) -> Bools:
    """Whether implied probabilities with these sums can be all sides of one market."""
    return np.asarray((sums >= LEAST_SUM) & (sums <= LARGEST_SUM))


def without_margin(implied: Floats, method: MarginMethod = "power") -> Floats:
    """Fair probabilities, shape (m, k): each row adds up to 1 over the sides that it has.

    Args:
        implied: implied probabilities (fractions, vig included), shape (m, k); NaN where there is no such side.
        method: how the vig is thought to lie on the sides.
    """
    absent = np.isnan(implied)
    q = np.where(absent, 0.0, implied)
    if method == "power":
        fair = _power(q)
    elif method == "shin":
        fair = _shin(q)
    else:
        fair = q / q.sum(axis=1, keepdims=True)
    return np.where(absent, np.nan, fair)


def _power(q: Floats) -> Floats:
    """Newton's method on log(sum(q^k)), which falls and is convex in k; 0 stays 0."""
    log_q = np.log(q.T, where=q.T > 0, out=np.full(q.T.shape, _NEVER))
    k = np.ones(len(q))
    for _ in range(_STEPS):
        parts = np.exp(k * log_q)
        total = np.add.reduce(parts)
        step = np.log(total) * total / np.add.reduce(parts * log_q)
        k -= step
        if np.abs(step).max(initial=0.0) < _TINY:
            break
    fair = np.exp(k * log_q)
    return np.asarray((fair / np.add.reduce(fair)).T)


def _shin(q: Floats) -> Floats:
    """Bisection on z: the sum falls with it; below a sum of 1 there are no insiders, and the rest is multiplicative."""
    total = q.sum(axis=1, keepdims=True)
    low, high = np.zeros_like(total), np.full_like(total, 1 - 1e-9)

    def chances(z: Floats) -> Floats:
        root: Floats = np.sqrt(z**2 + 4 * (1 - z) * q**2 / total)
        return np.where(q > 0, (root - z) / (2 * (1 - z)), 0.0)

    for _ in range(_STEPS + 10):
        z = (low + high) / 2
        above = chances(z).sum(axis=1, keepdims=True) > 1
        low, high = np.where(above, z, low), np.where(above, high, z)
    fair = chances((low + high) / 2)
    return np.asarray(fair / fair.sum(axis=1, keepdims=True))


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
