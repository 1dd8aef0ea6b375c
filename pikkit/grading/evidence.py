"""What other prices say about bets: all sides of the market at the bet's sportsbook, and at others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Any, NamedTuple, cast

import numpy as np

from pikkit.bets.bet import Leg
from pikkit.bets.market import is_one_market, without_margin
from pikkit.bets.numbers import Bools, Floats, Picked, rounded
from pikkit.bets.odds import implied_probability
from pikkit.bets.prediction import Prediction
from pikkit.grading.markets import Market, MarketRules, markets_of
from pikkit.grading.sides import Sides, same_market

__all__ = ["NO_HISTORY", "Evidence", "OtherSides", "evidence_of"]

NO_HISTORY = "no betting history in this model set: past rates are neutral and confidence is at most 0.5"

_NAN = float("nan")
_HALF_WEIGHT = 0.5  # weight of references at which half of the confidence that they can add is reached
_NO_MARGIN = 1 - 1e-9  # of a sum of implied probabilities
_NO_SECOND = "no second price: one sportsbook's prices alone show no value"
_BEATEN = (
    "another side of this market promises as much or more, and only one can be right: the grade is at most D, "
    "without a stake"
)


class OtherSides(NamedTuple):
    """Sides that came with bets beside their own, m of them."""

    bet: Picked  # position of the bet
    odds: Floats  # American
    fair: Floats  # chance without vig (fraction)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of n bets, NaN where there is none."""

    fair: Floats  # chance without vig (fraction)
    reference: Bools  # whether it is other books'
    overround: Floats  # of the bet's own market, else the mean of the books'
    age_s: Floats  # of the oldest price that counts
    trust: Floats  # confidence that references give
    joint: Floats  # a parlay's chance by its legs
    beaten: Bools  # whether another side has more value; known once the figures are
    together: Sequence[Sides]  # markets of which several sides are among the bets
    others: OtherSides
    doubtful: dict[int, str]  # by bet: why its own market's prices are not to be believed
    warnings: dict[int, list[str]]  # by bet
    words: dict[int, str]  # by bet, where they are asked for: what it comes to, for a person

    def write(self, predictions: Sequence[Prediction]) -> None:
        """Put it into the answers."""
        columns = (np.asarray(column).tolist() for column in rounded(self.fair, self.overround, self.age_s))
        for prediction, by_reference, fair, overround, age_s in zip(
            predictions, self.reference.tolist(), *columns, strict=True
        ):
            if fair == fair:  # noqa: PLR0124 - NaN differs from itself
                prediction["fair_probability"] = fair
                prediction["fair_method"] = "reference" if by_reference else "market"
                prediction["overround"] = None if isnan(overround) else overround
                prediction["reference_age_s"] = None if isnan(age_s) else age_s
            if by_reference:
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
    warnings: dict[int, list[str]] = {}
    markets = markets_of(bets, rules, now, warnings)
    fair, overround, age_s, trust, joint = np.full((5, len(bets)), _NAN)
    reference, beaten = np.zeros((2, len(bets)), dtype=np.bool_)
    none = np.zeros(0)
    others = OtherSides(none.astype(np.intp), none, none)
    evidence = Evidence(
        fair, reference, overround, age_s, trust, joint, beaten, same_market(bets, requests), others, {}, warnings, {}
    )
    if not markets:
        return evidence
    table = _Table.of(markets, rules)
    for k in np.flatnonzero(~table.possible).tolist():
        whose = "market_prices" if markets[k].book is None else f"reference {markets[k].book!r}"
        total = f"{100 * table.sums[k]:.1f} %"
        warnings.setdefault(markets[k].bet, []).append(
            f"{whose} is left out: its prices add up to {total} and can't be all sides of one market"
        )
    evidence = _weighed(evidence, table)
    _say(bets, markets, table, evidence, explain=explain)
    return evidence


class _Table(NamedTuple):
    """All markets that were read, a row each; sides that a market does not have are NaN."""

    bet: Picked
    odds: Floats  # American, shape (m, k), the bet's own side first
    implied: Floats  # shape (m, k)
    sums: Floats
    chances: Floats  # without vig, shape (m, k)
    possible: Bools  # whether it can be one market
    own: Bools  # whether it is the bet's own sportsbook's
    weight: Floats
    sharp: Bools
    age_s: Floats
    freshness: Floats
    comparable: Bools

    @classmethod
    def of(cls, markets: Sequence[Market], rules: MarketRules) -> _Table:
        bet, prices, book, weight, sharp, age_s, freshness, comparable = zip(*markets, strict=True)
        width = max(map(len, prices))
        odds = np.array([p if len(p) == width else [*p, *[_NAN] * (width - len(p))] for p in prices])
        implied = implied_probability(odds)
        sums = np.add.reduce(np.where(np.isnan(implied), 0.0, implied), axis=1)
        own = np.array([name is None for name in book])
        possible = is_one_market(sums)
        chances = without_margin(implied, rules.method)
        told = (np.array(column) for column in (weight, sharp, age_s, freshness, comparable))
        return cls(np.array(bet), odds, implied, sums, chances, possible, own, *told)

    def take(self, which: Bools) -> _Table:
        """Some of the rows."""
        if which.all():
            return self
        return _Table(*(cast("Any", column)[which] for column in self))


def _weighed(evidence: Evidence, table: _Table) -> Evidence:
    """Fill in what the markets of each bet say together."""
    n = len(evidence.fair)
    own = table.take(table.own & table.possible)
    evidence.fair[own.bet], evidence.overround[own.bet] = own.chances[:, 0], own.sums - 1
    sides = own.chances
    books = table.take(~table.own & table.possible)
    if len(books.bet):
        weight = _weights(books, n)
        total = np.bincount(books.bet, weight, n)
        found = total > 0
        share = np.where(found, total, 1.0)
        evidence.reference[:] = found
        means = np.zeros((n, table.odds.shape[1]))
        np.add.at(means, books.bet, weight[:, None] * books.chances)
        means /= share[:, None]
        margin = np.bincount(books.bet, weight * (books.sums - 1), n) / share
        fresh = np.bincount(books.bet, weight * books.freshness, n)
        evidence.fair[found] = means[found, 0]
        evidence.overround[:] = np.where(found & np.isnan(evidence.overround), margin, evidence.overround)
        evidence.trust[found] = (0.5 + 0.5 * fresh / (fresh + _HALF_WEIGHT))[found]
        np.fmax.at(evidence.age_s, books.bet, books.age_s)
        known = found & (np.bincount(books.bet, ~books.comparable, n) == 0)
        sides = np.where(known[own.bet][:, None], means[own.bet], sides)
    row, side = np.nonzero(~np.isnan(own.odds[:, 1:]))
    others = OtherSides(own.bet[row], own.odds[row, side + 1], sides[row, side + 1])
    return replace(evidence, others=others)


def _weights(books: _Table, n: int) -> Floats:
    """What each book counts: all soft ones of a bet together at most as much as the sharp ones."""
    sharp = np.bincount(books.bet, books.weight * books.sharp, n)
    soft = np.bincount(books.bet, books.weight * ~books.sharp, n)
    scale = np.where((sharp > 0) & (soft > sharp), sharp / np.where(soft > 0, soft, 1.0), 1.0)
    return np.asarray(books.weight * np.where(books.sharp, 1.0, scale[books.bet]))


def _say(bets: Sequence[Leg], markets: Sequence[Market], table: _Table, evidence: Evidence, *, explain: bool) -> None:
    """Put into words what the reader of an answer has to know."""
    stale = {} if table.own.all() else dict(_arbitrage(bets, markets, table))
    loose = table.own & table.possible & (table.sums < _NO_MARGIN)
    for i, total in zip(table.bet[loose].tolist(), table.sums[loose].tolist(), strict=True):
        if not evidence.reference[i]:
            evidence.doubtful[i] = (
                f"the market's own prices add up to {100 * total:.1f} %, less than any sportsbook asks: one of them is "
                "probably stale"
            )
    reference = evidence.reference.tolist()
    for i in np.flatnonzero(~np.isnan(evidence.fair)).tolist():
        said = evidence.warnings.setdefault(i, [])
        if not reference[i]:
            said.append(_NO_SECOND)
        elif i in stale:
            said.append(stale[i])
        line = vars(bets[i])["line"]
        if line is not None and line == round(line):
            said.append(f"the line {line:+g} can push: win probability and expected ROI hold for when it does not")
    if explain:
        books: dict[int, list[str | None]] = {}
        for market, possible in zip(markets, table.possible.tolist(), strict=True):
            if possible and market.book is not None:
                books.setdefault(market.bet, []).append(market.book)
        for i in np.flatnonzero(~np.isnan(evidence.fair)).tolist():
            evidence.words[i] = (
                f"{_whose(bets[i], books.get(i, []))} prices without vig give {100 * evidence.fair[i]:.1f} %, "
                f"this price asks for {100 * implied_probability(bets[i].odds):.1f} %"
            )


def _arbitrage(bets: Sequence[Leg], markets: Sequence[Market], table: _Table) -> Iterator[tuple[int, str]]:
    """Where backing the bet here and all other sides elsewhere can't lose."""
    rest = np.where(table.own | ~table.possible, np.inf, table.sums - table.implied[:, 0])
    least = np.full(len(bets), np.inf)
    np.minimum.at(least, table.bet, rest)
    asked = implied_probability(np.array([bet.odds for bet in bets]))
    for i in np.flatnonzero(asked + least < 1).tolist():
        k = int(np.flatnonzero((table.bet == i) & (rest == least[i]))[0])
        total = f"{100 * (asked[i] + least[i]):.1f} %"
        words = f"this price and {markets[k].book}'s for the other sides add up to {total}"
        yield i, f"{words}: one of them is probably stale, look again before you bet"


def _whose(bet: Leg, books: Sequence[str | None]) -> str:
    if not books:
        return f"{bet.institution_name}'s own"
    if len(books) == 1:
        return f"{books[0]}'s"
    return f"{len(books)} other sportsbooks'"
