"""From settled bets to a model set: split by time, choose, fit, calibrate, and judge once on the newest bets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xgboost

from pikkit.bets.columns import BetColumns
from pikkit.bets.numbers import Floats, Numbers
from pikkit.bets.odds import expected_roi_pct, implied_probability
from pikkit.bets.prediction import GRADES
from pikkit.bets.times import utc_text
from pikkit.errors import ModelError
from pikkit.features.rows import build_rows
from pikkit.features.spec import FeatureSpec
from pikkit.features.table import Matrix
from pikkit.grading.decision import Rules
from pikkit.grading.figures import Scores
from pikkit.grading.opinion import Opinion
from pikkit.grading.opinion_fit import fit_opinion, price_range
from pikkit.grading.price_prior import FOLDS
from pikkit.grading.settled import settled_figures
from pikkit.history.history import GROUPS, History, HistoryColumns, SettledBets, as_of
from pikkit.telemetry.drift import Baseline
from training.fitting.fit import Fitted, calibrate, choose, fit
from training.fitting.leaks import leaking_features
from training.settled.imports import imports_of

__all__ = ["MODEL_FEATURES", "STEPS", "Split", "Trained", "split_by_time", "train"]


# What the price does not say: how bets of the same kind did against their prices, and the kind. Closing lines are
# left out, since they are known only afterwards; so is the clock, since exports carry the time of the import.
MODEL_FEATURES = ("bet_type_encoded", "implied_prob", "is_live", *(f"{group}_edge" for group in GROUPS))
_RISING = tuple(name.endswith("_edge") for name in MODEL_FEATURES)
UNKNOWN = "Unknown"
STEPS = FOLDS * 4 + 2  # how often `progress` is called

_LEAST_BETS = 2000
_CHECKED_FOR_LEAKS = 100_000  # the rows are made by one rule, whichever the bet
_TRAIN_SHARE, _CALIBRATION_SHARE = 0.6, 0.2


@dataclass(frozen=True, slots=True)
class Split:
    """Positions where the calibration and the test part begin; parts never share a moment."""

    calibration: int
    test: int
    end: int


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained set, not yet written; `test_probability` are its predictions for the test part."""

    win: xgboost.XGBClassifier
    roi: xgboost.XGBRegressor
    metadata: Mapping[str, Any]
    history: History
    split: Split
    test_probability: Floats


def split_by_time(times: Floats) -> Split:
    """60 % to train on, 20 % to calibrate on, 20 % to test on, oldest first; equal times stay together.

    Raises:
        ModelError: there are too few bets, or they are not in order.
    """
    n = len(times)
    if n < _LEAST_BETS:
        raise ModelError(f"{n:,} usable bets are too few to train on: at least {_LEAST_BETS:,} are needed")
    if (np.diff(times) < 0).any():
        raise ModelError("the bets are not in the order of time")
    cuts = [
        int(np.searchsorted(times, times[int(n * share)]))
        for share in (_TRAIN_SHARE, _TRAIN_SHARE + _CALIBRATION_SHARE)
    ]
    imports = imports_of(times)
    if imports:  # a block is one import: its bets belong together
        whole = [int(imports.starts[imports.starts <= cut].max()) for cut in cuts]
        cuts = whole if 0 < whole[0] < whole[1] else cuts
    if not 0 < cuts[0] < cuts[1] < n:
        raise ModelError("nearly all bets have the same time, so they can't be split by time: export real times")
    return Split(cuts[0], cuts[1], n)


def encoders_of(bets: BetColumns, until: int) -> dict[str, list[str]]:
    """Classes of each column among the first `until` bets, and one for whatever comes later."""
    return {
        column: [UNKNOWN, *sorted({value for value in values[:until] if value} - {UNKNOWN})]
        for column, values in bets.categorical()
    }


def train(
    settled: SettledBets,
    *,
    seed: int = 0,
    now: datetime | None = None,
    starter: bool = False,
    rules: Rules = Rules(),
    past_of: Callable[[SettledBets], HistoryColumns] = as_of,
    progress: Callable[[], None] = lambda: None,
) -> Trained:
    """Train a set on settled bets, oldest first.

    Args:
        settled: the bets.
        seed: makes the run repeatable.
        now: names the set.
        starter: whether the bets are simulated.
        rules: thresholds of the grades that its traffic will be compared with.
        past_of: what was known before each bet.
        progress: called STEPS times.

    Raises:
        ModelError: the bets do not allow it, or a feature knows the future.
    """
    if len(np.unique(settled.won)) == 1:
        all_of_them = "won" if settled.won[0] else "lost"
        raise ModelError(f"all {len(settled):,} bets were {all_of_them}: nothing can be learnt of bets of one result")
    split = split_by_time(settled.bets.placed_at)
    metadata: dict[str, Any] = {
        "timestamp": (now or datetime.now(UTC)).strftime("%Y%m%d_%H%M%S"),
        "features": list(MODEL_FEATURES),
        "encoders": encoders_of(settled.bets, split.calibration),
    }
    spec = FeatureSpec.from_metadata(metadata)
    oldest = settled.take(np.arange(min(len(settled), _CHECKED_FOR_LEAKS)))
    leaking = leaking_features(oldest, lambda some: build_rows(some.bets, past_of(some), spec).matrix, spec.names)
    if leaking:
        raise ModelError(f"{', '.join(leaking)} know results that came later: take only what was known before each bet")
    past = past_of(settled)
    rows = build_rows(settled.bets, past, spec)
    implied = implied_probability(settled.bets.odds)
    first, second = slice(0, split.calibration), slice(split.calibration, split.test)
    choice = choose(
        rows.matrix[first], implied[first], settled.won[first], rising=_RISING, seed=seed, progress=progress
    )
    fitted = fit(rows.matrix[first], implied[first], settled.won[first], choice, rising=_RISING, seed=seed)
    price = fit(
        rows.matrix[first], implied[first], settled.won[first], replace(choice, rounds=0), rising=_RISING, seed=seed
    )
    progress()
    fitted = calibrate(fitted, price, rows.matrix[second], implied[second], settled.won[second])
    probability = fitted.predict(rows.matrix, implied)
    roi_model = _roi_model(rows.matrix[first], expected_roi_pct(probability, settled.bets.odds)[first], seed)
    progress()
    test = slice(split.test, split.end)
    opinion = fit_opinion(probability[second], implied[second], settled.won[second])
    lowest, highest = price_range(implied[: split.test])
    metadata |= {
        "prior": {"type": "market_logit", "intercept": fitted.prior.intercept, "slope": fitted.prior.slope},
        "roi": {"type": "from_probability"},
        **replace(opinion, lowest=lowest, highest=highest).to_metadata(),
        "trained_on": split.calibration,
        "calibrated_on": split.test - split.calibration,
        "tested_on": split.end - split.test,
        "trained_until": utc_text(float(settled.bets.placed_at[split.test - 1]), "seconds"),
        "rounds": fitted.choice.rounds,
        "parameters": fitted.choice.parameters,
        "seed": seed,
    }
    newest = np.arange(split.test, split.end)
    finished = _Finished(str(metadata["timestamp"]), spec, Opinion.from_metadata(metadata), fitted)
    metadata["baseline"] = _baseline(finished, settled.bets.take(newest), past.take(newest), rules).to_json()
    if starter:
        metadata["starter"] = True
    return Trained(fitted.classifier, roi_model, metadata, History.from_bets(settled), split, probability[test])


def _roi_model(matrix: Matrix, roi_pct: Floats, seed: int) -> xgboost.XGBRegressor:
    """The ROI file of the users' format: learns what probability and price give, for readers without the rule."""
    model = xgboost.XGBRegressor(
        n_estimators=60, max_depth=3, learning_rate=0.15, tree_method="hist", random_state=seed, n_jobs=2
    )
    return model.fit(matrix, roi_pct)


def _baseline(models: Scores, bets: BetColumns, past: HistoryColumns, rules: Rules) -> Baseline:
    found, rows = settled_figures(models, bets, past, rules)
    return Baseline.of(
        models.spec.names,
        rows.matrix,
        {"win_probability": np.asarray(found.win_probability), "expected_roi": np.asarray(found.expected_roi)},
        [GRADES[i] for i in np.asarray(found.grade)],
        rows.unknown_columns,
    )


@dataclass(frozen=True, slots=True)
class _Finished:
    """The trained set as it will be served; ROI follows from probability and price."""

    version: str
    spec: FeatureSpec
    opinion: Opinion
    fitted: Fitted
    roi_from_price: bool = True

    def win_probability(self, matrix: Matrix) -> Floats:
        return self.fitted.predict(matrix, matrix[:, self.spec.names.index("implied_prob")].astype(np.float64))

    def roi(self, _matrix: Matrix, probability: Numbers, odds: Numbers) -> Numbers:
        return expected_roi_pct(probability, odds)
