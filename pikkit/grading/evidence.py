"""What other prices say about bets: all sides of the market at the bet's sportsbook, and at others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from pikkit.bets.bet import Leg
from pikkit.bets.market import MarginMethod, is_one_market, side_of, sides_on_line, without_margin
from pikkit.bets.names import group_key
from pikkit.bets.numbers import Bools, Floats
from pikkit.bets.odds import implied_probability
from pikkit.bets.prediction import Prediction
from pikkit.bets.prices import MIN_SIDES, BookPrices
from pikkit.grading.sides import same_market

__all__ = ["NO_HISTORY", "Evidence", "MarketRules", "evidence_of"]

NO_HISTORY = "no betting history in this model set: past rates are neutral and confidence is at most 0.5"

_NAN = float("nan")
_HALF_WEIGHT = 0.5  # weight of references at which half of the confidence that they can add is reached
_AGED = 0.5  # share of a reference's weight that is left when it is as old as it may be
_UNTIMED = 0.75  # share that is left when nobody says how old it is


@dataclass(frozen=True, slots=True)
class MarketRules:
    """How other prices are read.

    `weights`: by sportsbook, as `group_key` has it; those named are the sharp ones. `other_weight`: of each of the
    others. Ages in seconds.
    """

    method: MarginMethod = "power"
    weights: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({"pinnacle": 1.0, "circa": 1.0}))
    other_weight: float = 0.1
    max_age_s: float = 600.0
    max_age_live_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of n bets, NaN where there is none."""

    fair: Floats  # chance without margin (fraction)
    reference: Bools  # whether it is other books'
    overround: Floats  # of the bet's own market, else the mean of the books'
    age_s: Floats  # of the oldest price that counts
    trust: Floats  # confidence that references give
    joint: Floats  # a parlay's chance by its legs
    together: Sequence[Sequence[Sequence[int]]]  # markets of which several sides are among the bets
    sides: dict[int, Sequence[tuple[float, float]]]  # by bet: price and fair chance of its other sides
    warnings: dict[int, list[str]]  # by bet
    words: dict[int, str]  # by bet: what it comes to, for a person

    def write(self, predictions: Sequence[Prediction]) -> None:
        """Put it into the answers."""
        columns = (self.fair, self.overround, self.age_s)
        fair, overround, age_s = ([None if x != x else round(x, 6) for x in column.tolist()] for column in columns)  # noqa: PLR0124 - NaN
        for i, prediction in enumerate(predictions):
            if fair[i] is not None:
                prediction["fair_probability"] = fair[i]
                prediction["fair_method"] = "reference" if self.reference[i] else "market"
                prediction["overround"] = overround[i]
                prediction["reference_age_s"] = age_s[i]
            if self.reference[i]:
                prediction["warnings"] = [words for words in prediction["warnings"] if words != NO_HISTORY]
        for i, words in self.warnings.items():
            predictions[i]["warnings"] += words


class _Market(NamedTuple):
    """One market that was read for one bet: prices, the bet's own side first."""

    bet: int
    prices: list[float]  # American
    book: str | None  # None: the bet's own
    weight: float
    sharp: bool
    age_s: float | None
    freshness: float  # share of its weight that its age leaves


class _Read(NamedTuple):
    """A market that holds together: the side's chance without margin, the margin, what the other sides add up to."""

    market: _Market
    fair: float
    overround: float
    others: float


class _LeftOut(Exception):
    """A book that can't be compared with the bet; the message says why."""


def evidence_of(bets: Sequence[Leg], rules: MarketRules, now: float) -> Evidence:
    """What the prices that came with the bets say.

    Args:
        bets: validated bets.
        rules: how other prices are read.
        now: seconds since the epoch; stands in where placed_at is not given.
    """
    warnings: dict[int, list[str]] = {}
    markets = [market for i, bet in enumerate(bets) for market in _markets(i, bet, rules, now, warnings)]
    fair, overround, age_s, trust, joint = np.full((5, len(bets)), _NAN)
    evidence = Evidence(
        fair=fair,
        reference=np.zeros(len(bets), dtype=np.bool_),
        overround=overround,
        age_s=age_s,
        trust=trust,
        joint=joint,
        together=same_market(bets),
        sides={},
        warnings=warnings,
        words={},
    )
    if not markets:
        return evidence
    width = max(len(market.prices) for market in markets)
    implied = implied_probability(np.array([m.prices + [_NAN] * (width - len(m.prices)) for m in markets]))
    sums = np.nansum(implied, axis=1)
    chances = without_margin(implied, rules.method)
    by_bet: dict[int, list[_Read]] = {}
    columns = (chances.tolist(), implied[:, 0].tolist(), sums.tolist(), is_one_market(sums).tolist())
    for market, fair_sides, own, total, possible in zip(markets, *columns, strict=True):
        if possible:
            by_bet.setdefault(market.bet, []).append(_Read(market, fair_sides[0], total - 1, total - own))
            if market.book is None:
                evidence.sides[market.bet] = list(zip(market.prices[1:], fair_sides[1:], strict=False))
        else:
            whose = "market_prices" if market.book is None else f"reference {market.book!r}"
            warnings.setdefault(market.bet, []).append(
                f"{whose} is left out: its prices add up to {100 * total:.1f} % and can't be all sides of one market"
            )
    for i, found in by_bet.items():
        _weigh(i, bets[i], found, evidence)
    return evidence


def _markets(i: int, bet: Leg, rules: MarketRules, now: float, warnings: dict[int, list[str]]) -> Iterator[_Market]:
    """The markets that came with a bet; what can't be compared with it is told in `warnings`."""
    if bet.market_prices is not None:
        sides = _own_sides(bet)
        told = bet.market_prices[sides[0]].odds
        if told != bet.odds:
            warnings.setdefault(i, []).append(
                f"market_prices has {told:g} for {bet.selection!r}, the bet {bet.odds:g}: odds holds"
            )
        prices = [bet.odds, *(bet.market_prices[j].odds for j in sides[1:])]
        yield _Market(i, prices, None, 0.0, sharp=False, age_s=None, freshness=0.0)
    for book in bet.reference_prices or ():
        try:
            yield _reference(i, bet, book, rules, now)
        except _LeftOut as reason:
            warnings.setdefault(i, []).append(f"reference {book.book!r} is left out: {reason}")


def _reference(i: int, bet: Leg, book: BookPrices, rules: MarketRules, now: float) -> _Market:
    """The market at another book.

    Raises:
        _LeftOut: why it can't be compared with the bet.
    """
    name = group_key("institution_name", book.book)
    if name == group_key("institution_name", bet.institution_name):
        raise _LeftOut("it is the bet's own sportsbook")
    sides = _sides_at(bet, book)
    moment = now if bet.placed_at is None else bet.placed_at.timestamp()
    age_s = None if book.at is None else max(0.0, moment - book.at.timestamp())
    limit = rules.max_age_live_s if bet.is_live else rules.max_age_s
    if age_s is not None and age_s > limit:
        raise _LeftOut(f"it is {age_s:.0f} s old, more than {limit:.0f} s")
    weight = rules.weights.get(name, rules.other_weight)
    if weight <= 0:
        raise _LeftOut("its weight is 0")
    return _Market(
        i,
        [book.prices[j].odds for j in sides],
        book.book,
        weight,
        sharp=name in rules.weights,
        age_s=age_s,
        freshness=_UNTIMED if age_s is None else 1 - (1 - _AGED) * age_s / limit if limit else 1.0,
    )


def _sides_at(bet: Leg, book: BookPrices) -> Sequence[int]:
    """Which of the book's prices are the bet's market, the bet's own side first."""
    if bet.selection is None:
        raise _LeftOut("the bet names no selection")
    side = side_of(bet.selection, bet.line, book.prices)
    if side is None:
        others = [price.line for price in book.prices if side_of(bet.selection, price.line, [price]) == 0]
        if others:
            raise _LeftOut(f"it is on another line ({_line(others[0])}, the bet {_line(bet.line)})")
        raise _LeftOut(f"it has no price for {bet.selection!r}")
    sides = sides_on_line(side, bet.line, book.prices)
    if len(sides) < MIN_SIDES:
        raise _LeftOut("it has one side only")
    if bet.market_prices is not None and len(sides) != len(_own_sides(bet)):
        raise _LeftOut("its sides are not those of market_prices")
    return sides


def _own_sides(bet: Leg) -> Sequence[int]:
    """Which of market_prices are the bet's market, the bet's own side first."""
    if bet.market_prices is None or bet.selection is None:
        return ()
    side = side_of(bet.selection, bet.line, bet.market_prices)
    return () if side is None else sides_on_line(side, bet.line, bet.market_prices)


def _line(line: float | None) -> str:
    return "none" if line is None else f"{line:+g}"


def _weigh(i: int, bet: Leg, found: Sequence[_Read], evidence: Evidence) -> None:
    """Write what the markets of one bet say together."""
    own = next((read for read in found if read.market.book is None), None)
    books = [read for read in found if read.market.book is not None]
    warnings = evidence.warnings.setdefault(i, [])
    if own is not None:
        evidence.fair[i], evidence.overround[i] = own.fair, own.overround
    if books:
        weights = _weights([read.market for read in books])
        total = sum(weights)
        evidence.reference[i] = True
        evidence.fair[i] = sum(w * read.fair for w, read in zip(weights, books, strict=True)) / total
        if own is None:
            evidence.overround[i] = sum(w * read.overround for w, read in zip(weights, books, strict=True)) / total
        evidence.age_s[i] = max((read.market.age_s for read in books if read.market.age_s is not None), default=_NAN)
        fresh = sum(w * read.market.freshness for w, read in zip(weights, books, strict=True))
        evidence.trust[i] = 0.5 + 0.5 * fresh / (fresh + _HALF_WEIGHT)
        warnings += _arbitrage(bet, books)
    else:
        warnings.append("no second price: one sportsbook's prices alone show no value")
    if bet.line is not None and bet.line == round(bet.line):
        warnings.append(f"the line {bet.line:+g} can push: chance and expected return hold for when it does not")
    evidence.words[i] = (
        f"{_whose(bet, books)} prices without margin give {100 * evidence.fair[i]:.1f} %, "
        f"this price asks for {100 * implied_probability(bet.odds):.1f} %"
    )


def _weights(markets: Sequence[_Market]) -> list[float]:
    """What each book counts: all soft ones together at most as much as the sharp ones."""
    sharp = sum(market.weight for market in markets if market.sharp)
    soft = sum(market.weight for market in markets if not market.sharp)
    scale = sharp / soft if sharp and soft > sharp else 1.0
    return [market.weight * (1.0 if market.sharp else scale) for market in markets]


def _arbitrage(bet: Leg, books: Sequence[_Read]) -> Iterator[str]:
    """A warning where backing the bet here and all other sides elsewhere can't lose."""
    cheapest = min(books, key=lambda read: read.others)
    total = implied_probability(bet.odds) + cheapest.others
    if total < 1:
        yield (
            f"this price and {cheapest.market.book}'s for the other sides add up to {100 * total:.1f} %: "
            "one of them is probably stale, look again before you bet"
        )


def _whose(bet: Leg, books: Sequence[_Read]) -> str:
    if not books:
        return f"{bet.institution_name}'s own"
    if len(books) == 1:
        return f"{books[0].market.book}'s"
    return f"{len(books)} other sportsbooks'"
