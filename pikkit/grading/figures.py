"""From the models' answers, and what other prices say, to all figures of an answer: of one bet or of n bets alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np

from pikkit.bets.numbers import Bools, Floats, Numbers, Truth, Value, rounded
from pikkit.bets.odds import american_to_decimal, returns
from pikkit.errors import ModelError
from pikkit.features.facts import Facts
from pikkit.features.spec import FeatureSpec
from pikkit.features.table import Matrix, matrix_of
from pikkit.grading.decision import UNKNOWN_COST, Rules, confidence, decide
from pikkit.grading.evidence import Evidence, OtherSides
from pikkit.grading.opinion import Opinion
from pikkit.grading.reasons import Contributions
from pikkit.grading.sides import beaten, scaled_to_one
from pikkit.history.history import History

__all__ = ["Figures", "Models", "figures"]

_STEP = 1e-6  # of rounded chances


class Models(Protocol):
    """The port to a model set: what a prediction needs of it."""

    @property
    def version(self) -> str:
        """Timestamp of the set, as its metadata tells."""
        ...

    @property
    def spec(self) -> FeatureSpec:
        """Which features the set wants, in which order."""
        ...

    @property
    def history(self) -> History:
        """Past results that travel with the set."""
        ...

    @property
    def opinion(self) -> Opinion:
        """How much its win model counts beside the market."""
        ...

    @property
    def roi_from_price(self) -> bool:
        """Whether its expected ROI is what follows from the win probability and the price."""
        ...

    def win_probability(self, matrix: Matrix) -> Floats:
        """Win probability (fraction) for each row."""
        ...

    def roi(self, matrix: Matrix, probability: Numbers, odds: Numbers) -> Numbers:
        """Expected ROI (percent) for each row, given its win probability and American odds; one row: also as floats."""
        ...

    @property
    def explains_within_s(self) -> float:
        """Seconds that the contributions of a row take."""
        ...

    def contributions(self, matrix: Matrix) -> Contributions:
        """What each feature added to each model's output."""
        ...


class Figures(NamedTuple):
    """Of one bet in plain numbers, or of n bets in arrays."""

    win_probability: Value
    expected_roi: Value  # percent
    kelly_fraction: Value
    recommended_stake_pct: Value
    confidence: Value
    implied_probability: Value
    edge: Value
    model_probability: Value
    price_roi: Value  # percent: what follows from win_probability and the price
    grade: Value  # index into GRADES
    profitable: Truth
    sample_size: Value
    outside: Truth  # a price of which the set has seen too few


def figures(
    models: Models,
    facts: Facts,
    rules: Rules,
    *,
    limited: Truth,
    market: Evidence | None = None,
) -> tuple[Figures, Matrix]:
    """The figures, and the feature rows that they come from.

    Args:
        models: the set to grade with.
        facts: what is known of the bets.
        rules: thresholds.
        limited: bets that are a D at the most.
        market: what other prices say of n bets.

    Raises:
        ModelError: the models answered with something that is not a number.
    """
    arithmetic, odds, implied, opinion = facts.arithmetic, facts.odds, facts.implied, models.opinion
    asked = facts if market is None else _asked(facts, market.others, opinion, market.reference)
    matrix = matrix_of(asked, models.spec.features)
    chances = models.win_probability(matrix)
    chance: Value = chances.item() if isinstance(odds, float) else chances[: len(odds)]
    _check(chance if isinstance(odds, float) else chances, facts, models)
    [model] = rounded(arithmetic.smaller(arithmetic.larger(chance, 0.0), 1.0))
    trust = confidence(facts.sample_size, facts.unknown)
    outside = (implied < opinion.lowest) | (implied > opinion.highest)
    if market is None:
        probability = _held(model, implied, outside, facts, opinion)
        price_roi, kelly = returns(probability, facts.decimal)
        roi = price_roi if models.roi_from_price else models.roi(matrix, probability, odds)
        _check(roi, facts, models)
    else:
        outside = outside & ~market.reference  # there others tell the chance, and the set nothing
        known = ~np.isnan(market.fair)
        floor = np.where(known, market.fair, implied)
        matrix = matrix[: len(known)]
        chances[: len(known)] = model
        combined, rivals = _with_market(opinion, asked, chances, market)
        probability = _held(combined, floor, outside, facts, opinion)
        price_roi, kelly = returns(probability, facts.decimal)
        told = models.roi(matrix, probability, odds)
        _check(told, facts, models)
        roi = np.where(known, price_roi, told)
        trust = _trust(np.asarray(trust), np.asarray(facts.sample_size), market, opinion)
    roi, price_roi, kelly, trust, shown, edge = rounded(roi, price_roi, kelly, trust, implied, probability - implied)
    value = arithmetic.smaller(roi, price_roi)
    limited = limited | outside
    if market is not None:
        market.beaten[:] = beaten(np.asarray(value), market.together, rivals)
        limited = limited | market.beaten
    decision = decide(value, trust, kelly, rules, limited=limited)
    found = Figures(
        probability,
        roi,
        kelly,
        decision.stake_pct,
        trust,
        shown,
        edge,
        model,
        price_roi,
        decision.grade,
        decision.profitable,
        arithmetic.whole(facts.sample_size),
        outside,
    )
    return found, matrix


def _held(probability: Value, floor: Value, outside: Truth, facts: Facts, opinion: Opinion) -> Value:
    """A set of ours claims no edge where its data had none: there the chance is at most the market's.

    The bound is rounded down, so that rounding makes no edge either.
    """
    if not opinion.trained_here:
        return probability
    bound = facts.arithmetic.smaller(probability, floor // _STEP * _STEP)
    if not opinion.knows_edges:
        return bound
    return probability - (probability - bound) * outside


def _asked(facts: Facts, others: OtherSides, opinion: Opinion, reference: Bools) -> Facts:
    """The bets, and after them the other sides that came with them, where the model's opinion of these counts."""
    if len(others.bet) and opinion.counts_beside(reference[others.bet]):
        return facts.with_other_prices(others.bet, others.odds)
    return facts


def _with_market(opinion: Opinion, asked: Facts, model: Floats, market: Evidence) -> tuple[Floats, Floats]:
    """Chances with what other prices say, and the return (percent) of the best other side that came with each bet.

    Args:
        opinion: how much the model counts.
        asked: n bets, and after them the other sides, if their model's chances are known.
        model: its chances of these.
        market: what other prices say.
    """
    n, others = len(market.fair), market.others
    fair, reference, implied = market.fair, market.reference, np.asarray(asked.implied)
    if len(model) > n:
        model = np.clip(model, 0.0, 1.0)
        fair = np.concatenate([fair, others.fair])
        reference = np.concatenate([reference, reference[others.bet]])
    combined = opinion.combined(model, implied, fair, reference=reference)
    probability = np.where(np.isnan(market.fair), model[:n], combined[:n])
    probability = np.where(np.isnan(market.joint), probability, market.joint)
    rivals = np.full(n, -np.inf)
    if len(others.bet):
        chances = others.fair
        if len(model) > n:
            outside = (implied[n:] < opinion.lowest) | (implied[n:] > opinion.highest)
            chances = np.asarray(_held(combined[n:], chances, outside, asked, opinion))
        total = np.maximum(probability + np.bincount(others.bet, chances, minlength=n), 1.0)
        probability = probability / total
        [shown] = rounded(chances / total[others.bet])
        [promised] = rounded(returns(np.asarray(shown), american_to_decimal(others.odds))[0])
        np.maximum.at(rivals, others.bet, np.asarray(promised))
    [whole_market] = rounded(scaled_to_one(probability, market.together))
    return np.asarray(whole_market), rivals


def _trust(trust: Floats, sample: Floats, market: Evidence, opinion: Opinion) -> Floats:
    """Confidence from references where there are some; unknown names cost as much as the model counts."""
    weight = min(opinion.weight_reference or 0.0, 1.0)
    kept = trust / confidence(sample, _ALL_KNOWN)
    by_reference = market.trust * (1 - weight * (1 - kept))
    return np.where(np.isnan(market.trust), trust, by_reference)


_ALL_KNOWN: Mapping[str, Truth] = dict.fromkeys(UNKNOWN_COST, False)


def _check(answers: Value, facts: Facts, models: Models) -> None:
    """Refuse what a model answered, if it is no number."""
    if not facts.arithmetic.is_finite(answers):
        raise ModelError(f"model set {models.version} predicts values that are no numbers: import a sound set")
