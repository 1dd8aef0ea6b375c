"""Numbers of models that overflow, or are none: a probe may miss the leaf or the row that shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pikkit.errors import ModelError
from pikkit.models.reading.onnx_graph import base_margin, trees_of

__all__ = ["check_magnitudes"]

_LARGEST = 1e9  # of log-odds, percents and what they are made of, far beyond any that mean something
_COEFFICIENTS = ("coef_", "intercept_", "a_", "b_", "y_thresholds_")


def check_magnitudes(file: str, model: Any) -> None:
    """Check every coefficient and leaf.

    Args:
        file: for the message.
        model: an estimator of scikit-learn's or XGBoost's, whose trees are sound.

    Raises:
        ModelError: one is no number, or so large that sums of it overflow.
    """
    for part in _parts(model):
        for kind, values in _numbers(part):
            if not np.isfinite(values).all():
                raise ModelError(f"{file} has a {kind} that is no number: train it again")
            if np.abs(values).max(initial=0.0) > _LARGEST:
                raise ModelError(
                    f"{file} has a {kind} of {np.abs(values).max():.3g}, which overflows: train it again, on features "
                    "of like scales"
                )


def _numbers(part: Any) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    if hasattr(part, "get_booster"):
        booster = part.get_booster()
        yield "base score", np.array([base_margin(booster)])
        for tree in trees_of(booster):
            leaves = np.asarray(tree["left_children"]) < 0
            yield "leaf", np.asarray(tree["split_conditions"], dtype=np.float64)[leaves]
    elif hasattr(part, "tree_"):
        yield "leaf", np.asarray(part.tree_.value, dtype=np.float64)
    for name in _COEFFICIENTS:
        values = getattr(part, name, None)
        if values is not None:
            yield "coefficient", np.asarray(values, dtype=np.float64)


def _parts(model: Any) -> Iterator[Any]:
    """The estimator and all within it."""
    yield model
    within = [step for _, step in getattr(model, "steps", None) or ()]
    for name in ("estimators_", "calibrated_classifiers_", "calibrators"):
        found = getattr(model, name, None)
        within += [] if found is None else np.asarray(found, dtype=object).ravel().tolist()
    calibrated = getattr(model, "calibrators", None)
    for part in [*within, *([model.estimator] if calibrated is not None else [])]:
        yield from _parts(part)
