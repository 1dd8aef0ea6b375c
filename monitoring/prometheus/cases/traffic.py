"""The load balancer's traffic, and the probe's."""

from __future__ import annotations

from monitoring.prometheus.cases.case import Case

__all__ = ["CASES"]

CASES: tuple[Case, ...] = (
    *(
        Case(
            "PikkitRequestRateHigh",
            {
                'pikkit:requests:rate5m{deployment="blue"}': f"{now}x1500",
                "pikkit:all:requests_rate5m": f"{before}x4 0.1x1500",  # a quarter of an hour ago is as far as it knows
            },
            firing,
            "22 predictions/s, more than 5 times the highest of the past day" if firing.get(20) else "",
        )
        for now, before, firing in (
            (22, 4, {19: 0, 20: 1}),
            (18, 3, {20: 0, 39: 0}),
            (22, 4.8, {20: 0, 39: 0, 900: 0, 1464: 0, 1465: 1}),
        )
    ),
    *(
        Case(
            "PikkitRequestRateLow",
            {
                'pikkit:requests:rate5m{deployment="blue"}': f"{now}x1500",
                "pikkit:all:requests_rate5m": f"{before}x20 _x1500",
            },
            firing,
            "90m predictions/s, less than a tenth of this time yesterday" if firing[1455] else "",
        )
        for now, before, firing in (
            (0.09, 1.1, {735: 0, 1454: 0, 1455: 1}),
            (0.12, 1.1, {1455: 0}),
            (0.01, 0.9, {1455: 0}),
        )
    ),
)
