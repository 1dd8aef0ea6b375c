"""The panels of the dashboard as data: rows of panels with their queries. `build.py` makes Grafana's JSON of it.

What a person on call asks, top to bottom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["PICTURE", "ROWS", "Panel", "Query"]

_LATENCY = "pikkit_prediction_latency_seconds_bucket"
_SLOT = 'deployment=~"$deployment"'


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and how its series are called."""

    expr: str
    legend: str = "{{deployment}}"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    `unit` is Grafana's name of it. `alarms`: from which value on it is yellow, and red. `low_is_bad`: up to which
    values instead. `most`: end of the axis, where there is a natural one. `runbook`: the alert whose section helps.
    """

    title: str
    description: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: Literal["timeseries", "stat", "stacked"] = "timeseries"
    width: int = 8
    alarms: tuple[float, float] | None = None
    low_is_bad: bool = False
    most: float | None = None
    runbook: str = ""


def _rate(metric: str, by: str, *matchers: str) -> str:
    return f"sum by ({by}) (rate({metric}{{{','.join((_SLOT, *matchers))}}}[$__rate_interval]))"


def _quantile(q: float, endpoints: str, legend: str) -> Query:
    buckets = _rate(_LATENCY, "le", f'endpoint=~"{endpoints}"')
    return Query(f"histogram_quantile({q}, {buckets}) >= 0", legend)


ROWS: dict[str, tuple[Panel, ...]] = {
    "Are clients well?": (
        Panel(
            "A bet through the balancer",
            "What the supervisor sends every 15 s: 1 when it was graded.",
            (Query("min(pikkit_probe_success)", "graded"),),
            kind="stat",
            width=4,
            alarms=(0.5, 0.99),
            low_is_bad=True,
            runbook="PikkitProbeFailing",
        ),
        Panel(
            "Alerts that fire",
            "Without the watchdog, which always does.",
            (
                Query(
                    'count(ALERTS{alertstate="firing",severity=~"critical|warning"}) or vector(0)',
                    "critical and warning",
                ),
            ),
            kind="stat",
            width=4,
            alarms=(1, 3),
        ),
        Panel(
            "Answers by status",
            "All requests to the balancer, its own answers included.",
            (Query("sum by (status) (rate(pikkit_lb_requests_total[$__rate_interval])) > 0", "{{status}}"),),
            "reqps",
            "stacked",
            runbook="PikkitClientErrors",
        ),
        Panel(
            "Predictions that fail",
            "Share of 5xx over the past five minutes and hour. The objective allows 0.5 % of a month.",
            (
                Query("pikkit:slo:errors_ratio5m", "{{kind}}, 5 min"),
                Query("pikkit:slo:errors_ratio1h", "{{kind}}, 1 h"),
            ),
            "percentunit",
            alarms=(0.005, 0.072),
            runbook="PikkitErrorBudgetFast",
        ),
        Panel(
            "Latency of single predictions",
            "Objective: 99 % within 0.1 s.",
            tuple(_quantile(q, "predict|ml-predict", f"p{100 * q:g}") for q in (0.5, 0.95, 0.99)),
            "s",
            alarms=(0.05, 0.1),
            runbook="PikkitLatencyP95High",
        ),
        Panel(
            "Latency of batches",
            "Objective: 99 % within 0.5 s.",
            tuple(_quantile(q, ".*batch-predict", f"p{100 * q:g}") for q in (0.5, 0.95, 0.99)),
            "s",
            alarms=(0.25, 0.5),
            runbook="PikkitLatencyP95High",
        ),
        Panel(
            "Errors by code",
            "What callers got wrong and what failed; refused bets of a batch count each.",
            (Query(_rate("pikkit_prediction_errors_total", "code") + " > 0", "{{code}}"),),
            "reqps",
            "stacked",
            runbook="PikkitErrorBudgetFast",
        ),
    ),
    "Since which release, on which slot?": (
        Panel(
            "Releases",
            "What runs where.",
            (Query(f"pikkit_build_info{{{_SLOT}}}", "{{deployment}}: {{version}}"),),
            kind="stat",
            width=6,
        ),
        Panel(
            "Share of the canary",
            "Percent of the traffic; the canary is judged every few seconds while it is above 0.",
            (Query("max(pikkit_lb_canary_weight_percent)", "canary"),),
            "percent",
            "stat",
            width=3,
            most=100,
        ),
        Panel(
            "Predictions by slot",
            "Requests that the slots answered.",
            (Query(f"pikkit:requests:rate5m{{{_SLOT}}}"),),
            "reqps",
            runbook="PikkitRequestRateLow",
        ),
        Panel(
            "Requests in progress",
            "Per slot, without probes. Beyond MAX_CONCURRENCY a worker answers 503.",
            (Query(f"pikkit_active_requests{{{_SLOT}}}"),),
            width=7,
            runbook="PikkitConcurrencyHigh",
        ),
        Panel(
            "Failing: canary and production",
            "Share of 5xx over five minutes.",
            (
                Query('pikkit:errors:ratio5m{deployment="canary"}', "canary"),
                Query("pikkit:production:errors_ratio5m", "production"),
            ),
            "percentunit",
            runbook="PikkitCanaryErrors",
        ),
        Panel(
            "p95: canary and production",
            "Over five minutes, all predictions.",
            (
                Query('pikkit:latency_seconds:p95_5m{deployment="canary"}', "canary"),
                Query("pikkit:production:latency_seconds:p95_5m", "production"),
            ),
            "s",
            runbook="PikkitCanarySlow",
        ),
        Panel(
            "Grades: canary against production",
            "Share of the canary's grades that would have to change to match production's.",
            (Query("pikkit:canary:grade_distance", "distance"),),
            "percentunit",
            alarms=(0.1, 0.2),
            most=1,
            runbook="PikkitCanaryGradeMix",
        ),
    ),
    "What do grades and evidence look like?": (
        Panel(
            "Grades",
            "Bets graded, by grade.",
            (Query(_rate("pikkit_grades_total", "grade"), "{{grade}}"),),
            "ops",
            "stacked",
            runbook="PikkitGradeASpike",
        ),
        Panel(
            "Model sets in service",
            "Whose opinion it is, and the settled bets behind it.",
            (
                Query(f"pikkit_model_info{{{_SLOT}}}", "{{deployment}}: {{model_version}}"),
                Query(f"pikkit_history_size{{{_SLOT}}}", "{{deployment}}: settled bets"),
            ),
            kind="stat",
            runbook="PikkitReloadFailing",
        ),
        Panel(
            "Drift from training",
            "Population stability index, the worst five: 0.1 is noticeable, 0.25 a shift. The page /drift shows them.",
            (Query(f"topk(5, pikkit_drift_psi{{{_SLOT}}})", "{{deployment}} {{feature}}"),),
            alarms=(0.1, 0.25),
            runbook="PikkitDrift",
        ),
        Panel(
            "Values that the models do not know",
            "Share of the bets of the past day.",
            (Query(f"pikkit_drift_unknown_share{{{_SLOT}}}", "{{deployment}} {{column}}"),),
            "percentunit",
            alarms=(0.1, 0.2),
            most=1,
            runbook="PikkitUnknownCategories",
        ),
        Panel(
            "Alerts about bets, an hour",
            "What became of them.",
            (
                Query(
                    f"sum by (channel, outcome) (increase(pikkit_alerts_total{{{_SLOT}}}[1h]))",
                    "{{channel}} {{outcome}}",
                ),
            ),
            runbook="PikkitAlertsParked",
        ),
        Panel(
            "The oldest alert that waits",
            "Alerts are delivered within seconds; receivers that fail are tried again.",
            (Query("max(pikkit_alert_outbox_oldest_age_seconds)", "oldest"),),
            "s",
            alarms=(60, 600),
            runbook="PikkitOutboxStuck",
        ),
    ),
    "What does it cost?": (
        Panel(
            "Workers missing",
            "Processes that should live and do not.",
            (Query(f"pikkit_workers_expected{{{_SLOT}}} - pikkit_workers_alive{{{_SLOT}}}"),),
            kind="stat",
            alarms=(1, 1),
            runbook="PikkitWorkerLost",
        ),
        Panel(
            "Memory of the biggest worker",
            "The gate of a release is 300 MiB.",
            (Query(f"max by (deployment) (pikkit_worker_resident_memory_bytes{{{_SLOT}}})"),),
            "bytes",
            alarms=(250 * 1024**2, 300 * 1024**2),
            runbook="PikkitMemoryHigh",
        ),
        Panel(
            "CPU",
            "Cores that all workers of a slot use together.",
            (Query(_rate("process_cpu_seconds_total", "deployment")),),
        ),
    ),
}

PICTURE = (
    "Answers by status",
    "Latency of single predictions",
    "Failing: canary and production",
    "Predictions by slot",
    "Grades",
    "Drift from training",
)
"""The panels of docs/dashboard.png, by title."""
