"""What clients see: whether production answers, and its budgets of errors and of slow answers."""

from __future__ import annotations

from collections.abc import Mapping

from monitoring.prometheus.cases.case import BLUE, GREEN, IS_PROBE, NGINX, TRAFFIC, Case, level

__all__ = ["CASES"]


def _budget(alert: str, what: str, long: str, short: str, ratio: float, minutes: int, said: str) -> tuple[Case, ...]:
    """A burn rate: both windows over the ratio, and five requests at least."""

    def case(
        long_ratio: float, short_ratio: float, requests: float, firing: Mapping[int, int], summary: str = ""
    ) -> Case:
        return Case(
            alert,
            {
                f'pikkit:slo:{what}_ratio{long}{{kind="single"}}': f"{long_ratio}x60",
                f'pikkit:slo:{what}_ratio{short}{{kind="single"}}': f"{short_ratio}x60",
                f'pikkit:slo:requests_increase{short}{{kind="single"}}': f"{requests}x60",
            },
            firing,
            summary,
            {"kind": "single"} if summary else {},
        )

    over, under, never = ratio * 1.1, ratio * 0.9, {59: 0}
    return (
        case(over, over, 1000, {minutes - 1: 0, minutes: 1}),
        case(under, over, 1000, never),
        case(over, under, 1000, never),  # it is over: no alert for what was
        case(1, 1, 5.5, {minutes: 1}, said),  # five a minute at night, all bad
        case(1, 1, 4.5, never),
    )


def _failed(hours: str, days: str) -> str:
    return (
        f"100% of the single predictions of the past {hours} failed: at this rate the month's errors are used up in "
        f"{days}"
    )


def _slow(hours: str) -> str:
    return f"100% of the single predictions of the past {hours} were slower than their objective"


CASES: tuple[Case, ...] = (
    Case(
        "PikkitWatchdog",
        {f"up{{{NGINX}}}": "1x5"},
        {0: 1, 5: 1},
        "Prometheus and Alertmanager work: this alert always fires, and its silence is the alarm",
    ),
    Case(
        "PikkitProductionDown",
        {
            f'pikkit_lb_production{{slot="blue",{NGINX}}}': "1x20",
            f"up{{{BLUE}}}": "1x4 0x20",
            f"up{{{GREEN}}}": "1x20",
        },
        {4: 0, 5: 0, 6: 1, 15: 1},
        "blue, which the load balancer sends clients to, answers no scrape",
        {"slot": "blue", "deployment": "blue", "instance": "127.0.0.1:8009", "job": "pikkit-lb"},
    ),
    Case(  # it is told to be over once nothing of it is left to tell
        "PikkitProductionDown",
        {f'pikkit_lb_production{{slot="blue",{NGINX}}}': "1x30", f"up{{{BLUE}}}": "1x4 0x10 1x20"},
        {15: 1, 18: 1, 19: 0},
    ),
    Case(  # a slot that is no target at all any more
        "PikkitProductionDown",
        {f'pikkit_lb_production{{slot="blue",{NGINX}}}': "1x20", f"up{{{GREEN}}}": "1x20"},
        {0: 0, 1: 1, 15: 1},
    ),
    Case(  # one of two replicas is enough
        "PikkitProductionDown",
        {
            f'pikkit_lb_production{{slot="blue",{NGINX}}}': "1x20",
            f"up{{{BLUE}}}": "0x20",
            'up{deployment="blue",instance="127.0.0.1:8011",job="pikkit"}': "1x20",
        },
        {15: 0},
    ),
    Case(  # the idle slot is down, and another job's target of the same name is not asked
        "PikkitProductionDown",
        {
            f'pikkit_lb_production{{slot="blue",{NGINX}}}': "1x20",
            f"up{{{BLUE}}}": "1x20",
            f"up{{{GREEN}}}": "0x20",
        },
        {15: 0},
    ),
    Case(
        "PikkitProductionDown",
        {
            f'pikkit_lb_production{{slot="blue",{NGINX}}}': "0x20",
            'up{deployment="blue",instance="127.0.0.1:9999",job="node"}': "1x20",
        },
        {15: 0},
    ),
    *level(
        "PikkitProbeFailing",
        f"pikkit_probe_success{{{TRAFFIC}}}",
        0,
        1,
        1,
        summary="The bet that is sent through the load balancer every 15 s is not graded",
        labels=IS_PROBE,
    ),
    *level(
        "PikkitProbeSlow",
        f"pikkit_probe_duration_seconds{{{TRAFFIC}}}",
        1.1,
        0.9,
        5,
        summary="The bet that is sent through the load balancer takes 1.1s",
        labels=IS_PROBE,
    ),
    Case(
        "PikkitClientErrors",
        {
            "pikkit:clients:errors_ratio5m": "0.055x20",
            "pikkit:clients:errors_increase5m": "5.5x20",
            "pikkit:clients:errors_increase2m": "0.9x20",
        },
        {1: 0, 2: 1},
        "5.5% of all requests to the load balancer end with a 5xx",
    ),
    Case(
        "PikkitClientErrors",
        {
            "pikkit:clients:errors_ratio5m": "0.045x20",
            "pikkit:clients:errors_increase5m": "5000x20",
            "pikkit:clients:errors_increase2m": "2000x20",
        },
        {15: 0},
    ),
    Case(
        "PikkitClientErrors",
        {
            "pikkit:clients:errors_ratio5m": "1x20",
            "pikkit:clients:errors_increase5m": "4.5x20",
            "pikkit:clients:errors_increase2m": "4.5x20",
        },
        {15: 0},
    ),
    Case(  # it is over, though the five minutes are not
        "PikkitClientErrors",
        {
            "pikkit:clients:errors_ratio5m": "1x20",
            "pikkit:clients:errors_increase5m": "5000x20",
            "pikkit:clients:errors_increase2m": "0x20",
        },
        {15: 0},
    ),
    *_budget("PikkitErrorBudgetFast", "errors", "1h", "5m", 0.072, 1, _failed("hour", "two days")),
    *_budget("PikkitErrorBudgetSlow", "errors", "6h", "30m", 0.03, 15, _failed("six hours", "five days")),
    *_budget("PikkitLatencyBudgetFast", "slow", "1h", "5m", 0.144, 2, _slow("hour")),
    *_budget("PikkitLatencyBudgetSlow", "slow", "6h", "30m", 0.06, 15, _slow("six hours")),
    *(
        Case(
            "PikkitLatencyP95High",
            {
                f'pikkit:{kind}:latency_seconds_p95_5m{{deployment="blue"}}': f"{p95}x20",
                'pikkit:requests:rate5m{deployment="blue"}': f"{rate}x20",
            },
            {4: 0, 5: fires},
            f"p95 on blue is {said} (objective: 0.1 s for single predictions, 0.5 s for batches)" if said else "",
            {"deployment": "blue"} if said else {},
        )
        for kind, p95, rate, fires, said in (
            ("single", 0.11, 0.11, 1, "110ms"),
            ("single", 0.09, 0.11, 0, ""),
            ("single", 0.11, 0.09, 0, ""),
            ("batch", 0.55, 0.11, 1, "550ms"),
            ("batch", 0.45, 0.11, 0, ""),
        )
    ),
)
