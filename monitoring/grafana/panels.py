"""The panels of the dashboard as data: rows of panels with their queries. `build.py` makes Grafana's JSON of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ROWS", "Panel", "Query"]

_PREDICTING = 'endpoint=~".*predict"'
_LATENCY = "pikkit_prediction_latency_seconds_bucket"
_PROBABILITY = "pikkit_win_probability"
_SLOT = 'deployment=~"$deployment"'


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and how its series are called."""

    expr: str
    legend: str = "{{deployment}}"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; `unit` is Grafana's name of it."""

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: Literal["timeseries", "stat", "stacked"] = "timeseries"
    description: str = ""
    width: int = 8


def _rate(metric: str, by: str, *matchers: str) -> str:
    return f"sum by ({by}) (rate({metric}{{{','.join((_SLOT, *matchers))}}}[$__rate_interval]))"


def _quantile(q: float) -> Query:
    buckets = _rate(_LATENCY, "le, deployment", _PREDICTING)
    return Query(f"histogram_quantile({q}, {buckets}) >= 0", f"p{q * 100:g} {{{{deployment}}}}")


ROWS: dict[str, tuple[Panel, ...]] = {
    "Service health": (
        Panel("Slots up", (Query(f'up{{job="pikkit",{_SLOT}}}'),), kind="stat", width=4),
        Panel(
            "Workers alive of expected",
            (
                Query(f"pikkit_workers_alive{{{_SLOT}}}", "{{deployment}} alive"),
                Query(f"pikkit_workers_expected{{{_SLOT}}}", "{{deployment}} expected"),
            ),
            kind="stat",
        ),
        Panel(
            "Uptime of the youngest worker",
            (Query(f"time() - pikkit_start_time_seconds{{{_SLOT}}}"),),
            "s",
            "stat",
            width=6,
        ),
        Panel(
            "Releases",
            (Query(f"pikkit_build_info{{{_SLOT}}}", "{{deployment}}: {{version}}"),),
            kind="stat",
            width=6,
        ),
        Panel(
            "Requests by endpoint",
            (Query(_rate("pikkit_requests_total", "endpoint") + " > 0", "{{endpoint}}"),),
            "reqps",
        ),
        Panel(
            "Requests by status",
            (Query(_rate("pikkit_requests_total", "status") + " > 0", "{{status}}"),),
            "reqps",
            "stacked",
        ),
        Panel("Requests in progress", (Query(f"pikkit_active_requests{{{_SLOT}}}"),)),
        Panel("Share of predictions that fail (5xx)", (Query(f"pikkit:errors:ratio5m{{{_SLOT}}}"),), "percentunit"),
        Panel(
            "Errors by code",
            (Query(_rate("pikkit_prediction_errors_total", "code"), "{{code}}"),),
            "reqps",
            description="Refused bets of a batch count too; what the caller got wrong is no fault of the service.",
        ),
        Panel(
            "Load balancer: canary's share",
            (
                Query("pikkit_lb_canary_weight_percent", "canary weight"),
                Query("100 * pikkit_lb_production", "production: {{slot}}"),
            ),
            "percent",
        ),
    ),
    "Predictions": (
        Panel("Bets graded", (Query(_rate("pikkit_grades_total", "deployment")),), "ops"),
        Panel("Grades", (Query(_rate("pikkit_grades_total", "grade"), "{{grade}}"),), "ops", "stacked"),
        Panel(
            "High grades in the last hour",
            (Query(f"sum by (grade) (increase(pikkit_high_grade_bets_total{{{_SLOT}}}[1h]))", "{{grade}}"),),
            kind="stat",
        ),
        Panel(
            "Sports",
            (Query("topk(8, " + _rate("pikkit_predictions_total", "sport") + ")", "{{sport}}"),),
            "ops",
            "stacked",
        ),
        Panel(
            "Markets",
            (Query("topk(8, " + _rate("pikkit_predictions_total", "market") + ")", "{{market}}"),),
            "ops",
            "stacked",
        ),
        Panel("Unknown categories", (Query(_rate("pikkit_unknown_categories_total", "column"), "{{column}}"),), "ops"),
        Panel(
            "Bets per call",
            (
                Query(
                    f"histogram_quantile(0.95, {_rate('pikkit_batch_size_bucket', 'le, deployment')}) >= 0",
                    "p95 {{deployment}}",
                ),
            ),
        ),
        Panel(
            "Mean win probability",
            (
                Query(
                    _rate(_PROBABILITY + "_sum", "deployment")
                    + f" / ({_rate(_PROBABILITY + '_count', 'deployment')} > 0)"
                ),
            ),
            "percentunit",
        ),
        Panel(
            "Predictions left out of the log",
            (Query(_rate("pikkit_prediction_log_dropped_total", "deployment")),),
            "ops",
        ),
    ),
    "Latency": (
        Panel("Latency of predictions", (_quantile(0.5), _quantile(0.95), _quantile(0.99)), "s", width=12),
        Panel(
            "p95 by endpoint",
            (
                Query(
                    f"histogram_quantile(0.95, {_rate(_LATENCY, 'le, endpoint')}) >= 0",
                    "{{endpoint}}",
                ),
            ),
            "s",
            width=12,
        ),
    ),
    "Deployments: canary against production": (
        Panel(
            "Errors",
            (
                Query('pikkit:errors:ratio5m{deployment="canary"}', "canary"),
                Query("pikkit:production:errors_ratio5m", "production"),
            ),
            "percentunit",
        ),
        Panel(
            "p95",
            (
                Query('pikkit:latency_seconds:p95_5m{deployment="canary"}', "canary"),
                Query("pikkit:production:latency_seconds:p95_5m", "production"),
            ),
            "s",
        ),
        Panel("Predictions", (Query("pikkit:requests:rate5m"),), "reqps"),
        Panel(
            "Share of grades, canary",
            (Query('pikkit:grades:share30m{deployment="canary"}', "{{grade}}"),),
            "percentunit",
            "stacked",
        ),
        Panel(
            "Share of grades, production",
            (Query("pikkit:production:grades_share30m", "{{grade}}"),),
            "percentunit",
            "stacked",
        ),
        Panel(
            "Distance of the grade mixes",
            (Query("pikkit:canary:grade_distance", "total variation"),),
            "percentunit",
        ),
    ),
    "Models and drift": (
        Panel(
            "Model sets in service",
            (Query(f"pikkit_model_info{{{_SLOT}}}", "{{deployment}}: {{model_version}}"),),
            kind="stat",
        ),
        Panel(
            "Age of the training",
            (Query(f"time() - (pikkit_model_trained_timestamp{{{_SLOT}}} != 0)"),),
            "s",
            "stat",
        ),
        Panel("Settled bets behind the history", (Query(f"pikkit_history_size{{{_SLOT}}}"),), kind="stat"),
        Panel(
            "Reloads",
            (
                Query(
                    f"sum by (deployment) (increase(pikkit_model_reloads_total{{{_SLOT}}}[1h]))",
                    "{{deployment}} loaded",
                ),
                Query(
                    f"sum by (deployment) (increase(pikkit_model_reload_failures_total{{{_SLOT}}}[1h]))",
                    "{{deployment}} failed",
                ),
                Query(f"pikkit_model_reload_error{{{_SLOT}}}", "{{deployment}} can't use MODEL_DIR now"),
            ),
        ),
        Panel(
            "Drift (PSI), the worst",
            (Query(f"topk(8, pikkit_drift_psi{{{_SLOT}}})", "{{deployment}} {{feature}}"),),
            description="Against the training data of the model set. 0.1 is noticeable, 0.25 a shift.",
        ),
        Panel(
            "Share of unknown values over a day",
            (Query(f"pikkit_drift_unknown_share{{{_SLOT}}}", "{{deployment}} {{column}}"),),
            "percentunit",
        ),
    ),
    "Alerts": (
        Panel(
            "What became of alerts",
            (
                Query(
                    f"sum by (channel, outcome) (increase(pikkit_alerts_total{{{_SLOT}}}[1h]))",
                    "{{channel}} {{outcome}}",
                ),
            ),
        ),
        Panel(
            "Outbox",
            (
                Query(f"pikkit_alert_outbox_depth{{{_SLOT}}}", "{{deployment}} waiting"),
                Query(f"pikkit_alert_outbox_parked{{{_SLOT}}}", "{{deployment}} parked"),
            ),
        ),
        Panel("Age of the oldest waiting alert", (Query(f"pikkit_alert_outbox_oldest_age_seconds{{{_SLOT}}}"),), "s"),
        Panel(
            "Prometheus alerts that fire",
            (
                Query('count by (alertname, deployment) (ALERTS{alertstate="firing"})', "{{alertname}} {{deployment}}"),
                Query('count(ALERTS{alertstate="firing"}) or vector(0)', "all"),
            ),
            width=24,
        ),
    ),
}
