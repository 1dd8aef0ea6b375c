"""Alerts about bets, and the log of predictions."""

from __future__ import annotations

from monitoring.prometheus.cases.case import BLUE, IS_BLUE, Case, event, level

__all__ = ["CASES"]

CASES: tuple[Case, ...] = (
    *level(
        "PikkitOutboxStuck",
        f"pikkit_alert_outbox_oldest_age_seconds{{{BLUE}}}",
        660,
        540,
        5,
        summary="The oldest undelivered bet alert waits for 11m 0s",
    ),
    *level(
        "PikkitAlertsParked",
        f"pikkit_alert_outbox_parked{{{BLUE}}}",
        1,
        0,
        5,
        summary="1 bet alerts were refused by their receiver and wait for `python -m pikkit.alerts retry`",
    ),
    Case("PikkitAlertsParked", {f"pikkit_alert_outbox_parked{{{BLUE}}}": "2x300"}, {299: 1}),  # as long as they wait
    *level(
        "PikkitAlertsOff",
        f'pikkit_alerts_off{{reason="disk_full",{BLUE}}}',
        1,
        0,
        1,
        summary="Alerts about bets can't be stored on blue: disk full",
        labels={"reason": "disk_full", **IS_BLUE},
    ),
    *event(
        "PikkitAlertsDropped",
        f"pikkit_alerts_dropped_total{{{BLUE}}}",
        0,
        15,
        summary="1 bet alerts on blue never reached the outbox",
        labels=IS_BLUE,
    ),
    *event(
        "PikkitPredictionLogDropping",
        f"pikkit_prediction_log_dropped_total{{{BLUE}}}",
        5,
        15,
        summary="1 predictions on blue were not logged",
        labels=IS_BLUE,
    ),
)
