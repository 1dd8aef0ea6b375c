"""What other prices say about bets: all sides of the market at the bet's sportsbook, and at others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter, mul
from typing import NamedTuple

import numpy as np

from pikkit.bets.bet import Leg
from pikkit.bets.market import FairMarket, fair_market
from pikkit.bets.numbers import Bools, Floats, Picked, rounded
from pikkit.bets.odds import implied_probability
from pikkit.bets.prediction import Prediction
from pikkit.grading.markets import Book, MarketRules, books_of, own_sides
from pikkit.grading.sides import Sides, same_market

__all__ = ["NO_HISTORY", "Evidence", "EvidenceColumns", "Told", "evidence_of"]

NO_HISTORY = "no betting history in this model set: past rates are neutral and confidence is at most 0.5"

_NAN = math.nan
_other_prices = itemgetter("market_prices", "reference_prices")  # of a bet's `vars`: attributes of models are slow
_HALF_WEIGHT = 0.5  # weight of references at which half of the confidence that they can add is reached
_NO_MARGIN = 1 - 1e-9  # of a sum of implied probabilities
_NO_SECOND = "no second price: one sportsbook's prices alone show no value"
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

    told: dict[int, Told]
    others: list[tuple[int, float, float]]  # that came with bets: position of the bet, odds (American), fair chance
    together: Sequence[Sides]  # markets of which several sides are among the bets
    beaten: Bools  # shape (n,): whether another side has more value; known once the figures are
    doubtful: dict[int, str]  # why its own market's prices are not to be believed
    warnings: dict[int, list[str]]
    words: dict[int, str]  # where they are asked for: what it comes to, for a person

    def columns(self) -> EvidenceColumns:
        """What is told, in arrays."""
        columns = np.full((3, len(self.beaten)), _NAN)
        if self.told:
            fairs, _, _, trusts, joints = zip(*self.told.values(), strict=True)
            columns[:, list(self.told)] = fairs, trusts, joints
        bet, odds, chances = zip(*self.others, strict=True) if self.others else ((), (), ())
        fair, trust, joint = columns
        others = np.array(bet, dtype=np.intp), np.array(odds), np.array(chances)
        return EvidenceColumns(fair, trust, joint, ~np.isnan(trust), *others)

    def write(self, predictions: Sequence[Prediction]) -> None:
        """Put it into the answers."""
        if self.told:
            fair, overround, age_s, trust, _ = map(np.array, zip(*self.told.values(), strict=True))
            shown = (np.asarray(column).tolist() for column in rounded(fair, overround, age_s))
            by_reference = (~np.isnan(trust)).tolist()
            for i, reference, fair, overround, age_s in zip(self.told, by_reference, *shown, strict=True):
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
    evidence = Evidence({}, [], same_market(bets, requests), np.zeros(len(bets), dtype=np.bool_), {}, {}, {})
    for i, bet in enumerate(bets):
        market, references = _other_prices(vars(bet))
        if market is not None or references is not None:
            _tell(evidence, i, bet, rules, now, explain=explain)
    return evidence


def _tell(evidence: Evidence, i: int, bet: Leg, rules: MarketRules, now: float, *, explain: bool) -> None:
    """What the prices that came with bet `i` say."""
    said = evidence.warnings[i] = []
    sides, prices = own_sides(bet, said)
    books = books_of(bet, sides, rules, now, said) if bet.reference_prices else ()
    own = _possible("market_prices", prices, rules, said) if prices else None
    known: Sequence[tuple[Book, FairMarket]] = ()
    if books:
        found = [(book, _possible(f"reference {book.name!r}", book.prices, rules, said)) for book in books]
        known = [(book, market) for book, market in found if market is not None]
    if known:
        evidence.told[i], chances = _weighed(known, own)
        said += _arbitrage(bet, known)
    elif own is not None:
        evidence.told[i], chances = Told(own.chances[0], own.total - 1), own.chances
        said.append(_NO_SECOND)
        if own.total < _NO_MARGIN:
            evidence.doubtful[i] = (
                f"the market's own prices add up to {100 * own.total:.1f} %, less than any sportsbook asks: one of "
                "them is probably stale"
            )
    else:
        return
    if own is not None:
        evidence.others.extend(zip(repeat(i), prices[1:], chances[1:]))
    line = bet.line
    if line is not None and line == round(line):
        said.append(f"the line {line:+g} can push: win probability and expected ROI hold for when it does not")
    if explain:
        evidence.words[i] = (
            f"{_whose(bet, [book.name for book, _ in known])} prices without vig give "
            f"{100 * evidence.told[i].fair:.1f} %, this price asks for {100 * implied_probability(bet.odds):.1f} %"
        )


def _possible(whose: str, prices: tuple[float, ...], rules: MarketRules, said: list[str]) -> FairMarket | None:
    """What the prices of one market say; None, and told, where they can't be one."""
    market = fair_market(prices, rules.method)
    if market.chances:
        return market
    said.append(
        f"{whose} is left out: its prices add up to {100 * market.total:.1f} % and can't be all sides of one market"
    )
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
