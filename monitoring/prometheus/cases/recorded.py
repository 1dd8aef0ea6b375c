"""What is recorded of what slots and load balancer tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitoring.prometheus.cases.case import BLUE, CANARY, GREEN, TRAFFIC

__all__ = ["RECORDED", "Recorded"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Raw series, and what is recorded of them: by name and minute the values by their labels.

    Every series goes up to a minute and stands still from then on; a window is looked at when it has less than half of
    the standstill in it. So another window has another value.
    """

    series: Mapping[str, str]
    values: Mapping[tuple[str, int], Mapping[str, float]]


_BUCKET = "pikkit_prediction_latency_seconds_bucket"
_COUNT = "pikkit_prediction_latency_seconds_count"
_END = 400  # minutes
_WINDOWS = {"5m": _END + 2, "30m": _END + 12, "1h": _END + 24, "6h": _END + 144}
_SINGLE, _BATCH = 'kind="single"', 'kind="batch"'
_AT_BLUE, _AT_CANARY = 'deployment="blue"', 'deployment="canary"'


def _ramp(slope: float, end: int = _END) -> str:  # a slope that is exact in binary: else its end is less than its sum
    return f"0+{slope}x{end} {slope * end}x200"


def _latency(slot: str, endpoint: str, fast: float, medium: float, every: float) -> dict[str, str]:
    """Requests a minute up to 0.1 s, up to 0.5 s and in all."""
    labels = f'{slot},endpoint="{endpoint}"'
    return {
        f'{_BUCKET}{{{labels},le="0.1"}}': _ramp(fast),
        f'{_BUCKET}{{{labels},le="0.5"}}': _ramp(medium),
        f'{_BUCKET}{{{labels},le="+Inf"}}': _ramp(every),
        f"{_COUNT}{{{labels}}}": _ramp(every),
    }


def _slowed(slot: str, endpoint: str, a_minute: float) -> dict[str, str]:
    """Requests that took up to 0.1 s until the end, and up to 0.5 s after it."""
    name, total = f'{_BUCKET}{{{slot},endpoint="{endpoint}"', f"0+{a_minute}x{_END + 20}"
    return {f'{name},le="0.1"}}': _ramp(a_minute), f'{name},le="0.5"}}': total, f'{name},le="+Inf"}}': total}


RECORDED: tuple[Recorded, ...] = (
    Recorded(
        {
            f'pikkit_requests_total{{{slot},endpoint="{endpoint}",status="{status}"}}': _ramp(slope)
            for slot, endpoint, status, slope in (
                (BLUE, "predict", 200, 30),
                (BLUE, "predict", 400, 3),
                (BLUE, "predict", 500, 1),
                (BLUE, "ml-predict", 200, 6),
                (BLUE, "batch-predict", 200, 10),
                (BLUE, "legacy-batch-predict", 200, 2),
                (BLUE, "legacy-batch-predict", 503, 2),
                (BLUE, "health", 500, 600),
                (CANARY, "predict", 200, 10),
                (CANARY, "predict", 504, 2),
            )
        },
        {
            ("pikkit:requests:rate5m", _END + 2): {_AT_BLUE: 0.54, _AT_CANARY: 0.12},
            ("pikkit:errors:rate5m", _END + 2): {_AT_BLUE: 0.03, _AT_CANARY: 0.02},
            ("pikkit:errors:ratio5m", _END + 2): {_AT_BLUE: 3 / 54, _AT_CANARY: 2 / 12},
            ("pikkit:errors:ratio5m", _END + 20): {},
            ("pikkit:production:errors_ratio5m", _END + 2): {"": 3 / 54},
            ("pikkit:production:errors_ratio5m", _END + 20): {},
            ("pikkit:all:requests_rate5m", _END + 2): {"": 0.66},
            **{
                (f"pikkit:slo:errors_ratio{window}", at): {_SINGLE: 3 / 52, _BATCH: 2 / 14}
                for window, at in _WINDOWS.items()
            },
            ("pikkit:slo:errors_ratio5m", _END + 20): {},
            ("pikkit:slo:requests_increase5m", _END + 2): {_SINGLE: 156, _BATCH: 42},
            ("pikkit:slo:requests_increase30m", _END + 12): {_SINGLE: 936, _BATCH: 252},
        },
    ),
    Recorded(
        _latency(BLUE, "predict", 36, 39, 40)
        | _latency(BLUE, "ml-predict", 10, 10, 10)
        | _latency(CANARY, "predict", 6, 12, 12)
        | _latency(BLUE, "batch-predict", 6, 9, 12)
        | _latency(BLUE, "health", 0, 0, 900),
        {
            **{
                (f"pikkit:slo:slow_ratio{window}", at): {_SINGLE: 10 / 62, _BATCH: 0.25}
                for window, at in _WINDOWS.items()
            },
            ("pikkit:slo:slow_ratio5m", _END + 20): {},
        },
    ),
    Recorded(
        _slowed(BLUE, "predict", 10)
        | _slowed(CANARY, "ml-predict", 10)
        | _slowed(BLUE, "batch-predict", 5)
        | {f'{_BUCKET}{{{BLUE},endpoint="health",le="+Inf"}}': "0+99x450"},
        {
            ("pikkit:latency_seconds:p50_5m", _END + 2): {_AT_BLUE: 0.1 * 25 / 30, _AT_CANARY: 0.1 * 25 / 30},
            ("pikkit:latency_seconds:p95_5m", _END + 2): {_AT_BLUE: 0.45, _AT_CANARY: 0.45},
            ("pikkit:latency_seconds:p99_5m", _END + 2): {_AT_BLUE: 0.49, _AT_CANARY: 0.49},
            ("pikkit:single:latency_seconds_p95_5m", _END + 2): {_AT_BLUE: 0.45, _AT_CANARY: 0.45},
            ("pikkit:batch:latency_seconds_p95_5m", _END + 2): {_AT_BLUE: 0.45},
            ("pikkit:production:latency_seconds:p95_5m", _END + 2): {"": 0.45},
        },
    ),
    Recorded(
        {
            f'pikkit_grades_total{{{BLUE},grade="A"}}': _ramp(1.25, 40),
            f'pikkit_grades_total{{{BLUE},grade="F"}}': _ramp(11.25, 40),
            f'pikkit_grades_total{{{CANARY},grade="A"}}': "0+5x1600",
            f'pikkit_grades_total{{{CANARY},grade="F"}}': "0+5x1600",
        },
        {
            ("pikkit:predictions:rate5m", 42): {_AT_BLUE: 0.125, _AT_CANARY: 10 / 60},
            ("pikkit:predictions:increase30m", 52): {_AT_BLUE: 225, _AT_CANARY: 300},
            ("pikkit:grades:increase30m", 52): {
                f'{_AT_BLUE},grade="A"': 22.5,
                f'{_AT_BLUE},grade="F"': 202.5,
                f'{_AT_CANARY},grade="A"': 150,
                f'{_AT_CANARY},grade="F"': 150,
            },
            ("pikkit:grades:share30m", 52): {
                f'{_AT_BLUE},grade="A"': 0.1,
                f'{_AT_BLUE},grade="F"': 0.9,
                f'{_AT_CANARY},grade="A"': 0.5,
                f'{_AT_CANARY},grade="F"': 0.5,
            },
            ("pikkit:grades:share30m", 100): {f'{_AT_CANARY},grade="A"': 0.5, f'{_AT_CANARY},grade="F"': 0.5},
            ("pikkit:production:predictions_increase30m", 52): {"": 225},
            ("pikkit:production:grades_share30m", 52): {'grade="A"': 0.1, 'grade="F"': 0.9},
            ("pikkit:production:grades_share30m", 55): {},  # 187.5 bets are too few
            ("pikkit:canary:grade_distance", 52): {"": 0.4},
            ("pikkit:canary:grade_distance", 900): {"": 0.4},  # production without traffic since the morning
            ("pikkit:canary:grade_distance", 1560): {},
        },
    ),
    Recorded(
        {f'pikkit_grades_total{{{GREEN},grade="A"}}': _ramp(1 / 64, 40)},
        {("pikkit:grades:share30m", 52): {'deployment="green",grade="A"': 1}},  # the first bet of a slot
    ),
    Recorded(
        {
            f'pikkit_unknown_categories_total{{{BLUE},column="league"}}': _ramp(0.5, 100),
            f'pikkit_grades_total{{{BLUE},grade="F"}}': _ramp(3, 100),
        },
        {
            ("pikkit:unknown_categories:share1h", 124): {'deployment="blue",column="league"': 18 / 108},
            ("pikkit:unknown_categories:share1h", 130): {},  # 90 bets are too few
        },
    ),
    Recorded(
        {
            f'pikkit_lb_requests_total{{deployment="{slot}",status="{status}",{TRAFFIC}}}': _ramp(slope, 40)
            for slot, status, slope in (
                ("blue", "2xx", 80),
                ("blue", "4xx", 10),
                ("blue", "5xx", 2),
                ("nginx", "5xx", 3),
            )
        },
        {
            ("pikkit:clients:errors_ratio5m", 42): {"": 5 / 95},
            ("pikkit:clients:errors_ratio5m", 60): {},
            ("pikkit:clients:errors_increase5m", 42): {"": 15},
            ("pikkit:clients:errors_increase2m", 39): {"": 10},
            ("pikkit:clients:errors_increase2m", 60): {"": 0},
        },
    ),
)
