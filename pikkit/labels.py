"""Label values for metrics: only what a model set knows, so that callers can't make series."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from typing import Protocol

from pikkit.bets import CATEGORICAL, Bet, Prediction

__all__ = ["Labels", "Vocabulary"]

_OTHER = "other"
_NONE = "none"  # the model set's own entry for "nothing given"; an empty label would mean no label
_MAX_SPELLINGS = 2000  # remembered per column; invented names must not fill the memory


class Vocabulary(Protocol):
    """What the metrics need of an encoder (`pikkit.categories.Encoder`)."""

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
    ) -> tuple[Tally[tuple[str, str, str]], Tally[str]]:
        """How many bets per (sport, market, grade), and how many unknown values per column."""
        series: Tally[tuple[str, str, str]] = Tally()
        unknown: Tally[str] = Tally()
        of = self.of
        for bet, prediction in zip(bets, predictions, strict=True):
            found = {
                "sport": of("sport", bet.sport),
                "market": of("market", bet.market),
                "league": of("league", bet.league),
                "institution_name": of("institution_name", bet.institution_name),
                "bet_type": of("bet_type", bet.bet_type),
            }
            series[found["sport"] or _OTHER, found["market"] or _OTHER, prediction["bet_grade"]] += 1
            if None in found.values():
                unknown.update(column for column, label in found.items() if label is None)
        return series, unknown
