"""What a slot did: what clients were answered (the proxy's log), and what it predicted (the slot's own /metrics)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

from deploy.canary.traffic import Served

__all__ = ["Sample"]


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
