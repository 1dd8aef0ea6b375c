"""Arithmetic that is written once for a single number and for an array of them.

NumPy takes about a microsecond for every operation, however short the array; a lone bet needs some sixty of them, so
it stays in plain floats. Whatever is written with these and with +, -, *, /, //, %, &, | and comparisons serves both.
"""

from __future__ import annotations

import math
from typing import TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

__all__ = [
    "Bools",
    "Floats",
    "Ints",
    "Numbers",
    "Picked",
    "Truth",
    "Value",
    "all_finite",
    "larger",
    "logit",
    "or_zero",
    "rounded",
    "sigmoid",
    "smaller",
    "whole",
]

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Picked: TypeAlias = npt.NDArray[np.intp]  # positions
Value: TypeAlias = float | npt.NDArray[np.floating]  # of one bet, or of n bets
Truth: TypeAlias = bool | Bools
Numbers = TypeVar("Numbers", float, Floats, Value)

_DIGITS = 6
_SCALE = 10.0**_DIGITS


def smaller(one: Numbers, other: Numbers | float) -> Numbers:
    """The smaller of each two; NaN stays."""
    if isinstance(one, float):
        return min(one, other)
    return cast("Numbers", np.minimum(one, other))


def larger(one: Numbers, other: Numbers | float) -> Numbers:
    """The larger of each two; NaN stays."""
    if isinstance(one, float):
        return max(one, other)
    return cast("Numbers", np.maximum(one, other))


def or_zero(value: Numbers) -> Numbers:
    """0 where the value is NaN."""
    if isinstance(value, float):
        return value if value == value else 0.0  # noqa: PLR0124 - NaN differs from itself
    return np.where(np.isnan(value), 0.0, value)


def all_finite(value: Value) -> bool:
    """Whether there is neither NaN nor infinity."""
    return math.isfinite(value) if isinstance(value, float) else bool(np.isfinite(value).all())


def rounded(*values: Value) -> list[Value]:
    """Each to six digits, and never to -0; all of one bet, or all of n bets."""
    if isinstance(values[0], float):
        return [round(cast("float", value) * _SCALE) / _SCALE for value in values]  # as NumPy rounds
    return [np.round(value, _DIGITS) + 0.0 for value in values]


def whole(value: Value) -> Value:
    """The value, which is a count, as an integer."""
    return int(value) if isinstance(value, float) else cast("Floats", value.astype(np.int64))


def sigmoid(log_odds: Floats) -> Floats:
    """Probability (fraction) from log-odds."""
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def logit(p: Floats) -> Floats:
    """Log-odds of a probability (fraction)."""
    return np.asarray(np.log(p) - np.log1p(-p))
