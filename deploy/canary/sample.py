"""What a slot did: what clients were answered (the proxy's own log), and what it predicted (its own /metrics).

A line of the log is one request: time (s since the epoch), slot that answered (`nginx` for an answer of its own),
endpoint (`other` where the service knows no such path), status, seconds in the slot, whether the client chose the slot
(1) or the split did (0), and the client's address; separated by tabs. It holds no key, no path and no query.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, Self

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["BOUNDS", "LOG", "OTHER", "Line", "Sample", "Served", "lines_of", "served"]

LOG = "traffic.log"
OTHER = "other"
BOUNDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, math.inf)
"""Upper bounds of the latency buckets, seconds."""
_FIELDS = 7
_REFUSED, _FAILED = 400, 500


class Line(NamedTuple):
    """One request."""

    at: float
    slot: str
    endpoint: str
    status: int
    seconds: float
    chosen: bool
    client: str


@dataclass(slots=True)
class Served:
    """Requests to one endpoint of a slot: all, those answered by 5xx and by 4xx, and how many took up to each bound."""

    requests: int = 0
    errors: int = 0
    refused: int = 0
    seconds: Counter[float] = field(default_factory=Counter)

    def add(self, line: Line) -> None:
        """Count one."""
        self.requests += 1
        self.errors += line.status >= _FAILED
        self.refused += _REFUSED <= line.status < _FAILED
        self.seconds[next(bound for bound in BOUNDS if line.seconds <= bound)] += 1

    def over(self, bound: float) -> int:
        """How many took longer."""
        return sum(count for upper, count in self.seconds.items() if upper > bound)

    def __add__(self, other: Served) -> Served:
        return Served(
            self.requests + other.requests,
            self.errors + other.errors,
            self.refused + other.refused,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """Counts. `served` is by endpoint, of the requests that count; the others are of all bets that were graded."""

    served: Mapping[str, Served] = field(default_factory=dict)
    unknown: float = 0
    grades: Mapping[str, float] = field(default_factory=dict)
    probability_sum: float = 0

    @property
    def total(self) -> Served:
        """All endpoints together."""
        return sum(self.served.values(), start=Served())

    @property
    def predictions(self) -> float:
        """Bets graded; a batch has many."""
        return sum(self.grades.values())

    @classmethod
    def from_metrics(cls, text: str) -> Self:
        """Read Prometheus text; a metric that is missing counts as 0."""
        grades: dict[str, float] = {}
        unknown = probability_sum = 0.0
        for family in text_string_to_metric_families(text):
            for name, labels, value, *_ in family.samples:
                if name == "pikkit_predictions_total":
                    grades[labels.get("grade", "?")] = grades.get(labels.get("grade", "?"), 0) + value
                elif name == "pikkit_unknown_categories_total":
                    unknown += value
                elif name == "pikkit_win_probability_sum":
                    probability_sum += value
        return cls(grades=grades, unknown=unknown, probability_sum=probability_sum)

    def since(self, earlier: Sample) -> Sample:
        """What happened after `earlier`. Counters that went back began anew at 0 (a restart)."""
        if self.predictions < earlier.predictions:
            return self
        return replace(
            self,
            unknown=max(0.0, self.unknown - earlier.unknown),
            grades={grade: n - earlier.grades.get(grade, 0) for grade, n in self.grades.items()},
            probability_sum=self.probability_sum - earlier.probability_sum,
        )


def lines_of(text: Iterable[str]) -> Iterator[Line]:
    """The lines that are whole."""
    for row in text:
        parts = row.rstrip("\n").split("\t")
        if len(parts) != _FIELDS:
            continue
        at, slot, endpoint, status, seconds, chosen, client = parts
        try:  # of several upstreams tried, the last one answered
            took = float(seconds.rpartition(", ")[2]) if seconds not in ("", "-") else 0.0
            yield Line(float(at), slot, endpoint, int(status), took, chosen == "1", client)
        except ValueError:
            continue


def served(folder: Path, since: float, until: float, most_a_client: int) -> dict[str, dict[str, Served]]:
    """By slot and endpoint, what the split sent in that time (seconds since the epoch).

    What a client chose itself counts for no side, nor what the service knows no path for; one client (address) counts
    at most `most_a_client` times a slot (0: without end), so that nobody decides alone.
    """
    found: dict[str, dict[str, Served]] = {}
    clients: Counter[tuple[str, str]] = Counter()
    for path in (*(folder / f"{LOG}.{number}" for number in (3, 2, 1)), folder / LOG):
        try:
            if path.stat().st_mtime < since:
                continue
            with path.open(encoding="utf-8", errors="replace") as text:
                for line in lines_of(text):
                    if not since <= line.at <= until or line.chosen or line.endpoint == OTHER:
                        continue
                    clients[line.slot, line.client] += 1
                    if most_a_client and clients[line.slot, line.client] > most_a_client:
                        continue
                    found.setdefault(line.slot, {}).setdefault(line.endpoint, Served()).add(line)
        except OSError:
            continue
    return found
