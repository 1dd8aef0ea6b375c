"""The canary, and what it is compared by."""

from __future__ import annotations

from monitoring.prometheus.cases.case import Case

__all__ = ["CASES"]

CASES: tuple[Case, ...] = (
    *(
        Case(
            "PikkitCanaryErrors",
            {
                'pikkit:errors:ratio5m{deployment="canary"}': f"{canary}x20",
                'pikkit:errors:ratio5m{deployment="blue"}': "1x20",
                **({"pikkit:production:errors_ratio5m": f"{production}x20"} if production is not None else {}),
                'pikkit:requests:rate5m{deployment="canary"}': f"{rate}x20",
            },
            {0: 0, 1: fires},
            f"{said} of the canary's predictions fail, clearly more than production's" if said else "",
            {"deployment": "canary"} if said else {},
        )
        for canary, production, rate, fires, said in (
            (0.031, 0.01, 0.055, 1, "3.1%"),
            (0.029, 0.01, 0.055, 0, ""),
            (0.031, 0.01, 0.045, 0, ""),
            (0.022, None, 1, 1, "2.2%"),  # at 100 % production has no traffic
            (0.018, None, 1, 0, ""),
            (0.5, 0.5, 1, 0, ""),  # both fail alike
        )
    ),
    *(
        Case(
            "PikkitCanarySlow",
            {
                'pikkit:latency_seconds:p95_5m{deployment="canary"}': f"{canary}x20",
                'pikkit:latency_seconds:p95_5m{deployment="blue"}': "9x20",
                **({"pikkit:production:latency_seconds:p95_5m": f"{production}x20"} if production else {}),
                'pikkit:requests:rate5m{deployment="canary"}': f"{rate}x20",
            },
            {4: 0, 5: fires},
            f"The canary's p95 is {said}, more than 1.5 times production's" if said else "",
            {"deployment": "canary"} if said else {},
        )
        for canary, production, rate, fires, said in (
            (0.16, 0.1, 0.055, 1, "160ms"),
            (0.14, 0.1, 0.055, 0, ""),
            (0.16, 0.1, 0.045, 0, ""),
            (0.055, 0.01, 1, 1, "55ms"),
            (0.045, 0.01, 1, 0, ""),
            (0.11, None, 1, 1, "110ms"),
            (0.09, None, 1, 0, ""),
        )
    ),
    *(
        Case(
            "PikkitCanaryGradeMix",
            {
                "pikkit:canary:grade_distance": f"{distance}x20",
                'pikkit:predictions:increase30m{deployment="canary"}': f"{bets}x20",
                'pikkit:predictions:increase30m{deployment="blue"}': "9999x20",
            },
            {4: 0, 5: fires},
            "22% of the canary's grades would have to change to match production's" if fires else "",
        )
        for distance, bets, fires in ((0.22, 220, 1), (0.18, 220, 0), (0.22, 180, 0))
    ),
)
