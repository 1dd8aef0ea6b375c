"""What other prices say about bets: all sides of the market at the bet's sportsbook, and at others."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from operator import mul
from typing import Any, NamedTuple, cast

import numpy as np

from pikkit.bets.bet import Leg
from pikkit.bets.market import FairMarket, fair_market, fair_markets
from pikkit.bets.numbers import Bools, Floats, Picked, rounded
from pikkit.bets.odds import implied_probability
from pikkit.bets.prediction import Prediction
from pikkit.grading.markets import Book, MarketRules, books_of
from pikkit.grading.opinion import Opinion
from pikkit.grading.sides import Sides, same_market

__all__ = ["NO_HISTORY", "Evidence", "EvidenceColumns", "Told", "evidence_of"]

NO_HISTORY = "no betting history in this model set: past rates are neutral and confidence is at most 0.5"

_NAN = math.nan
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
    together: Sequence[Sides]  # as of Evidence
    beaten: Bools  # the very array of Evidence
    other_bet: Picked  # position
    other_odds: Floats
    other_fair: Floats

    def asks(self, opinion: Opinion) -> tuple[Picked, Floats] | None:
        """Of which other sides the model's own chance is wanted: whose they are (positions), and their odds.

        None where it changes nothing.
        """
        counts = len(self.other_bet) and opinion.counts_beside(self.reference[self.other_bet])
        return (self.other_bet, self.other_odds) if counts else None


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
        return EvidenceColumns(fair, trust, joint, ~np.isnan(trust), self.together, self.beaten, *others)

    def write(self, predictions: Sequence[Prediction]) -> None:
        """Put it into the answers."""
        if not self.warnings and not self.counts:
            return
        fair, overround, age_s, trust, _ = self.told
        at = np.flatnonzero(~np.isnan(fair))
        shown = (np.asarray(column).tolist() for column in rounded(fair[at], overround[at]))
        for i, chance, vig in zip(at.tolist(), *shown, strict=True):
            prediction = predictions[i]
            prediction["fair_probability"] = chance
            prediction["fair_method"] = "market"
            prediction["overround"] = vig
        for i in np.flatnonzero(~np.isnan(trust)).tolist():
            age = float(age_s[i])
            prediction = predictions[i]
            prediction["fair_method"] = "reference"
            prediction["reference_age_s"] = None if math.isnan(age) else cast("float", rounded(age)[0])
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
    alone: defaultdict[int, list[int]] = defaultdict(list)  # by number of sides: whose own market alone tells something
    names: dict[int, list[str]] = {}  # of the sportsbooks that are compared
    fields = [bet.__dict__ for bet in bets]  # attributes of models are slow
    for i, bet in enumerate(fields):
        if bet["reference_prices"]:
            names[i], own = _tell_compared(evidence, i, bets[i], rules, now)
            if own and not names[i]:
                alone[own].append(i)
        elif bet["market_prices"] is not None:
            alone[len(bets[i].own_sides)].append(i)
    for sides, at in alone.items():
        _tell_alone(evidence, at, [fields[i] for i in at], sides, rules)
    if explain:
        for i in np.flatnonzero(~np.isnan(told[0])).tolist():
            evidence.words[i] = (
                f"{_whose(bets[i], names.get(i, []))} prices without vig give {100 * told[0, i]:.1f} %, "
                f"this price asks for {100 * implied_probability(bets[i].odds):.1f} %"
            )
    return evidence


def _tell_alone(
    evidence: Evidence, at: Sequence[int], bets: Sequence[Mapping[str, Any]], sides: int, rules: MarketRules
) -> None:
    """What the own markets of m bets say by themselves.

    Args:
        evidence: is told it.
        at: positions of the bets.
        bets: their fields.
        sides: how many each of their markets has.
        rules: how prices are read.
    """
    odds, lines = np.array([bet["odds"] for bet in bets]), [bet["line"] for bet in bets]
    prices = np.array([bet["market_prices"][side]["odds"] for bet in bets for side in bet["own_sides"]])
    prices = prices.reshape(-1, sides)
    others = prices[:, 0] != odds
    if others.any():
        for j in np.flatnonzero(others).tolist():
            evidence.warnings.setdefault(at[j], [_odds_hold(bets[j], prices[j, 0])])
        prices[:, 0] = odds
    where = np.array(at)
    total, chances = fair_markets(prices, rules.method)
    impossible = np.isnan(chances[:, 0])
    if impossible.any():
        for i, one in zip(where[impossible].tolist(), total[impossible].tolist(), strict=True):
            evidence.warnings[i] = [*evidence.warnings.get(i, ()), _left_out("market_prices", one)]
        kept = ~impossible
        where, prices, total, chances = where[kept], prices[kept], total[kept], chances[kept]
        at, lines = where.tolist(), list(compress(lines, kept))
    evidence.told[0, where] = chances[:, 0]
    evidence.told[1, where] = total - 1
    evidence.others.append(_Others(np.repeat(where, sides - 1), prices[:, 1:].ravel(), chances[:, 1:].ravel()))
    usual: dict[int, Sequence[str]] = dict.fromkeys(at, _NO_SECOND)
    for i in evidence.warnings.keys() & usual.keys():
        usual[i] = [*evidence.warnings[i], *_NO_SECOND]
    if lines.count(None) < len(lines):
        usual |= {i: [*usual[i], *_push(line)] for i, line in zip(at, lines, strict=True) if line is not None}
    evidence.warnings.update(usual)
    stale = total < _NO_MARGIN
    if stale.any():
        for i, one in zip(where[stale].tolist(), total[stale].tolist(), strict=True):
            evidence.doubtful[i] = (
                f"the market's own prices add up to {100 * one:.1f} %, less than any sportsbook asks: one of them is "
                "probably stale"
            )


def _odds_hold(bet: Mapping[str, Any], price: float) -> str:
    return f"market_prices has {price:g} for {bet['selection']!r}, the bet {bet['odds']:g}: odds holds"


def _tell_compared(evidence: Evidence, i: int, bet: Leg, rules: MarketRules, now: float) -> tuple[list[str], int]:
    """What other sportsbooks say of bet `i`.

    Returns:
        Their names; and how many sides its own market has, if that can be one.
    """
    said: list[str] = []
    prices = [] if bet.market_prices is None else [bet.market_prices[side]["odds"] for side in bet.own_sides]
    if prices and prices[0] != bet.odds:
        said.append(_odds_hold(vars(bet), prices[0]))
        prices[0] = bet.odds
    books = books_of(bet, rules, now, said)
    own = _possible("market_prices", prices, rules, said) if prices else None
    found = [(book, _possible(f"reference {book.name!r}", book.prices, rules, said)) for book in books]
    known = [(book, market) for book, market in found if market is not None]
    if known:
        _tell_weighed(evidence, i, known, own, prices)
        said += _arbitrage(bet, known) + _push(bet.line)
    if said:
        evidence.warnings[i] = said
    return [book.name for book, _ in known], 0 if own is None else len(prices)


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
    if total >= _NO_MARGIN:
        return []
    words = f"this price and {books[rest.index(least)][0].name}'s for the other sides add up to {100 * total:.1f} %"
    return [f"{words}: one of them is probably stale, look again before you bet"]


def _whose(bet: Leg, books: Sequence[str | None]) -> str:
    if not books:
        return f"{bet.institution_name}'s own"
    if len(books) == 1:
        return f"{books[0]}'s"
    return f"{len(books)} other sportsbooks'"
