"""A converted set is asked what the original is asked: the same answers, the same to the same row, and to gaps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pikkit.bets.numbers import Floats
from pikkit.errors import ModelError, UnsafePickle
from pikkit.features.table import Matrix
from pikkit.models.loading import load_engine
from pikkit.models.reading.onnx_graph import trees_of

__all__ = ["TOLERANCE", "check_canary", "check_missing", "disagreeing", "probe_rows"]

TOLERANCE = 1e-6  # by which a prediction may differ after the conversion: absolute, of percents relative above 1

_PROBES = 512
_MISSING_SHARE = 0.1
_SAME_ROW = 300
_AROUND = 1 << 18  # values on either side: a megabyte


def check_missing(models: Mapping[str, Any], spec: Any) -> None:
    """Ask each model about a bet whose names it never saw, where their codes are missing values.

    Raises:
        ModelError: it takes none.
    """
    unknown = [column for column, encoder in spec.encoders.items() if not encoder.has_unknown]
    places = [spec.names.index(name) for name in (f"{column}_encoded" for column in unknown) if name in spec.names]
    row = np.full((1, len(spec.names)), 0.5, dtype=np.float32)
    row[:, places] = np.nan
    for name, model in models.items() if places else ():
        if hasattr(model, "get_booster"):
            continue  # takes them
        try:
            (_original_win(model, row, None) if name == "win" else _original_roi(model, row))
        except ValueError as cause:
            raise ModelError(
                f"the {name} model ({type(model).__name__}) takes no missing values, and the encoders of "
                f"{', '.join(unknown)} have no class for a name they never saw: add 'Unknown' to their classes and "
                "train with it, or put a SimpleImputer in front of the model"
            ) from cause


def probe_rows(models: Mapping[str, Any], names: tuple[str, ...]) -> Matrix:
    """Rows around the models' own thresholds, a tenth of the values missing: every branch is a chance to differ."""
    random = np.random.default_rng(0)
    rows = np.empty((_PROBES, len(names)))
    thresholds: dict[int, list[float]] = {}
    for model in models.values():
        if hasattr(model, "get_booster"):
            for tree in trees_of(model.get_booster()):
                for column, value, left in zip(
                    tree["split_indices"], tree["split_conditions"], tree["left_children"], strict=True
                ):
                    if left >= 0:
                        thresholds.setdefault(column, []).append(value)
    for column, name in enumerate(names):
        values = np.array(thresholds.get(column, [0.0, 1.0]))
        spread = max(float(np.ptp(values)), 1.0)
        rows[:, column] = (
            random.choice(values, _PROBES) + random.choice([0.0, 1e-3, -1e-3, 1.0, -1.0], _PROBES) * spread
        )
        if name == "implied_prob":
            rows[:, column] = random.uniform(0.01, 0.99, _PROBES)
    gaps = random.random(rows.shape) < _MISSING_SHARE
    if "implied_prob" in names:
        gaps[:, names.index("implied_prob")] = False  # a price always has one
    if not all(hasattr(model, "get_booster") for model in models.values()):
        gaps[:] = False  # most estimators of scikit-learn take no missing values
    rows[gaps] = np.nan
    return rows.astype(np.float32)


def disagreeing(models: Mapping[str, Any], converted: Any, roi: Any, probes: Matrix) -> list[str]:
    """Which models predict otherwise than before.

    Raises:
        ModelError: a model predicts what is no number, or several for a bet.
    """
    ones = np.ones(len(probes))
    base = converted.prior(probes)
    before = {"win": _original_win(models["win"], probes, base), "roi": _original_roi(models["roi"], probes)}
    for name, values in before.items():
        if values.size != len(probes):
            raise ModelError(f"the {name} model gives {values.size // len(probes)} values a bet: train it on one")
        if not np.isfinite(values).all():
            raise ModelError(f"the {name} model predicts values that are no numbers: train it again")
    after = {"win": converted.win_probability(probes), "roi": roi.score(probes, None)}
    off = []
    for name, values in before.items():
        if not (np.abs(values - after[name]) <= TOLERANCE * np.maximum(ones, np.abs(values))).all():
            off.append(name)
    return off


def check_canary(into: Path, engines: Mapping[str, Mapping[str, Any]], probes: Matrix) -> None:
    """Ask the same row again and again, while what lies around it in memory changes.

    Raises:
        ModelError: the answers differ, so something else than the row was read.
    """
    k = probes.shape[1]
    memory = np.zeros(2 * _AROUND + k, dtype=np.float32)
    row = memory[_AROUND : _AROUND + k].reshape(1, k)
    values = np.random.default_rng(1).normal(0, 1e3, _SAME_ROW)
    for name, described in engines.items():
        engine = load_engine(into, name, described)
        answers = set()
        for value in values:
            memory[:] = value
            row[0] = probes[0]
            for size in (k, 8 * k, 4096):  # what was freed last is what a library gets for its own copy of the row
                np.full(size, value, dtype=np.float32)
            answers.add(engine.score(row, None).item())
        if len(answers) > 1:
            raise UnsafePickle(f"the {name} model answers one row in {len(answers)} ways: it reads what is not its own")


def _original_win(model: Any, probes: Matrix, base: Floats | None) -> Floats:
    given = {} if base is None else {"base_margin": base}
    return np.asarray(model.predict_proba(probes, **given)[:, 1], dtype=np.float64)


def _original_roi(model: Any, probes: Matrix) -> Floats:
    return np.asarray(model.predict(probes), dtype=np.float64).ravel()
