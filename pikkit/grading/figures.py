"""From the models' answers, and what other prices say, to all figures of an answer: of one bet or of n bets alike."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from pikkit.bets.numbers import Floats, Numbers, Truth, Value, rounded
from pikkit.bets.odds import returns
from pikkit.errors import ModelError
from pikkit.features.facts import Facts
from pikkit.features.spec import FeatureSpec
from pikkit.features.table import Matrix, matrix_of
from pikkit.grading.decision import Rules, confidence, decide
from pikkit.grading.evidence import EvidenceColumns
from pikkit.grading.opinion import Opinion
from pikkit.grading.reasons import Contributions
from pikkit.grading.sides import beaten, scaled_to_one
from pikkit.history.history import History

__all__ = ["Figures", "Models", "Scores", "figures"]

_STEP = 1e-6  # of rounded chances


class Scores(Protocol):
    """The port to the models of a set: what the figures of an answer need of it."""

    @property
    def version(self) -> str:
        """Timestamp of the set, as its metadata tells."""
        ...

    @property
    def spec(self) -> FeatureSpec:
        """Which features the set wants, in which order."""
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


class Models(Scores, Protocol):
    """The port to a model set: what a prediction needs of it."""

    @property
    def history(self) -> History:
        """Past results that travel with the set."""
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
    models: Scores,
    facts: Facts,
    rules: Rules,
    *,
    limited: Truth,
    market: EvidenceColumns | None = None,
) -> tuple[Figures, Matrix]:
    """The figures, and the feature rows that they come from.

    Args:
        models: the set to grade with.
        facts: what is known of the bets, and after them of the other sides that came with them, where the model's
            opinion of these is asked.
        rules: thresholds.
        limited: bets that are a D at the most.
        market: what other prices say of n bets; is told which of them are beaten.

    Raises:
        ModelError: the models answered with something that is not a number.
    """
    arithmetic, opinion = facts.arithmetic, models.opinion
    matrix = matrix_of(facts, models.spec.features, exact=models.spec.exact)
    chances = models.win_probability(matrix)
    chance: Value = chances.item() if isinstance(facts.odds, float) else chances
    _check(chance, facts, models)
    odds, decimal, implied, sample = facts.odds, facts.decimal, facts.implied, facts.sample_size
    [model] = rounded(arithmetic.smaller(arithmetic.larger(chance, 0.0), 1.0))
    asked = model  # of the other sides too, rounded alike: equal sides stay equal
    if market is not None:
        n = len(market.fair)
        model, odds, decimal, implied, sample = (
            np.asarray(column)[:n] for column in (model, odds, decimal, implied, sample)
        )
    trust = confidence(sample, facts.unknown)
    outside = (implied < opinion.lowest) | (implied > opinion.highest)
    if market is None:
        probability = _held(model, implied, outside, facts, opinion)
        price_roi, kelly = returns(probability, decimal)
        roi = price_roi if models.roi_from_price else models.roi(matrix, probability, odds)
        _check(roi, facts, models)
    else:
        outside = outside & ~market.reference  # there others tell the chance, and the set nothing
        known = ~np.isnan(market.fair)
        floor = np.where(known, market.fair, implied)
        matrix = matrix[:n]
        combined, others = _with_market(opinion, facts, np.asarray(asked), market)
        [probability] = rounded(scaled_to_one(combined, market.together))
        probability = _held(probability, floor, outside, facts, opinion)
        price_roi, kelly = returns(probability, decimal)
        told = price_roi if models.roi_from_price else models.roi(matrix, probability, odds)
        _check(told, facts, models)
        roi = np.where(known, price_roi, told)
        if market.reference.any():
            trust = _trust(np.asarray(trust), np.asarray(sample), market, opinion)
    roi, price_roi, kelly, trust, shown, edge = rounded(roi, price_roi, kelly, trust, implied, probability - implied)
    value = arithmetic.smaller(roi, price_roi)
    limited = limited | outside
    if market is not None:
        rivals = (market.other_bet, market.other_odds, others)
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
        arithmetic.whole(sample),
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


def _with_market(opinion: Opinion, asked: Facts, model: Floats, beside: EvidenceColumns) -> tuple[Floats, Floats]:
    """Chances of n bets, and of the other sides that came with them, with what other prices say.

    Args:
        opinion: how much the model counts.
        asked: n bets, and after them the other sides, if their model's chances are known.
        model: its chances of these.
        beside: what other prices say.
    """
    n, fair, reference, implied = len(beside.fair), beside.fair, beside.reference, np.asarray(asked.implied)
    if len(model) > n:
        fair = np.concatenate([fair, beside.other_fair])
        reference = np.concatenate([reference, reference[beside.other_bet]])
    combined = opinion.combined(model, implied, fair, reference=reference)
    probability = np.where(np.isnan(beside.fair), model[:n], combined[:n])
    probability = np.where(np.isnan(beside.joint), probability, beside.joint)
    others = beside.other_fair
    if len(model) > n:
        outside = (implied[n:] < opinion.lowest) | (implied[n:] > opinion.highest)
        others = np.asarray(_held(combined[n:], others, outside, asked, opinion))
    if not len(others):
        return probability, others
    total = np.maximum(probability + np.bincount(beside.other_bet, others, minlength=n), 1.0)
    return probability / total, others / total[beside.other_bet]


def _trust(trust: Floats, sample: Floats, beside: EvidenceColumns, opinion: Opinion) -> Floats:
    """Confidence from references where there are some; unknown names cost as much as the model counts."""
    weight = min(opinion.weight_reference or 0.0, 1.0)
    kept = trust / confidence(sample, {})
    return np.where(beside.reference, beside.trust * (1 - weight * (1 - kept)), trust)


def _check(answers: Value, facts: Facts, models: Scores) -> None:
    """Refuse what a model answered, if it is no number."""
    if not facts.arithmetic.is_finite(answers):
        raise ModelError(f"model set {models.version} predicts values that are no numbers: import a sound set")
