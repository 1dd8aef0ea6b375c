"""What other prices say about bets: all sides of the market at the bet's sportsbook, and at others."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter, mul
from typing import NamedTuple

import numpy as np

from pikkit.bets.bet import Leg
from pikkit.bets.market import FairMarket, fair_market, fair_markets
from pikkit.bets.numbers import Bools, Floats, Picked, rounded
from pikkit.bets.odds import implied_probability
from pikkit.bets.prediction import Prediction
from pikkit.grading.markets import Book, MarketRules, books_of
from pikkit.grading.sides import Sides, same_market

__all__ = ["NO_HISTORY", "Evidence", "EvidenceColumns", "Told", "evidence_of"]

NO_HISTORY = "no betting history in this model set: past rates are neutral and confidence is at most 0.5"

_NAN = math.nan
# Of a bet's `vars`: attributes of models are slow.
_priced = itemgetter("market_prices", "reference_prices", "odds", "line")
_HALF_WEIGHT = 0.5  # weight of references at which half of the confidence that they can add is reached
_NO_MARGIN = 1 - 1e-9  # of a sum of implied probabilities
_NO_SECOND = ("no second price: one sportsbook's prices alone show no value",)
_BEATEN = (
    "another side of this market promises as much or more, and only one can be right: the grade is at most D, "
    "without a stake"
)


class Told(NamedTuple):
    """What other prices say of one bet."""

    fair: float  # chance without vig (fraction)
    overround: float  # of the bet's own market, else the mean of the books'
    age_s: float = _NAN  # of the oldest price that counts
    trust: float = _NAN  # confidence that other books' prices give; NaN where there are none
    joint: float = _NAN  # a parlay's chance by its legs

    @property
    def by_reference(self) -> bool:
        """Whether other books say so."""
        return not math.isnan(self.trust)


class _Others(NamedTuple):
    """m sides that came with bets and are not theirs."""

    bet: Picked  # position
    odds: Floats  # American
    fair: Floats  # chance without vig (fraction)


class EvidenceColumns(NamedTuple):
    """Of n bets, NaN where nothing is told, and of m other sides."""

    fair: Floats
    trust: Floats
    joint: Floats
    reference: Bools
    other_bet: Picked  # position
    other_odds: Floats
    other_fair: Floats


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of n bets; by their positions, where there is some."""

    told: Floats  # shape (5, n): the fields of Told, NaN where nothing is told
    together: Sequence[Sides]  # markets of which several sides are among the bets
    beaten: Bools  # shape (n,): whether another side has more value; known once the figures are
    others: list[_Others] = field(default_factory=list)
    doubtful: dict[int, str] = field(default_factory=dict)  # why its own market's prices are not to be believed
    warnings: dict[int, Sequence[str]] = field(default_factory=dict)
    words: dict[int, str] = field(default_factory=dict)  # where they are asked for: what it comes to, for a person

    @property
    def counts(self) -> bool:
        """Whether anything is told of any bet, or several are of one market."""
        return bool(self.together) or not np.isnan(self.told[0]).all()

    def of(self, i: int) -> Told | None:
        """What is told of bet `i`; None: nothing."""
        told = Told(*self.told[:, i].tolist())
        return None if math.isnan(told.fair) else told

    def columns(self) -> EvidenceColumns:
        """What is told, in arrays."""
        fair, _, _, trust, joint = self.told
        one = len(self.others) == 1
        others = self.others[0] if one else _Others(*map(np.concatenate, zip(_NONE, *self.others, strict=True)))
        return EvidenceColumns(fair, trust, joint, ~np.isnan(trust), *others)

    def write(self, predictions: Sequence[Prediction]) -> None:
        """Put it into the answers."""
        at = np.flatnonzero(~np.isnan(self.told[0]))
        fair, overround, age_s, trust, _ = self.told[:, at]
        shown = (np.asarray(column).tolist() for column in rounded(fair, overround, age_s))
        by_reference = (~np.isnan(trust)).tolist()
        for i, reference, fair, overround, age_s in zip(at.tolist(), by_reference, *shown, strict=True):
            prediction = predictions[i]
            prediction["fair_probability"] = fair
            prediction["fair_method"] = "reference" if reference else "market"
            prediction["overround"] = overround
            if reference:
                prediction["reference_age_s"] = None if math.isnan(age_s) else age_s
                prediction["warnings"] = [words for words in prediction["warnings"] if words != NO_HISTORY]
        for i, words in self.warnings.items():
            predictions[i]["warnings"] += words
        for i in np.flatnonzero(self.beaten).tolist():
            predictions[i]["warnings"].append(_BEATEN)


_NONE = _Others(np.empty(0, dtype=np.intp), np.empty(0), np.empty(0))


def evidence_of(
    bets: Sequence[Leg],
    rules: MarketRules,
    now: float,
    *,
    requests: Sequence[int] | None = None,
    explain: bool = False,
) -> Evidence:
    """What the prices that came with the bets say.

    Args:
        bets: validated bets.
        rules: how other prices are read.
        now: seconds since the epoch; stands in where placed_at is not given.
        requests: which request each bet came with; None: all with one.
        explain: put it in words too.
    """
    told = np.full((len(Told._fields), len(bets)), _NAN)
    evidence = Evidence(told, same_market(bets, requests), np.zeros(len(bets), dtype=np.bool_))
    alone: defaultdict[int, dict[int, list[float]]] = defaultdict(dict)  # by number of sides: bets, and all prices
    names: dict[int, list[str]] = {}  # of the sportsbooks that are compared
    lines: dict[int, float] = {}
    for i, bet in enumerate(bets):
        market, references, odds, line = _priced(vars(bet))
        if market is None and references is None:
            continue
        prices = [] if market is None else [market[side]["odds"] for side in bet.own_sides]
        said: list[str] = []
        if prices and prices[0] != odds:
            said.append(f"market_prices has {prices[0]:g} for {bet.selection!r}, the bet {odds:g}: odds holds")
            prices[0] = odds
        if references:
            books = books_of(bet, rules, now, said)
            own = _possible("market_prices", prices, rules, said) if prices else None
            found = [(book, _possible(f"reference {book.name!r}", book.prices, rules, said)) for book in books]
            known = [(book, market) for book, market in found if market is not None]
            if known:
                _tell_weighed(evidence, i, known, own, prices)
                said += _arbitrage(bet, known) + _push(line)
                names[i] = [book.name for book, _ in known]
            prices = [] if known or own is None else prices
        if prices:
            alone[len(prices)][i] = prices
        if said:
            evidence.warnings[i] = said
        if line is not None:
            lines[i] = line
    for sides, markets in alone.items():
        prices_of = np.fromiter(chain.from_iterable(markets.values()), np.float64).reshape(-1, sides)
        _tell_alone(evidence, lines, np.array(list(markets)), prices_of, rules)
    if explain:
        for i in np.flatnonzero(~np.isnan(told[0])).tolist():
            evidence.words[i] = (
                f"{_whose(bets[i], names.get(i, []))} prices without vig give {100 * told[0, i]:.1f} %, "
                f"this price asks for {100 * implied_probability(bets[i].odds):.1f} %"
            )
    return evidence


def _tell_alone(evidence: Evidence, lines: Mapping[int, float], at: Picked, prices: Floats, rules: MarketRules) -> None:
    """What the own markets of m bets say by themselves.

    Args:
        evidence: is told it.
        lines: of those of all bets that have one.
        at: positions of m bets.
        prices: American, shape (m, k), the bets' own sides first.
        rules: how prices are read.
    """
    total, chances = fair_markets(prices, rules.method)
    possible = ~np.isnan(chances[:, 0])
    if not possible.all():
        for i, one in zip(at[~possible].tolist(), total[~possible].tolist(), strict=True):
            evidence.warnings[i] = [*evidence.warnings.get(i, ()), _left_out("market_prices", one)]
        at, prices, total, chances = at[possible], prices[possible], total[possible], chances[possible]
    evidence.told[:2, at] = chances[:, 0], total - 1
    evidence.others.append(_Others(np.repeat(at, prices.shape[1] - 1), prices[:, 1:].ravel(), chances[:, 1:].ravel()))
    usual: dict[int, Sequence[str]] = dict.fromkeys(at.tolist(), _NO_SECOND)
    for i in usual.keys() & (lines.keys() | evidence.warnings.keys()):
        usual[i] = [*evidence.warnings.get(i, ()), *_NO_SECOND, *_push(lines.get(i))]
    evidence.warnings.update(usual)
    stale = total < _NO_MARGIN
    for i, one in zip(at[stale].tolist(), total[stale].tolist(), strict=True):
        evidence.doubtful[i] = (
            f"the market's own prices add up to {100 * one:.1f} %, less than any sportsbook asks: one of them is "
            "probably stale"
        )


def _tell_weighed(
    evidence: Evidence,
    i: int,
    known: Sequence[tuple[Book, FairMarket]],
    own: FairMarket | None,
    prices: Sequence[float],
) -> None:
    """What other sportsbooks say of bet `i`, beside its own market and that one's prices."""
    told, chances = _weighed(known, own)
    evidence.told[:, i] = told
    if own is not None:
        evidence.others.append(
            _Others(np.full(len(prices) - 1, i), np.array(prices[1:]), np.array(chances[1:], dtype=np.float64))
        )


def _push(line: float | None) -> list[str]:
    """What is said of a line that can push."""
    if line is None or line != round(line):
        return []
    return [f"the line {line:+g} can push: win probability and expected ROI hold for when it does not"]


def _left_out(whose: str, total: float) -> str:
    return f"{whose} is left out: its prices add up to {100 * total:.1f} % and can't be all sides of one market"


def _possible(whose: str, prices: Sequence[float], rules: MarketRules, said: list[str]) -> FairMarket | None:
    """What the prices of one market say; None, and told, where they can't be one."""
    market = fair_market(tuple(prices), rules.method)
    if market.chances:
        return market
    said.append(_left_out(whose, market.total))
    return None


def _weighed(books: Sequence[tuple[Book, FairMarket]], own: FairMarket | None) -> tuple[Told, Sequence[float]]:
    """What books say together, and the chances of the bet's own side and, where they are comparable, of the others."""
    weights = _weights([book for book, _ in books])
    total = sum(weights)

    def mean(values: Sequence[float]) -> float:
        return math.fsum(map(mul, weights, values)) / total

    fresh = total * mean([book.freshness for book, _ in books])
    told = Told(
        fair=mean([market.chances[0] for _, market in books]),
        overround=mean([market.total - 1 for _, market in books]) if own is None else own.total - 1,
        age_s=max([book.age_s for book, _ in books if not math.isnan(book.age_s)], default=_NAN),
        trust=0.5 + 0.5 * fresh / (fresh + _HALF_WEIGHT),
    )
    if own is None or not all(book.comparable for book, _ in books):
        return told, () if own is None else own.chances
    return told, [mean(chances) for chances in zip(*(market.chances for _, market in books), strict=True)]


def _weights(books: Sequence[Book]) -> list[float]:
    """What each book counts: all soft ones together at most as much as the sharp ones."""
    sharp = sum(book.weight for book in books if book.sharp)
    soft = sum(book.weight for book in books if not book.sharp)
    scale = sharp / soft if 0 < sharp < soft else 1.0
    return [book.weight if book.sharp else book.weight * scale for book in books]


def _arbitrage(bet: Leg, books: Sequence[tuple[Book, FairMarket]]) -> list[str]:
    """Where backing the bet here and all other sides elsewhere can't lose."""
    rest = [market.total - implied_probability(book.prices[0]) for book, market in books]
    least = min(rest)
    total = implied_probability(bet.odds) + least
    if total >= 1:
        return []
    words = f"this price and {books[rest.index(least)][0].name}'s for the other sides add up to {100 * total:.1f} %"
    return [f"{words}: one of them is probably stale, look again before you bet"]


def _whose(bet: Leg, books: Sequence[str | None]) -> str:
    if not books:
        return f"{bet.institution_name}'s own"
    if len(books) == 1:
        return f"{books[0]}'s"
    return f"{len(books)} other sportsbooks'"
