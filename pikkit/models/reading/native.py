"""A model as workers load it: XGBoost's own format and, where it can be, a graph; skops for scikit-learn's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pikkit.errors import ModelError
from pikkit.models.libraries import library
from pikkit.models.reading.onnx_graph import Untranslatable, base_margin, objective_of, to_onnx, trees_of

__all__ = ["save"]

# Objectives whose margin is log-odds or the value itself.
_MARGINS: Mapping[str, frozenset[str]] = {
    "win": frozenset({"binary:logistic"}),
    "roi": frozenset({"reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror"}),
}


def save(model: Any, into: Path, name: str) -> dict[str, Any]:
    """Write the model, "win" or "roi", into the folder; returns what the manifest says of it.

    Raises:
        ModelError: it is of a kind that can't be served.
    """
    if not hasattr(model, "get_booster"):
        if hasattr(model, "n_jobs"):
            model.n_jobs = 1  # the workers are the parallelism
        library("skops.io").dump(model, into / f"{name}.skops")
        return {"type": "sklearn", "model": type(model).__name__}
    booster = model.get_booster()
    if getattr(model, "booster", None) == "gblinear" or not trees_of(booster):
        raise ModelError(f"the {name} model has no trees: train it with booster gbtree or dart")
    trees = booster.num_boosted_rounds()
    best = getattr(model, "best_iteration", None) if _stopped_early(booster) else None
    if best is not None:
        booster = booster[: int(best) + 1]  # what follows the best round was kept by the trainer, and never predicts
    booster.feature_names = booster.feature_types = None
    objective = objective_of(booster)
    if objective not in _MARGINS[name]:
        hint = "train it again with binary:logistic" if name == "win" else "train it again with one of them"
        raise ModelError(
            f"the {name} model has objective {objective}: served are {', '.join(sorted(_MARGINS[name]))}; {hint}"
        )
    booster.save_model(into / f"{name}.ubj")
    described = {
        "type": "xgboost",
        "model": type(model).__name__,
        "objective": objective,
        "rounds": booster.num_boosted_rounds(),
        "rounds_pickled": trees,
        "base": base_margin(booster),
    }
    try:
        (into / f"{name}.onnx").write_bytes(to_onnx(booster, booster.num_features()))
    except Untranslatable as reason:
        return {**described, "onnx": str(reason)}
    return {**described, "type": "onnx"}


def _stopped_early(booster: Any) -> bool:
    return booster.attr("best_iteration") is not None
