"""How a model is scored: the port that a model set predicts through, and its three adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Engine", "OnnxTrees", "SklearnModel", "XgboostTrees", "load_booster"]

Floats = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]


class Engine(Protocol):
    """Raw output for feature rows: log-odds of a classifier's win, percent of a regressor."""

    def score(self, matrix: Matrix, base: Floats | None) -> Floats:
        """Scores of n rows, shape (n,).

        Args:
            matrix: feature rows, shape (n, k).
            base: where each row's margin starts, shape (n,); None: at the model's own base.
        """
        ...


class OnnxTrees:
    """Trees as an ONNX graph, one thread: the workers are the parallelism."""

    def __init__(self, path: Path, base: float) -> None:
        import onnxruntime  # noqa: PLC0415 - only sets with such a graph need it

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
        [total] = self._session.run(["sum"], {"x": matrix})
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
        import skops.io  # noqa: PLC0415 - and with it scikit-learn, which only these sets need

        # What is in the file was on the allow-list of pickles when it was imported; the manifest vouches for it.
        self._model: Any = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
        self._classifier = classifier

    def score(self, matrix: Matrix, base: Floats | None) -> Floats:
        """The estimator's probability as log-odds, or its value; it has no base margin."""
        del base
        if not self._classifier:
            return np.asarray(self._model.predict(matrix), dtype=np.float64)
        p = np.clip(self._model.predict_proba(matrix)[:, 1].astype(np.float64), 1e-12, 1 - 1e-12)
        return np.asarray(np.log(p / (1 - p)))


def load_booster(path: Path) -> Any:
    """A booster from its native file, pinned to one thread."""
    import xgboost  # noqa: PLC0415 - takes a second with scikit-learn; most workers never need it

    booster = xgboost.Booster(_ONE_THREAD)
    booster.load_model(path)
    booster.set_param(_ONE_THREAD)
    return booster


_ONE_THREAD: dict[str, Any] = {"nthread": 1}
