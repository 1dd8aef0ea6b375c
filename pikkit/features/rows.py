"""From what is known of bets to the rows that the models read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pikkit.bets.columns import BetColumns
from pikkit.bets.numbers import Bools, Floats, Value
from pikkit.features.facts import Facts
from pikkit.features.spec import FeatureSpec
from pikkit.history.groups import HistoryColumns

__all__ = ["FeatureRows", "Matrix", "build_rows", "matrix_of", "sample_size"]

Matrix: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """`matrix`: (n, k). `unknown`: by CATEGORICAL, (n,). `sample_size`: (n,), bets of the sport and market."""

    matrix: Matrix
    unknown: Mapping[str, Bools]
    sample_size: Floats

    @property
    def unknown_columns(self) -> Bools:
        """`unknown` side by side, shape (n, 5)."""
        return np.column_stack(list(self.unknown.values()))


def matrix_of(facts: Facts, spec: FeatureSpec) -> Matrix:
    """The features that the set wants, shape (n, k); of one bet, (1, k)."""
    values = np.array([feature.compute(facts) for feature in spec.features], dtype=np.float32)
    return np.ascontiguousarray(values.reshape(len(values), -1).T)


def sample_size(facts: Facts) -> Value:
    """Settled bets behind the features: those of the sport and market."""
    return facts.past.records["sport_market"].bets + facts.assumed_count


def build_rows(bets: BetColumns, past: HistoryColumns, spec: FeatureSpec, *, neutral_count: int = 0) -> FeatureRows:
    """The feature rows of n bets.

    Args:
        bets: the bets.
        past: what is known of their past.
        spec: what the model set wants.
        neutral_count: sample size to assume where there is no history at all.
    """
    codes: dict[str, Value] = {}
    unknown: dict[str, Bools] = {}
    for column, values in bets.categorical():
        encoder = spec.encoders.get(column)
        found = [encoder.find(value) if encoder else (np.nan, True) for value in values]
        codes[column] = np.array([code for code, _ in found], dtype=np.float64)
        unknown[column] = np.array([not known for _, known in found], dtype=np.bool_)
    facts = Facts.of(bets.numbers, codes, past.past(), neutral_count=neutral_count)
    return FeatureRows(matrix_of(facts, spec), unknown, np.asarray(sample_size(facts)))
