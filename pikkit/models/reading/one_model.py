"""One foreign file: from its bytes to an estimator with the right role, features and bounds."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from pikkit.errors import ModelError
from pikkit.models.reading.contents import is_native, read_content
from pikkit.models.reading.magnitudes import check_magnitudes
from pikkit.models.reading.onnx_graph import objective_of
from pikkit.models.reading.pickles import unpickle
from pikkit.models.reading.tree_bounds import check_estimator
from pikkit.models.user_files import ROI_FILE, WIN_FILE

__all__ = ["read_model"]

_WON_OR_NOT = 2  # classes of a win model


def read_model(path: Path, names: tuple[str, ...]) -> Any:
    """The estimator in a file, fitted on these features and safe to ask.

    Raises:
        UnsafePickle: the pickle asks for what is not allowed, or a tree for memory that is not its own.
        ModelError: it can't be served; the message says why.
    """
    is_win = path.name == WIN_FILE
    model = _loaded(path, names, classifier=is_win)
    kind = type(model).__name__
    is_classifier = hasattr(model, "predict_proba")
    if not hasattr(model, "predict_proba" if is_win else "predict") or is_classifier != is_win:
        raise ModelError(f"{path.name} holds a {kind}, and {_role(is_win)} belongs there{_swapped(path)}")
    try:
        given = int(model.n_features_in_)
        classes = int(getattr(model, "n_classes_", 2)) if is_classifier else 2
    except (AttributeError, TypeError, ValueError) as cause:
        raise ModelError(f"{path.name} holds a {kind} that was never fitted: train it first") from cause
    if hasattr(model, "get_booster") and objective_of(model.get_booster()).startswith("multi:"):
        raise ModelError(
            f"{path.name} has objective {objective_of(model.get_booster())}: train it again with binary:logistic"
        )
    check_estimator(path.name, model)
    check_magnitudes(path.name, model)
    if given != len(names):
        raise ModelError(f"{path.name} was trained on {given} features, the metadata names {len(names)}")
    if classes != _WON_OR_NOT:
        raise ModelError(f"{path.name} tells {classes} classes apart: a win model tells 2")
    own = getattr(model, "feature_names_in_", None)
    if own is not None and list(own) != list(names):
        _refuse_names(path.name, list(own), names)
    return model


def _loaded(path: Path, names: tuple[str, ...], *, classifier: bool) -> Any:
    """The estimator in the file, out of what wraps it or into what it lacks."""
    model = _held(path)
    if isinstance(model, dict):
        model = _unwrapped(path.name, model, names)
    if type(model).__name__ == "Booster":  # saved without its wrapper
        model = _wrapped(path, model, classifier=classifier)
    if hasattr(model, "get_booster"):
        for name, default in vars(type(model)()).items():  # what wrappers of earlier versions did not have
            vars(model).setdefault(name, default)
    return model


def _held(path: Path) -> Any:
    """What the file holds."""
    data = read_content(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other versions; what matters is checked on probe rows
        return _native(path.name, data) if is_native(data) else unpickle(data, path.name)


def _native(file: str, data: bytes) -> Any:
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(data))
    except (xgboost.core.XGBoostError, ValueError) as cause:
        said = " ".join(str(cause).split())[:120]
        raise ModelError(f"{file} can't be read as XGBoost's own format ({said}): save the model again") from cause
    return booster


def _unwrapped(file: str, held: Mapping[Any, Any], names: tuple[str, ...]) -> Any:
    """The model in a dict that holds one, and perhaps the names of its features."""
    models = [value for value in held.values() if hasattr(value, "predict")]
    if len(models) != 1:
        raise ModelError(
            f"{file} holds a dict with {', '.join(map(repr, list(held)[:5])) or 'nothing'}, of which {len(models)} are "
            "models: put the one model there, alone or with the names of its features"
        )
    for key, value in held.items():
        if value is not models[0] and hasattr(value, "get_params"):
            raise ModelError(
                f"{file} holds a dict with a {type(value).__name__} beside the model, which nothing would ask: put "
                "both into a Pipeline (make_pipeline), and that alone there"
            )
        listed = list(value) if isinstance(value, (list, tuple, np.ndarray)) else []
        if not listed or not all(isinstance(name, str) for name in listed) or listed == list(names):
            continue
        if set(listed) & set(names) or re.search("feature|column", str(key).casefold()):  # else names of something else
            _refuse_names(file, listed, names)
    return models[0]


def _refuse_names(file: str, own: list[Any], names: tuple[str, ...]) -> None:
    if len(own) != len(names):
        raise ModelError(f"{file} was trained on {len(own)} features, the metadata names {len(names)}")
    different = next((a, b) for a, b in zip(own, names, strict=True) if a != b)
    raise ModelError(f"{file} was trained on column {different[0]!r} where the metadata says {different[1]!r}")


def _role(is_win: bool) -> str:
    return "a classifier (XGBClassifier)" if is_win else "a regressor (XGBRegressor)"


def _swapped(path: Path) -> str:
    """A question after the other file, where that holds what belongs here."""
    is_win = path.name == WIN_FILE
    other = path.with_name(ROI_FILE if is_win else WIN_FILE)
    try:
        held = _held(other)
    except ModelError:
        return ""
    classifies = hasattr(held, "predict_proba") or _tells_chances(held)
    fits = hasattr(held, "predict") and classifies == is_win
    return ": are the two files swapped?" if fits else ": train one"


def _tells_chances(held: Any) -> bool:
    return type(held).__name__ == "Booster" and objective_of(held) == "binary:logistic"


def _wrapped(path: Path, booster: Any, *, classifier: bool) -> Any:
    if classifier != _tells_chances(booster):
        objective = objective_of(booster)
        hint = _swapped(path)
        if classifier and objective.startswith("multi:"):
            hint = ": train it with objective binary:logistic"
        raise ModelError(f"{path.name} holds a booster of {objective}, and {_role(classifier)} belongs there{hint}")
    model = xgboost.XGBClassifier(n_jobs=1) if classifier else xgboost.XGBRegressor(n_jobs=1)
    model.load_model(bytearray(booster.save_raw("ubj")))
    return model
