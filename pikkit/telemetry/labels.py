"""Label values for metrics: only what a model set knows, so that callers can't make series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from pikkit.bets.bet import CATEGORICAL, Bet, names_of
from pikkit.bets.prediction import Prediction

__all__ = ["Labels", "Vocabulary"]

_OTHER = "other"
_NONE = "none"  # the model set's own entry for "nothing given"; an empty label would mean no label
_MAX_SPELLINGS = 2000  # remembered per column; invented names must not fill the memory


class Vocabulary(Protocol):
    """What the metrics need of an encoder (`pikkit.bets.names.Encoder`)."""

    def knows(self, value: str) -> bool:
        """Whether the model set has a code for it."""
        ...

    def canonical(self, value: str) -> str:
        """The model set's own spelling of a known value."""
        ...


class Labels:
    """Label values of one model set: its own spelling of what it knows, None for what it does not know."""

    def __init__(self, encoders: Mapping[str, Vocabulary]) -> None:
        self._encoders = encoders
        self._known: dict[str, dict[str, str | None]] = {column: {} for column in CATEGORICAL}
        self._found: dict[tuple[str, ...], tuple[str, str, tuple[str, ...]]] = {}

    def of(self, column: str, value: str) -> str | None:
        """The label of one value of a column."""
        seen = self._known[column]
        if value in seen:
            return seen[value]
        encoder = self._encoders.get(column)
        label = (encoder.canonical(value) or _NONE) if encoder is not None and encoder.knows(value) else None
        if len(seen) >= _MAX_SPELLINGS:
            seen.clear()
        seen[value] = label
        return label

    def count(
        self, bets: Sequence[Bet], predictions: Sequence[Prediction]
    ) -> tuple[dict[tuple[str, str, str], int], dict[str, int]]:
        """How many bets per (sport, market, grade), and how many unknown values per column."""
        series: dict[tuple[str, str, str], int] = {}
        unknown: dict[str, int] = {}
        letters = [prediction["bet_grade"] for prediction in predictions]
        for (values, letter), count in Counter(zip(map(names_of, map(vars, bets)), letters, strict=True)).items():
            sport, market, columns = self._found.get(values) or self._find(values)
            series[sport, market, letter] = series.get((sport, market, letter), 0) + count
            for column in columns:
                unknown[column] = unknown.get(column, 0) + count
        return series, unknown

    def _find(self, values: tuple[str, ...]) -> tuple[str, str, tuple[str, ...]]:
        """Labels of sport and market, and the columns that the model set does not know; `values` by CATEGORICAL."""
        labels = dict(zip(CATEGORICAL, map(self.of, CATEGORICAL, values), strict=True))
        found = (
            labels["sport"] or _OTHER,
            labels["market"] or _OTHER,
            tuple(column for column, label in labels.items() if label is None),
        )
        if len(self._found) >= _MAX_SPELLINGS:
            self._found.clear()
        self._found[values] = found
        return found
