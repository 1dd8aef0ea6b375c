"""The markets that came with bets, read for each: the bet's own side first, and what can't be compared left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from pikkit.bets.bet import Leg
from pikkit.bets.market import MarginMethod, own_market, sides_of
from pikkit.bets.names import fold, same_name
from pikkit.bets.prices import MIN_SIDES, BookPrices

__all__ = ["Book", "MarketRules", "books_of"]

_AGED = 0.5  # share of a reference's weight that is left when it is as old as it may be
_UNTIMED = 0.75  # share that is left when nobody says how old it is


@dataclass(frozen=True, slots=True)
class MarketRules:
    """How other prices are read.

    `weights`: by sportsbook, as `same_name` has it; those named are the sharp ones. `other_weight`: of each of the
    others. Ages in seconds.
    """

    method: MarginMethod = "power"
    weights: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({"pinnacle": 1.0, "circa": 1.0}))
    other_weight: float = 0.1
    max_age_s: float = 600.0
    max_age_live_s: float = 30.0


class Book(NamedTuple):
    """The bet's market at another sportsbook.

    Attributes:
        name: the sportsbook's.
        prices: American, the bet's own side first, the others by their names.
        weight: what the book counts.
        sharp: whether it is one of those that are named.
        age_s: seconds; NaN where nobody says.
        freshness: share of its weight that its age leaves.
        comparable: whether its other sides have the names that market_prices give them.
    """

    name: str
    prices: tuple[float, ...]
    weight: float
    sharp: bool
    age_s: float
    freshness: float
    comparable: bool


class _LeftOut(Exception):
    """A book that can't be compared with the bet; the message says why."""


def books_of(bet: Leg, rules: MarketRules, now: float, said: list[str]) -> list[Book]:
    """Its market at other sportsbooks.

    Args:
        bet: a validated bet.
        rules: how other prices are read.
        now: seconds since the epoch; stands in where placed_at is not given.
        said: is told what can't be compared with the bet.
    """
    found: dict[str, Book] = {}
    for book in bet.reference_prices or ():
        name = same_name("institution_name", book["book"])
        try:
            one = _reference(bet, book, name, rules, now)
        except _LeftOut as reason:
            _say(said, book["book"], reason)
            continue
        twin = found.get(name)
        if twin is None or one.freshness > twin.freshness:
            found[name] = one
        if twin is not None:
            _say(said, (twin if found[name] is one else one).name, "it is given twice, and the fresher prices count")
    sizes = Counter([len(one.prices) for one in found.values()])
    if len(sizes) > 1:  # there are no market_prices to tell how many sides the market has
        full = max(sizes, key=lambda size: (sizes[size], size))
        for one in found.values():
            if len(one.prices) != full:
                _say(said, one.name, f"it has {len(one.prices)} sides, most books have {full}")
        return [one for one in found.values() if len(one.prices) == full]
    return list(found.values())


def _say(said: list[str], book: str, reason: object) -> None:
    said.append(f"reference {book!r} is left out: {reason}")


def _reference(bet: Leg, book: BookPrices, name: str, rules: MarketRules, now: float) -> Book:
    """The market at another book.

    Raises:
        _LeftOut: why it can't be compared with the bet.
    """
    if name == same_name("institution_name", bet.institution_name):
        raise _LeftOut("it is the bet's own sportsbook")
    own, sides = bet.own_sides, _sides_at(bet, book)
    if own and len(sides) != len(own):
        raise _LeftOut("its sides are not those of market_prices")
    weight = rules.weights.get(name, rules.other_weight)
    if weight <= 0:
        raise _LeftOut("its weight is 0")
    age_s, freshness = _age(bet, book, rules, now)
    prices = tuple([book["prices"][j]["odds"] for j in sides])
    comparable = _comparable(bet, own, book, sides)
    return Book(book["book"], prices, weight, name in rules.weights, age_s, freshness, comparable)


def _age(bet: Leg, book: BookPrices, rules: MarketRules, now: float) -> tuple[float, float]:
    """Seconds, NaN where nobody says, and what they leave of the book's weight.

    Raises:
        _LeftOut: it is too old, or of a time after the bet's, of which the bettor can't have known.
    """
    if book["at"] is None:
        return float("nan"), _UNTIMED
    moment = now if bet.placed_at is None else bet.placed_at.timestamp()
    age_s = moment - book["at"].timestamp()
    limit = rules.max_age_live_s if bet.is_live else rules.max_age_s
    if age_s > limit:
        raise _LeftOut(f"it is {age_s:.0f} s old, more than {limit:.0f} s")
    if age_s < -limit:  # clocks may differ by so much
        raise _LeftOut(f"it is dated {-age_s:.0f} s after the bet, more than {limit:.0f} s")
    age_s = max(age_s, 0.0)
    return age_s, 1 - (1 - _AGED) * age_s / limit if limit else 1.0


def _sides_at(bet: Leg, book: BookPrices) -> Sequence[int]:
    """Which of the book's prices are the bet's market, the bet's own side first."""
    if bet.selection is None:
        raise _LeftOut("the bet names no selection")
    selection, (names, lines) = fold(bet.selection), sides_of(book["prices"])
    sides = own_market(selection, bet.line, names, lines)
    if not sides:
        others = [at for name, at in zip(names, lines, strict=True) if name == selection]
        if others:
            raise _LeftOut(f"it is on another line ({others[0]:+g}, the bet {bet.line:+g})")
        raise _LeftOut(f"it has no price for {bet.selection!r}")
    if len(sides) < MIN_SIDES:
        raise _LeftOut("it has one side only")
    return sides


def _comparable(bet: Leg, own: Sequence[int], book: BookPrices, sides: Sequence[int]) -> bool:
    """Whether the other sides are called the same; of two sides the other one is the other one."""
    if len(own) <= MIN_SIDES or bet.market_prices is None:
        return True
    pairs = zip(own[1:], sides[1:], strict=True)
    return all(fold(bet.market_prices[i]["selection"]) == fold(book["prices"][j]["selection"]) for i, j in pairs)
