"""From what is known of bets to the rows that the models read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pikkit.bets.bet import CATEGORICAL
from pikkit.bets.columns import BetColumns
from pikkit.bets.numbers import Bools, Floats, Truth, Value
from pikkit.features.facts import Facts
from pikkit.features.spec import FeatureSpec
from pikkit.features.table import Matrix, matrix_of
from pikkit.history.groups import HistoryColumns

__all__ = ["FeatureRows", "build_rows", "facts_of"]


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """`matrix`: (n, k). `unknown`: by CATEGORICAL, (n,). `sample_size`: (n,), bets of the sport and market."""

    matrix: Matrix
    unknown: Mapping[str, Bools]
    sample_size: Floats

    @classmethod
    def of(cls, facts: Facts, matrix: Matrix) -> FeatureRows:
        """The rows that were made of these facts, with what goes with them."""
        sample_size = np.asarray(facts.sample_size)
        none = np.zeros(sample_size.shape, dtype=np.bool_)
        flags = {name: np.asarray(facts.unknown.get(name, none)) for name in CATEGORICAL}
        return cls(matrix, flags, sample_size)

    @property
    def unknown_columns(self) -> Bools:
        """`unknown` side by side, shape (n, 5)."""
        return np.column_stack(list(self.unknown.values()))


def build_rows(bets: BetColumns, past: HistoryColumns, spec: FeatureSpec, *, neutral_count: int = 0) -> FeatureRows:
    """The feature rows of n bets; arguments as of `facts_of`."""
    facts = facts_of(bets, past, spec, neutral_count=neutral_count)
    return FeatureRows.of(facts, matrix_of(facts, spec.features, exact=spec.exact))


def facts_of(bets: BetColumns, past: HistoryColumns, spec: FeatureSpec, *, neutral_count: int = 0) -> Facts:
    """What is known of n bets.

    Args:
        bets: the bets.
        past: what is known of their past.
        spec: what the model set wants.
        neutral_count: sample size to assume where there is no history at all.
    """
    codes: dict[str, Value] = {}
    unknown: dict[str, Truth] = {}
    for column, values in bets.categorical():
        encoder = spec.encoders.get(column)
        found = [encoder.find(value) if encoder else (np.nan, True) for value in values]
        codes[column] = np.array([code for code, _ in found], dtype=np.float64)
        unknown[column] = np.array([not known for _, known in found], dtype=np.bool_)
    return Facts.of(bets.numbers, codes, unknown, past.past(), neutral_count=neutral_count)
