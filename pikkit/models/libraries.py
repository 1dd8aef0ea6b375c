"""Libraries that take up to a second to import and that only some sets need: imported when they are asked for."""

from __future__ import annotations

from importlib import import_module
from threading import RLock
from typing import Any, Literal

__all__ = ["importing", "library"]

importing = RLock()  # one import of these at a time: XGBoost's hides scikit-learn from others


def library(name: Literal["onnxruntime", "skops.io", "xgboost"]) -> Any:
    """The module of that name."""
    with importing:
        return import_module(name)
