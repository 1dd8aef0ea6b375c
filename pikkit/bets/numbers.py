"""Arithmetic that is written once for a single number and for an array of them.

NumPy takes about a microsecond for every operation, however short the array; a lone bet needs some sixty of them, so
it stays in plain floats. Whatever is written with +, -, *, /, //, %, &, | and comparisons serves both; what has a name
of its own for each is in an `Arithmetic`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

__all__ = [
    "MANY",
    "SINGLE",
    "Arithmetic",
    "Bools",
    "Floats",
    "Ints",
    "Numbers",
    "Picked",
    "Truth",
    "Value",
    "log_losses",
    "logit",
    "rounded",
    "sigmoid",
]

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Picked: TypeAlias = npt.NDArray[np.intp]  # positions
Value: TypeAlias = float | npt.NDArray[np.floating]  # of one bet, or of n bets
Truth: TypeAlias = bool | Bools
Numbers = TypeVar("Numbers", float, Floats, Value)

_DIGITS = 6
_LEAST_CHANCE = 1e-9
_SCALE = 10.0**_DIGITS


class Arithmetic(NamedTuple):
    """Of one bet in plain numbers, or of n bets in arrays."""

    smaller: Callable[[Value, Value], Value]  # of each two; NaN that comes first stays
    larger: Callable[[Value, Value], Value]
    is_finite: Callable[[Value], bool]  # whether there is neither NaN nor infinity
    whole: Callable[[Value], Value]  # a count as an integer
    exp: Callable[[Value], Value]
    log: Callable[[Value], Value]
    sqrt: Callable[[Value], Value]
    largest: Callable[[Value], float]  # of all


def _all_finite(values: Value) -> bool:
    return bool(np.isfinite(values).all())


SINGLE = Arithmetic(*cast("Any", (min, max, math.isfinite, int, math.exp, math.log, math.sqrt, float)))
MANY = Arithmetic(
    *cast("Any", (np.minimum, np.maximum, _all_finite, np.int64, np.exp, np.log, np.sqrt, np.maximum.reduce))
)


def rounded(*values: Value) -> list[Value]:
    """Each to six digits, and never to -0; all of one bet, or all of n bets."""
    if isinstance(values[0], float):
        return [round(cast("float", value) * _SCALE) / _SCALE for value in values]  # as NumPy rounds
    return list(np.rint(np.array(values) * _SCALE) / _SCALE + 0.0)


def sigmoid(log_odds: Floats) -> Floats:
    """Probability (fraction) from log-odds."""
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def logit(p: Floats) -> Floats:
    """Log-odds of a probability (fraction)."""
    return np.asarray(np.log(p) - np.log1p(-p))


def log_losses(p: Floats, won: Bools) -> Floats:
    """Log loss (nats) of each prediction."""
    held = np.clip(p, _LEAST_CHANCE, 1 - _LEAST_CHANCE)
    return np.asarray(-np.where(won, np.log(held), np.log1p(-held)))
