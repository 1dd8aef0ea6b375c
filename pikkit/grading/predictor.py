"""From validated bets to predictions: columns for many bets, plain numbers for a few, and the same answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from pikkit.bets.bet import CATEGORICAL, Bet, BetNumbers, Prediction
from pikkit.bets.odds import Numbers, implied_probability, kelly_fraction
from pikkit.errors import ModelError
from pikkit.features.onerow import feature_row
from pikkit.features.table import FeatureRows, FeatureSpec, assemble
from pikkit.grading.decision import GRADES, Rules, confidence, confidence_of_one, grade, grade_one, stake_pct
from pikkit.grading.lookups import Combinations
from pikkit.grading.reasons import Contributions, reasons
from pikkit.history.history import History
from pikkit.settings import Settings

__all__ = ["Models", "Predictor", "rules_of"]

Floats = npt.NDArray[np.float64]

_ONE_BY_ONE = 4  # bets up to which plain numbers beat columns
_DIGITS = 6
_SCALE = 10.0**_DIGITS
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

    def win_probability(self, matrix: npt.NDArray[np.float32]) -> Floats:
        """Probability to win (fraction) for each row."""
        ...

    def roi(self, matrix: npt.NDArray[np.float32], probability: Numbers, odds: Numbers) -> Numbers:
        """Expected ROI (percent) for each row, given its win probability and American odds; one row: also as floats."""
        ...

    def contributions(self, matrix: npt.NDArray[np.float32]) -> Contributions:
        """What each feature added to each model's output."""
        ...


def rules_of(settings: Settings) -> Rules:
    """The grading thresholds among the settings."""
    return Rules(
        a_roi=settings.grade_a_roi,
        a_confidence=settings.grade_a_confidence,
        b_roi=settings.grade_b_roi,
        b_confidence=settings.grade_b_confidence,
        c_roi=settings.grade_c_roi,
        c_confidence=settings.grade_c_confidence,
        d_roi=settings.grade_d_roi,
        kelly_multiplier=settings.kelly_multiplier,
        max_stake_pct=settings.max_stake_pct,
    )


class Predictor:
    """Grades bets with whatever model set it is handed; holds the rules, and remembers what the last set knew."""

    def __init__(self, rules: Rules = Rules(), *, neutral_count: int = 0, ttl_s: int = 60) -> None:  # noqa: B008 - frozen
        self._rules = rules
        self._neutral_count = neutral_count
        self._ttl_s = ttl_s
        self._known: tuple[Models, Combinations] | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Predictor:
        """A predictor with the thresholds that the operator set."""
        return cls(rules_of(settings), neutral_count=settings.neutral_history_count, ttl_s=settings.prediction_ttl)

    def rows(self, models: Models, bets: Sequence[Bet], now: float) -> FeatureRows:
        """The feature rows of the bets, as the models see them."""
        known = self._known
        if known is None or known[0] is not models:
            known = self._known = (models, Combinations(models.spec, models.history))
        codes, unknown, past = known[1].columns(bets)
        numbers = BetNumbers.of(bets, now)
        return assemble(codes, unknown, numbers, past, models.spec, neutral_count=self._neutral_count)

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
            figures = _joined([self._figures_of_one(models, bet, now) for bet in bets])
        else:
            figures = self._figures(models, bets, now)
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
                "profitable": r > 0,
                "timestamp": stamp,
                "model_version": version,
                "implied_probability": q,
                "edge": e,
                "sample_size": n,
                "warnings": [_NO_HISTORY] if no_history else [],
                "ttl_s": self._ttl_s,
            }
            for p, r, k, stake, c, g, q, e, n in zip(*figures.columns, strict=True)
        ]
        for bet, prediction in zip(bets, predictions, strict=True):
            if bet.client_ref is not None:
                prediction["client_ref"] = bet.client_ref
            if _has_unlisted_legs(bet.bet_type):
                prediction["warnings"].append(f"{bet.bet_type}: scored as given, its legs are not known")
        for i, column in figures.unknown:
            name = CATEGORICAL[column]
            predictions[i]["warnings"].append(
                f"{name} {getattr(bets[i], name)!r} is unknown to this model set: confidence is lower"
            )
        for i in figures.disagree:
            one = predictions[i]
            one["warnings"].append(_disagreement(one["expected_roi"], one["kelly_fraction"]))
        if explain:
            for prediction, words in zip(
                predictions,
                reasons(models.contributions(figures.matrix), figures.matrix, models.spec.names),
                strict=True,
            ):
                prediction["reasons"] = words
        return predictions

    def _figures(self, models: Models, bets: Sequence[Bet], now: float) -> _Figures:
        rows = self.rows(models, bets, now)
        odds = np.array([bet.odds for bet in bets])
        probability = np.clip(models.win_probability(rows.matrix), 0.0, 1.0).round(_DIGITS)
        roi = models.roi(rows.matrix, probability, odds)
        if not (np.isfinite(probability).all() and np.isfinite(roi).all()):
            raise _no_numbers(models)
        implied = implied_probability(odds)
        kelly = kelly_fraction(probability, odds)
        trust = confidence(rows.sample_size, rows.unknown)
        grading = grade(roi, trust, kelly, self._rules)  # before rounding, which could hide a small edge of one model
        kelly = kelly.round(_DIGITS)
        stake = stake_pct(kelly, self._rules)
        rounded = [column.round(_DIGITS) + 0.0 for column in (roi, stake, trust, implied, probability - implied)]
        roi, stake, trust, shown, edge = (column.tolist() for column in rounded)
        return _Figures(
            columns=(
                probability.tolist(),
                roi,
                kelly.tolist(),
                stake,
                trust,
                grading.grade.tolist(),
                shown,
                edge,
                rows.sample_size.tolist(),
            ),
            unknown=np.argwhere(rows.unknown).tolist() if rows.unknown.any() else (),
            disagree=np.flatnonzero(grading.disagree).tolist(),
            matrix=rows.matrix,
        )

    def _figures_of_one(self, models: Models, bet: Bet, now: float) -> _Figures:
        """The same for a single bet in plain numbers; a property test holds the two together."""
        row = feature_row(bet, now, models.history, models.spec, neutral_count=self._neutral_count)
        odds = bet.odds
        chance = models.win_probability(row.matrix).item()
        if math.isnan(chance):
            raise _no_numbers(models)
        probability = _rounded(min(max(chance, 0.0), 1.0))
        roi = models.roi(row.matrix, probability, odds)
        if not math.isfinite(roi):
            raise _no_numbers(models)
        implied = implied_probability(odds)
        kelly = kelly_fraction(probability, odds)
        trust = confidence_of_one(row.sample_size, row.unknown)
        letter, disagree = grade_one(roi, trust, kelly, self._rules)
        kelly = _rounded(kelly)
        stake = min(100 * self._rules.kelly_multiplier * kelly, self._rules.max_stake_pct)
        rounded = [[_rounded(figure)] for figure in (stake, trust, implied, probability - implied)]
        stakes, trusts, shown, edges = rounded
        return _Figures(
            columns=(
                [probability], [_rounded(roi)], [kelly], stakes, trusts, [letter], shown, edges,
                [row.sample_size],
            ),
            unknown=[(0, column) for column in row.unknown],
            disagree=[0] if disagree else (),
            matrix=row.matrix,
        )  # fmt: skip


class _Figures(NamedTuple):
    """Predictions by column, in the order of the answer's fields; (bet, column) of unknowns; bets with disagreement."""

    columns: tuple[list[Any], ...]
    unknown: Sequence[Sequence[int]]
    disagree: Sequence[int]
    matrix: npt.NDArray[np.float32]


@lru_cache(1024)
def _has_unlisted_legs(bet_type: str) -> bool:
    return bet_type.casefold().startswith(_UNLISTED_LEGS)


def _joined(ones: Sequence[_Figures]) -> _Figures:
    """Figures of single bets together."""
    if len(ones) == 1:
        return ones[0]
    return _Figures(
        columns=tuple(list(chain.from_iterable(column)) for column in zip(*(one.columns for one in ones), strict=True)),
        unknown=[(i, column) for i, one in enumerate(ones) for _, column in one.unknown],
        disagree=[i for i, one in enumerate(ones) if one.disagree],
        matrix=np.concatenate([one.matrix for one in ones]),
    )


def _rounded(value: float) -> float:
    """As NumPy rounds, but never to -0."""
    return round(value * _SCALE) / _SCALE


def _no_numbers(models: Models) -> ModelError:
    return ModelError(f"model set {models.version} predicts values that are no numbers: import a sound set")


def _disagreement(roi_pct: float, kelly: float) -> str:
    probability_says = "an edge" if kelly > 0 else "no edge"
    return (
        f"the models disagree: the win probability shows {probability_says}, "
        f"the expected ROI is {roi_pct:+.1f} %; the grade is at most C"
    )
