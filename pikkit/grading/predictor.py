"""From validated bets to predictions: columns for many bets, plain numbers for a few, and the same answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import NamedTuple, Protocol

import numpy as np

from pikkit.bets.bet import Bet
from pikkit.bets.columns import BetNumbers
from pikkit.bets.numbers import Floats, Numbers, Truth, Value, all_finite, larger, rounded, smaller, whole
from pikkit.bets.odds import kelly_fraction
from pikkit.bets.prediction import GRADES, Prediction
from pikkit.errors import ModelError
from pikkit.features.categories import Categories
from pikkit.features.facts import Facts
from pikkit.features.rows import FeatureRows, Matrix, matrix_of, sample_size
from pikkit.features.spec import FeatureSpec
from pikkit.grading.confidence import confidence
from pikkit.grading.decision import Rules, decide
from pikkit.grading.reasons import Contributions, reasons
from pikkit.history.history import History

__all__ = ["Models", "Predictor"]

_ONE_BY_ONE = 4  # bets up to which plain numbers beat columns
_NO_HISTORY = "no betting history in this model set: past rates are neutral and confidence is at most 0.5"
_UNLISTED_LEGS = ("parlay", "round robin", "round_robin", "teaser")


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

    def win_probability(self, matrix: Matrix) -> Floats:
        """Probability to win (fraction) for each row."""
        ...

    def roi(self, matrix: Matrix, probability: Numbers, odds: Numbers) -> Numbers:
        """Expected ROI (percent) for each row, given its win probability and American odds; one row: also as floats."""
        ...

    def contributions(self, matrix: Matrix) -> Contributions:
        """What each feature added to each model's output."""
        ...


class Predictor:
    """Grades bets with whatever model set it is handed; holds the rules, and remembers what the last set knew."""

    def __init__(self, rules: Rules = Rules(), *, neutral_count: int = 0, ttl_s: int = 60) -> None:
        self._rules = rules
        self._neutral_count = neutral_count
        self._ttl_s = ttl_s
        self._known: tuple[Models, Categories] | None = None

    def rows(self, models: Models, bets: Sequence[Bet], now: float) -> FeatureRows:
        """The feature rows of the bets, as the models see them."""
        facts, unknown = self._facts(models, bets, now)
        flags = {name: np.asarray(flag) for name, flag in unknown.items()}
        return FeatureRows(matrix_of(facts, models.spec), flags, np.asarray(sample_size(facts)))

    def predict(self, models: Models, bets: Sequence[Bet], now: float, *, explain: bool = False) -> list[Prediction]:
        """Grade bets, in their order.

        Args:
            models: the set to grade with.
            bets: validated bets.
            now: seconds since the epoch; time of the answer, and of bets without placed_at.
            explain: add `reasons`.

        Raises:
            ModelError: the models answered with something that is not a number.
        """
        if not bets:
            return []
        if len(bets) <= _ONE_BY_ONE:
            answers = _joined([self._figures_of_one(models, bet, now) for bet in bets])
        else:
            answers = self._figures_of_many(models, bets, now)
        stamp = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        version = models.version
        no_history = models.history.size == 0
        predictions: list[Prediction] = [
            {
                "win_probability": p,
                "expected_roi": r,
                "kelly_fraction": k,
                "recommended_stake_pct": stake,
                "confidence": c,
                "bet_grade": GRADES[g],
                "profitable": profitable,
                "timestamp": stamp,
                "model_version": version,
                "implied_probability": q,
                "edge": e,
                "sample_size": n,
                "warnings": [_NO_HISTORY] if no_history else [],
                "ttl_s": self._ttl_s,
            }
            for p, r, k, stake, c, q, e, g, profitable, n, _ in zip(*answers.columns, strict=True)
        ]
        for bet, prediction in zip(bets, predictions, strict=True):
            if bet.client_ref is not None:
                prediction["client_ref"] = bet.client_ref
            if _has_unlisted_legs(bet.bet_type):
                prediction["warnings"].append(f"{bet.bet_type}: scored as given, its legs are not known")
        for i, name in answers.unknown:
            predictions[i]["warnings"].append(
                f"{name} {getattr(bets[i], name)!r} is unknown to this model set: confidence is lower"
            )
        for one, disagree in zip(predictions, answers.columns[-1], strict=True):
            if disagree:
                one["warnings"].append(_disagreement(one["expected_roi"], one["kelly_fraction"]))
        if explain:
            for prediction, words in zip(
                predictions,
                reasons(models.contributions(answers.matrix), answers.matrix, models.spec.features),
                strict=True,
            ):
                prediction["reasons"] = words
        return predictions

    def _categories(self, models: Models) -> Categories:
        known = self._known
        if known is None or known[0] is not models:
            known = self._known = (models, Categories(models.spec, models.history))
        return known[1]

    def _facts(self, models: Models, bets: Sequence[Bet], now: float) -> tuple[Facts, Mapping[str, Truth]]:
        """Of n bets; and which of their categories are unknown."""
        codes, unknown, past = self._categories(models).many(bets)
        return Facts.of(BetNumbers.of(bets, now), codes, past, neutral_count=self._neutral_count), unknown

    def _figures_of_many(self, models: Models, bets: Sequence[Bet], now: float) -> _Answers:
        facts, unknown = self._facts(models, bets, now)
        matrix = matrix_of(facts, models.spec)
        odds = np.array([bet.odds for bet in bets])
        figures = self._figures(models, facts, unknown, odds, matrix)
        return _Answers(
            columns=[np.asarray(column).tolist() for column in figures],
            unknown=[(i, name) for name, flags in unknown.items() for i in np.flatnonzero(flags).tolist()],
            matrix=matrix,
        )

    def _figures_of_one(self, models: Models, bet: Bet, now: float) -> _Answers:
        codes, unknown, past = self._categories(models).one(bet)
        facts = Facts.of(BetNumbers.of_one(bet, now), codes, past, neutral_count=self._neutral_count)
        matrix = matrix_of(facts, models.spec)
        figures = self._figures(models, facts, unknown, bet.odds, matrix)
        return _Answers(
            columns=[[figure] for figure in figures],
            unknown=[(0, name) for name, flag in unknown.items() if flag],
            matrix=matrix,
        )

    def _figures(
        self, models: Models, facts: Facts, unknown: Mapping[str, Truth], odds: Value, matrix: Matrix
    ) -> tuple[Value | Truth, ...]:
        """What is answered, as `predict` reads it: of one bet in plain numbers, of n bets in arrays."""
        chances = models.win_probability(matrix)
        chance: Value = chances.item() if isinstance(odds, float) else chances
        [probability] = rounded(smaller(larger(_sound(chance, models), 0.0), 1.0))
        roi = _sound(models.roi(matrix, probability, odds), models)
        kelly = kelly_fraction(probability, odds)
        sample = sample_size(facts)
        trust = confidence(sample, unknown)
        decision = decide(roi, trust, kelly, self._rules)  # before rounding, which could hide a small edge of one model
        return (
            probability,
            *rounded(roi, kelly, decision.stake_pct, trust, facts.implied, probability - facts.implied),
            decision.grade,
            decision.profitable,
            whole(sample),
            decision.disagree,
        )


class _Answers(NamedTuple):
    """Figures by column; which bets have an unknown name in which column; the feature rows."""

    columns: Sequence[list[Value | Truth]]
    unknown: Sequence[tuple[int, str]]
    matrix: Matrix


@lru_cache(1024)
def _has_unlisted_legs(bet_type: str) -> bool:
    return bet_type.casefold().startswith(_UNLISTED_LEGS)


def _joined(ones: Sequence[_Answers]) -> _Answers:
    """Answers for single bets together."""
    if len(ones) == 1:
        return ones[0]
    return _Answers(
        columns=[list(chain.from_iterable(column)) for column in zip(*(one.columns for one in ones), strict=True)],
        unknown=[(i, name) for i, one in enumerate(ones) for _, name in one.unknown],
        matrix=np.concatenate([one.matrix for one in ones]),
    )


def _sound(answers: Value, models: Models) -> Value:
    """What a model answered, unless it is no number."""
    if not all_finite(answers):
        raise ModelError(f"model set {models.version} predicts values that are no numbers: import a sound set")
    return answers


def _disagreement(roi_pct: float, kelly: float) -> str:
    probability_says = "an edge" if kelly > 0 else "no edge"
    return (
        f"the models disagree: the win probability shows {probability_says}, "
        f"the expected ROI is {roi_pct:+.1f} %; the grade is at most C"
    )
