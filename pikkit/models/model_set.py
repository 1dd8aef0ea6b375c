"""One immutable model set: two models, how each is scored, metadata and history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from pikkit.bets.numbers import Floats, Numbers, sigmoid
from pikkit.bets.odds import expected_roi_pct
from pikkit.features.spec import FeatureSpec
from pikkit.features.table import Matrix
from pikkit.grading.opinion import Opinion
from pikkit.grading.reasons import Contributions
from pikkit.history.history import History
from pikkit.models.boosters import Boosters, load_booster, wrappers_wanted
from pikkit.models.libraries import library

__all__ = ["Engine", "ModelSet", "OnnxTrees", "SklearnModel", "XgboostTrees", "moment_of"]

_TINY = 1e-9


class Engine(Protocol):
    """Raw output for feature rows: log-odds of a classifier's win, percent of a regressor."""

    def score(self, matrix: Matrix, base: Floats | None) -> Floats:
        """Scores of n rows, shape (n,).

        Args:
            matrix: feature rows, shape (n, k).
            base: where each row's margin starts, shape (n,); None: at the model's own base.
        """
        ...


class ModelSet:
    """A loaded set; what the predictor asks, it answers by its two engines."""

    def __init__(
        self,
        folder: Path,
        manifest: Mapping[str, Any],
        *,
        metadata: Mapping[str, Any],
        history: History,
        win: Engine,
        roi: Engine | None,
        source: str = "",
    ) -> None:
        self.folder = folder
        self.source = source
        self.manifest = manifest
        self.metadata = metadata
        self.version = str(manifest["version"])  # timestamp, from the metadata
        self.tag = str(manifest["tag"])  # in the BentoML model store, where it was imported; else the same without one
        self.sha256 = str(manifest["source_sha256"])  # over the user's files
        self.starter = bool(metadata.get("starter", False))  # trained on simulated bets
        baseline = metadata.get("baseline")  # distribution of the training data, for drift; not every trainer writes it
        self.baseline: Mapping[str, Any] | None = baseline if isinstance(baseline, dict) else None
        # Bets until then it may have learnt from (seconds since the epoch); None where it does not tell.
        self.trained_until = moment_of(metadata.get("trained_until"))
        self.history = history
        exact = isinstance(win, SklearnModel) or isinstance(roi, SklearnModel)
        self.spec = replace(FeatureSpec.from_metadata(metadata), exact=exact)
        self._win = win
        self._roi = roi
        self.roi_from_price = roi is None
        self.opinion = Opinion.from_metadata(metadata)
        prior = metadata.get("prior")
        self._prior = (float(prior["intercept"]), float(prior["slope"])) if prior else None
        self._implied = self.spec.names.index("implied_prob") if prior else -1
        self._boosters = Boosters(folder, manifest["files"])

    def win_probability(self, matrix: Matrix) -> Floats:
        """Win probability (fraction) for each row."""
        return sigmoid(self._win.score(matrix, self.prior(matrix)))

    def roi(self, matrix: Matrix, probability: Numbers, odds: Numbers) -> Numbers:
        """Expected ROI (percent) for each row; from probability and price where the set says so."""
        if self._roi is None:
            return expected_roi_pct(probability, odds)
        return cast("Numbers", _as_asked(self._roi.score(matrix, None), probability))

    @property
    def explains_within_s(self) -> float:
        """Seconds that the contributions of a row take; 0 before they were first asked for."""
        return self._boosters.row_s

    def contributions(self, matrix: Matrix) -> Contributions:
        """SHAP values of XGBoost's own (`pred_contribs`); None for a model that has no trees of it.

        Where ROI follows from the probability, what the features add to it together, is shared out as they share in
        the log-odds, so that it adds up too.
        """
        win = self._boosters.added("win.ubj", matrix, self.prior(matrix))
        if self._roi is not None:
            return Contributions(win, self._boosters.added("roi.ubj", matrix, None), self._prior is not None)
        if win is None or self._implied < 0:
            return Contributions(win, None)
        decimal = 1 / matrix[:, self._implied].astype(np.float64)
        base, total = sigmoid(win[:, -1]), sigmoid(win.sum(axis=1))
        added = win[:, :-1].sum(axis=1)
        slope = np.where(np.abs(added) > _TINY, (total - base) / np.where(added == 0, 1, added), base * (1 - base))
        roi = 100 * decimal[:, None] * np.column_stack([win[:, :-1] * slope[:, None], base - 1 / decimal])
        return Contributions(win, roi, from_price=True)

    def prior(self, matrix: Matrix) -> Floats | None:
        """What the price of each row alone says, in log-odds; None where the set has no such rule."""
        if self._prior is None:
            return None
        intercept, slope = self._prior
        implied = matrix[:, self._implied].astype(np.float64)
        return np.asarray(intercept + slope * np.log(implied / (1 - implied)))


def moment_of(told: object) -> float | None:
    """Seconds since the epoch of an ISO text, UTC where it has no zone; None for anything else."""
    try:
        moment = datetime.fromisoformat(str(told))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _as_asked(scores: Floats, asked: object) -> Any:
    """Plain numbers for who asks with plain numbers."""
    return scores.item() if isinstance(asked, float) else scores


class OnnxTrees:
    """Trees as an ONNX graph, one thread: the workers are the parallelism."""

    def __init__(self, path: Path, base: float) -> None:
        onnxruntime = library("onnxruntime")
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._base = base

    def score(self, matrix: Matrix, base: Floats | None) -> Floats:
        """Sum of the leaves, plus the base."""
        single = matrix if matrix.dtype == np.float32 else matrix.astype(np.float32)
        [total] = self._session.run(["sum"], {"x": single})
        trees: Floats = total[:, 0].astype(np.float64)
        return trees + (self._base if base is None else base)


class XgboostTrees:
    """XGBoost's own predictor, one thread."""

    def __init__(self, path: Path) -> None:
        self._booster = load_booster(path)

    def score(self, matrix: Matrix, base: Floats | None) -> Floats:
        """XGBoost's margin."""
        margin = self._booster.inplace_predict(matrix, predict_type="margin", base_margin=base)
        return np.asarray(margin, dtype=np.float64)


class SklearnModel:
    """A plain scikit-learn estimator."""

    def __init__(self, path: Path, *, classifier: bool) -> None:
        wrappers_wanted()  # an estimator may hold one
        skops = library("skops.io")
        # What is in the file was on the allow-list of pickles when it was imported; the manifest vouches for it.
        self._model: Any = skops.load(path, trusted=skops.get_untrusted_types(file=path))
        self._classifier = classifier

    def score(self, matrix: Matrix, base: Floats | None) -> Floats:
        """The estimator's probability as log-odds, or its value; it has no base margin."""
        del base
        if not self._classifier:
            # One that was trained on a column, and not on a list, answers with a column.
            return np.asarray(self._model.predict(matrix), dtype=np.float64).reshape(len(matrix))
        p = np.clip(self._model.predict_proba(matrix)[:, 1].astype(np.float64), 1e-12, 1 - 1e-12)
        return np.asarray(np.log(p / (1 - p)))
