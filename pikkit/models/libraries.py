"""Libraries that take up to a second to import and that only some sets need: imported when they are asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal

__all__ = ["library"]


def library(name: Literal["onnxruntime", "skops.io", "xgboost"]) -> Any:
    """The module of that name."""
    return import_module(name)
