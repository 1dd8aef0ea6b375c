"""Counters of a slot at one moment, from its /metrics, and what happened between two moments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["Sample", "active_requests"]

# Faults of the service; what a client got wrong says nothing about a release.
_CLIENT_CODES = frozenset(
    {
        "invalid_bet",
        "invalid_request",
        "unauthorized",
        "forbidden",
        "not_found",
        "method_not_allowed",
        "body_too_large",
        "unsupported_media_type",
        "rate_limited",
    }
)
_PREDICTING = ("predict",)


@dataclass(frozen=True, slots=True)
class Sample:
    """Counts. `buckets` maps upper bounds in seconds to cumulative counts of predicting requests."""

    requests: float = 0
    errors: float = 0
    unknown: float = 0
    grades: Mapping[str, float] = field(default_factory=dict)
    buckets: Mapping[float, float] = field(default_factory=dict)
    probability_sum: float = 0
    probability_count: float = 0

    @property
    def predictions(self) -> float:
        """Bets graded; a batch has many."""
        return sum(self.grades.values())

    @classmethod
    def from_metrics(cls, text: str) -> Self:
        """Read Prometheus text; a metric that is missing counts as 0."""
        grades: dict[str, float] = {}
        buckets: dict[float, float] = {}
        sums = dict.fromkeys(("requests", "errors", "unknown", "probability_sum", "probability_count"), 0.0)
        seen_probability = False
        for family in text_string_to_metric_families(text):
            for name, labels, value, *_ in family.samples:
                predicts = any(part in labels.get("endpoint", "") for part in _PREDICTING)
                if name == "pikkit_predictions_total":
                    grades[labels.get("grade", "?")] = grades.get(labels.get("grade", "?"), 0) + value
                elif name == "pikkit_prediction_errors_total" and labels.get("code") not in _CLIENT_CODES:
                    sums["errors"] += value
                elif name == "pikkit_unknown_categories_total":
                    sums["unknown"] += value
                elif name == "pikkit_prediction_latency_seconds_bucket" and predicts:
                    bound = float(labels["le"])
                    buckets[bound] = buckets.get(bound, 0) + value
                elif name == "pikkit_prediction_latency_seconds_count" and predicts:
                    sums["requests"] += value
                elif name == "pikkit_win_probability_sum":
                    sums["probability_sum"] += value
                    seen_probability = True
        if seen_probability:
            sums["probability_count"] = sum(grades.values())
        return cls(grades=grades, buckets=buckets, **sums)

    def since(self, earlier: Sample) -> Sample:
        """What happened after `earlier`. Counters that went back began anew at 0 (a restart)."""
        if self.requests < earlier.requests:
            return self
        return Sample(
            requests=self.requests - earlier.requests,
            errors=max(0.0, self.errors - earlier.errors),
            unknown=max(0.0, self.unknown - earlier.unknown),
            grades={grade: n - earlier.grades.get(grade, 0) for grade, n in self.grades.items()},
            buckets={bound: n - earlier.buckets.get(bound, 0) for bound, n in self.buckets.items()},
            probability_sum=self.probability_sum - earlier.probability_sum,
            probability_count=self.probability_count - earlier.probability_count,
        )

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "requests": self.requests,
            "errors": self.errors,
            "unknown": self.unknown,
            "grades": dict(self.grades),
            "buckets": [[str(bound), n] for bound, n in self.buckets.items()],
            "probability_sum": self.probability_sum,
            "probability_count": self.probability_count,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The sample of `to_json`."""
        return cls(**{**data, "buckets": {float(bound): float(n) for bound, n in data["buckets"]}})


def active_requests(text: str) -> float | None:
    """Requests in progress over all workers; None when the gauge is missing."""
    values = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "pikkit_active_requests"
    ]
    return sum(values) if values else None
