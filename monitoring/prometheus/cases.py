"""What each rule makes of which series: the table that the tests run and that the mutants are tried on.

Alerts are given the series that they read, recorded ones included; what the recording rules make of what slots and
load balancer tell is in `RECORDED`. Values are in promtool's notation, one a minute: `0+6x20` is 0, 6, 12 … 120.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["ALERTS", "RECORDED", "Case", "Recorded"]


@dataclass(frozen=True, slots=True)
class Case:
    """Series, and how many alerts of the rule fire when (minutes). `labels` and `summary`: what the first one says."""

    alert: str
    series: Mapping[str, str]
    firing: Mapping[int, int]
    summary: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recorded:
    """Raw series, and what is recorded of them: by name and minute the values by their labels.

    Every series goes up to a minute and stands still from then on; a window is looked at when it has less than half of
    the standstill in it. So another window has another value.
    """

    series: Mapping[str, str]
    values: Mapping[tuple[str, int], Mapping[str, float]]


BLUE = 'deployment="blue",instance="127.0.0.1:8001",job="pikkit"'
GREEN = 'deployment="green",instance="127.0.0.1:8002",job="pikkit"'
CANARY = 'deployment="canary",instance="127.0.0.1:8003",job="pikkit"'
NGINX = 'instance="127.0.0.1:8009",job="pikkit-lb"'
TRAFFIC = 'instance="127.0.0.1:8009",job="pikkit-traffic"'
IS_BLUE = {"deployment": "blue", "instance": "127.0.0.1:8001", "job": "pikkit"}
IS_PROBE = {"instance": "127.0.0.1:8009", "job": "pikkit-traffic"}


def _level(alert: str, metric: str, over: float, under: float, minutes: int, **said: object) -> tuple[Case, Case]:
    """An alert on a gauge: it fires once the value has been over the threshold for so many minutes, not under it."""
    fires, silent = f"{over}x{minutes + 2}", f"{under}x{2 * minutes + 2}"
    firing = {max(minutes - 1, 0): 0, minutes: 1} if minutes else {0: 1}
    labels = said.get("labels")
    return (
        Case(alert, {metric: fires}, firing, str(said.get("summary", "")), labels if isinstance(labels, dict) else {}),
        Case(alert, {metric: silent}, {2 * minutes + 1: 0}),
    )


def _event(alert: str, metric: str, minutes: int, window: int, **said: object) -> tuple[Case, Case]:
    """An alert on a counter: one event, told for the window, after so many minutes."""
    first = 5 + minutes
    firing = {first - 1: 0, first: 1, 5 + window - 1: 1, 5 + window + 1: 0}
    labels = said.get("labels")
    return (
        Case(
            alert,
            {metric: f"0x4 1x{window + 20}"},
            firing,
            str(said.get("summary", "")),
            labels if isinstance(labels, dict) else {},
        ),
        Case(alert, {metric: "7x60"}, {30: 0}),
    )


def _budget(alert: str, what: str, long: str, short: str, ratio: float, minutes: int, said: str) -> tuple[Case, ...]:
    """A burn rate: both windows over the ratio, and five requests at least."""

    def case(long_ratio: float, short_ratio: float, requests: float, firing: Mapping[int, int], **more: str) -> Case:
        return Case(
            alert,
            {
                f'pikkit:slo:{what}_ratio{long}{{kind="single"}}': f"{long_ratio}x60",
                f'pikkit:slo:{what}_ratio{short}{{kind="single"}}': f"{short_ratio}x60",
                f'pikkit:slo:requests_increase{short}{{kind="single"}}': f"{requests}x60",
            },
            firing,
            labels={"kind": "single"} if more else {},
            **more,
        )

    over, under, never = ratio * 1.1, ratio * 0.9, {59: 0}
    return (
        case(over, over, 1000, {minutes - 1: 0, minutes: 1}),
        case(under, over, 1000, never),
        case(over, under, 1000, never),  # it is over: no alert for what was
        case(1, 1, 5.5, {minutes: 1}, summary=said),  # five a minute at night, all bad
        case(1, 1, 4.5, never),
    )


def _failed(hours: str, days: str) -> str:
    return (
        f"100% of the single predictions of the past {hours} failed: at this rate the month's errors are used up in "
        f"{days}"
    )


def _slow(hours: str) -> str:
    return f"100% of the single predictions of the past {hours} were slower than their objective"


ALERTS: tuple[Case, ...] = (
    Case(
        "PikkitWatchdog",
        {f"up{{{NGINX}}}": "1x5"},
        {0: 1, 5: 1},
        "Prometheus and Alertmanager work: this alert always fires, and its silence is the alarm",
    ),
    # What clients see
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
    *_level(
        "PikkitProbeFailing",
        f"pikkit_probe_success{{{TRAFFIC}}}",
        0,
        1,
        1,
        summary="The bet that is sent through the load balancer every 15 s is not graded",
        labels=IS_PROBE,
    ),
    *_level(
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
    # Slots
    Case(
        "PikkitDown",
        {f"up{{{BLUE}}}": "1x1 0x10", f"up{{{NGINX}}}": "0x10"},
        {2: 0, 3: 1},
        "blue at 127.0.0.1:8001 should run, but can't be scraped",
        IS_BLUE,
    ),
    Case("PikkitDown", {f"up{{{BLUE}}}": "1x2 _x10 stale", f"up{{{GREEN}}}": "1x20"}, {8: 0}),  # stopped on purpose
    Case("PikkitDown", {f"up{{{BLUE}}}": "1 1 0 1x10"}, {2: 0, 3: 0}),
    Case(
        "PikkitSlotHung",
        {f'pikkit_slot_answers{{deployment="blue",{TRAFFIC}}}': "1 1 0x10"},
        {1: 0, 2: 0, 3: 1},
        "blue runs, but answers nobody",
        {"deployment": "blue", **IS_PROBE},
    ),
    Case("PikkitSlotHung", {f'pikkit_slot_answers{{deployment="blue",{TRAFFIC}}}': "1x20"}, {15: 0}),
    Case(
        "PikkitAbsent",
        {f"up{{{NGINX}}}": "1x20"},
        {4: 0, 5: 1},
        "No slot should run: Prometheus has no target",
        {"job": "pikkit"},
    ),
    Case("PikkitAbsent", {f"up{{{BLUE}}}": "0x20"}, {15: 0}),
    Case(
        "PikkitLoadBalancerDown",
        {f"up{{{NGINX}}}": "1 0x10", f"up{{{BLUE}}}": "0x10"},
        {1: 0, 2: 1},
        "Nginx at 127.0.0.1:8009 does not answer on its status port",
        {"instance": "127.0.0.1:8009", "job": "pikkit-lb"},
    ),
    Case("PikkitLoadBalancerDown", {f"up{{{NGINX}}}": "1x20"}, {15: 0}),
    Case(  # the last bet was sent in minute 20
        "PikkitSupervisorSilent",
        {f"up{{{NGINX}}}": "1x60", f"pikkit_probe_duration_seconds{{{TRAFFIC}}}": "0.01+0.001x20 0.03x60"},
        {20: 0, 34: 0, 35: 0, 36: 1},
        "Nobody watches the slots: the supervisor has sent no bet for ten minutes",
        {"instance": "127.0.0.1:8009", "job": "pikkit-lb"},
    ),
    Case(
        "PikkitSupervisorSilent",
        {f"up{{{NGINX}}}": "1x60", f"pikkit_probe_duration_seconds{{{TRAFFIC}}}": "0.01+0.001x60"},
        {59: 0},
    ),
    Case("PikkitSupervisorSilent", {f"up{{{NGINX}}}": "0x60", f"up{{{TRAFFIC}}}": "1x60"}, {59: 0}),
    Case(
        "PikkitWorkerLost",
        {f"pikkit_workers_alive{{{BLUE}}}": "1x20", f"pikkit_workers_expected{{{BLUE}}}": "2x20"},
        {1: 0, 2: 1},
        "Only 1 workers of blue live",
        IS_BLUE,
    ),
    *(
        Case(
            "PikkitWorkerLost",
            {f"pikkit_workers_alive{{{BLUE}}}": f"{alive}x20", f"pikkit_workers_expected{{{BLUE}}}": "2x20"},
            {15: 0},
        )
        for alive in (2, 3)
    ),
    *_event(
        "PikkitWorkerHung",
        f"pikkit_workers_ended_total{{{BLUE}}}",
        0,
        15,
        summary="A worker of blue answered no more and was replaced",
        labels=IS_BLUE,
    ),
    *_level(
        "PikkitMemoryHigh",
        f'pikkit_worker_resident_memory_bytes{{worker="2",{BLUE}}}',
        346030080,
        283115520,
        15,
        summary="Worker 2 of blue uses 330MiB of memory",
        labels={"worker": "2", **IS_BLUE},
    ),
    *_level(
        "PikkitStartSlow",
        f"pikkit_worker_start_seconds{{{BLUE}}}",
        16.5,
        13.5,
        1,
        summary="A worker of blue took 16.5s until it served",
        labels=IS_BLUE,
    ),
    *(
        Case(
            "PikkitConcurrencyHigh",
            {f"pikkit_active_requests{{{BLUE}}}": f"{active}x20", f"pikkit_workers_alive{{{BLUE}}}": f"{alive}x20"},
            {1: 0, 2: fires},
            "141 requests in progress per worker on blue (503 beyond MAX_CONCURRENCY)" if fires else "",
            IS_BLUE if fires else {},
        )
        for active, alive, fires in ((282, 2, 1), (230, 2, 0), (141, 1, 1), (282, 0, 0))
    ),
    *_level(
        "PikkitScrapeIncomplete",
        f'pikkit_scrape_errors{{source="1.worker",{BLUE}}}',
        1,
        0,
        5,
        summary="The metrics of blue are without what 1.worker counted",
        labels={"source": "1.worker", **IS_BLUE},
    ),
    # Models
    *(
        Case(
            "PikkitModelsNotLoaded",
            {f"pikkit_models_loaded{{{BLUE}}}": f"{loaded}x20", f"pikkit_workers_alive{{{BLUE}}}": f"{alive}x20"},
            {1: 0, 2: fires},
            f"Only {loaded} workers of blue have models" if fires else "",
            IS_BLUE if fires else {},
        )
        for loaded, alive, fires in ((1, 2, 1), (2, 2, 0), (0, 0, 1), (3, 2, 0))
    ),
    *(
        Case(  # trained before 1970, in a test that begins at its first second
            "PikkitModelsStale",
            {
                f"pikkit_model_trained_timestamp_seconds{{{BLUE}}}": f"{-86400 * days}x140",
                f'pikkit_model_info{{starter="{starter}",{BLUE}}}': "1x140",
            },
            {59: 0, 60: fires},
            f"The models on blue were trained {days:.0f} days ago" if fires else "",
            IS_BLUE if fires else {},
        )
        for days, starter, fires in ((33, "false", 1), (27, "false", 0), (33, "true", 0))
    ),
    *(
        Case(
            "PikkitReloadFailing",
            {
                f"pikkit_model_reload_error{{{BLUE}}}": f"{error}x30",
                f"pikkit_models_loaded{{{BLUE}}}": f"{loaded}x30",
            },
            {9: 0, 10: fires},
            "blue can't use the files in MODEL_DIR, and serves the old set" if fires else "",
            IS_BLUE if fires else {},
        )
        for error, loaded, fires in ((1, 1, 1), (1, 0, 0), (0, 1, 0))
    ),
    *(
        Case(
            "PikkitNoHistory",
            {f"pikkit_history_size{{{BLUE}}}": f"{size}x30", f"pikkit_models_loaded{{{BLUE}}}": f"{loaded}x30"},
            {14: 0, 15: fires},
            "blue has 0 settled bets of history: no bet can be an A or B" if fires else "",
            IS_BLUE if fires else {},
        )
        for size, loaded, fires in ((0, 1, 1), (0, 0, 0), (1, 1, 0))
    ),
    *_level(
        "PikkitDrift",
        f'pikkit_drift_psi{{feature="is_live",{BLUE}}}',
        0.27,
        0.23,
        30,
        summary="is_live on blue has drifted from training: PSI 0.27",
        labels={"feature": "is_live", **IS_BLUE},
    ),
    *(
        Case(
            "PikkitUnknownCategories",
            {
                'pikkit:unknown_categories:share1h{column="league",deployment="blue"}': f"{share}x40",
                f"up{{{BLUE}}}": f"{up}x40",
                f"up{{{NGINX}}}": "1x40",
            },
            {14: 0, 15: fires},
            "22% of the bets on blue have a league that the models do not know" if fires else "",
            {"column": "league", "deployment": "blue"} if fires else {},
        )
        for share, up, fires in ((0.22, 1, 1), (0.18, 1, 0), (0.22, 0, 0))
    ),
    *(
        Case(  # high grades in the first two hours, none after; bets all the time
            "PikkitNoHighGradeBets",
            {
                f'pikkit_high_grade_bets_total{{grade="A",{BLUE}}}': f"0+{high}x120 {120 * high}+{late}x1900",
                f'pikkit_grades_total{{grade="F",{BLUE}}}': f"0+{bets}x2000",
            },
            firing,
            "0 A or B bets in 6 hours, of more than 2,000; the day before had some" if said else "",
        )
        for high, late, bets, firing, said in (
            (11 / 256, 0, 5.75, {470: 0, 509: 0, 510: 1, 1100: 1, 1930: 0}, True),
            (11 / 256, 0, 5.5, {510: 0, 800: 0}, False),
            (9 / 256, 0, 5.75, {510: 0, 800: 0}, False),
            (11 / 256, 1 / 64, 5.75, {510: 0, 800: 0}, False),
        )
    ),
    *(
        Case(
            "PikkitGradeASpike",
            {
                f'pikkit:grades:share30m{{deployment="blue",grade="{grade}"}}': f"{share}x30",
                'pikkit:predictions:increase30m{deployment="blue"}': f"{bets}x30",
            },
            {9: 0, 10: fires},
            "33% of the bets on blue are an A" if fires else "",
            {"deployment": "blue", "grade": "A"} if fires else {},
        )
        for grade, share, bets, fires in (
            ("A", 0.33, 440, 1),
            ("A", 0.27, 440, 0),
            ("A", 0.33, 360, 0),
            ("F", 1, 440, 0),
        )
    ),
    # Canary
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
    # Traffic
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
    # Alerts about bets
    *_level(
        "PikkitOutboxStuck",
        f"pikkit_alert_outbox_oldest_age_seconds{{{BLUE}}}",
        660,
        540,
        5,
        summary="The oldest undelivered bet alert waits for 11m 0s",
    ),
    *_level(
        "PikkitAlertsParked",
        f"pikkit_alert_outbox_parked{{{BLUE}}}",
        1,
        0,
        5,
        summary="1 bet alerts were refused by their receiver and wait for `python -m pikkit.alerts retry`",
    ),
    Case("PikkitAlertsParked", {f"pikkit_alert_outbox_parked{{{BLUE}}}": "2x300"}, {299: 1}),  # as long as they wait
    *_level(
        "PikkitAlertsOff",
        f'pikkit_alerts_off{{reason="disk_full",{BLUE}}}',
        1,
        0,
        1,
        summary="Alerts about bets can't be stored on blue: disk full",
        labels={"reason": "disk_full", **IS_BLUE},
    ),
    *_event(
        "PikkitAlertsDropped",
        f"pikkit_alerts_dropped_total{{{BLUE}}}",
        0,
        15,
        summary="1 bet alerts on blue never reached the outbox",
        labels=IS_BLUE,
    ),
    *_event(
        "PikkitPredictionLogDropping",
        f"pikkit_prediction_log_dropped_total{{{BLUE}}}",
        5,
        15,
        summary="1 predictions on blue were not logged",
        labels=IS_BLUE,
    ),
)

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
