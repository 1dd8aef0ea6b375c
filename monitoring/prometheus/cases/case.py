"""A case of an alert: series, and when it fires; the names of the series' sources, and cases of usual shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["BLUE", "CANARY", "GREEN", "IS_BLUE", "IS_PROBE", "NGINX", "TRAFFIC", "Case", "event", "level"]


@dataclass(frozen=True, slots=True)
class Case:
    """Series, and how many alerts of the rule fire when (minutes). `labels` and `summary`: what the first one says.

    `every`: minutes between two samples; where hours are looked at, few will do.
    """

    alert: str
    series: Mapping[str, str]
    firing: Mapping[int, int]
    summary: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    every: int = 1


BLUE = 'deployment="blue",instance="127.0.0.1:8001",job="pikkit"'
GREEN = 'deployment="green",instance="127.0.0.1:8002",job="pikkit"'
CANARY = 'deployment="canary",instance="127.0.0.1:8003",job="pikkit"'
NGINX = 'instance="127.0.0.1:8009",job="pikkit-lb"'
TRAFFIC = 'instance="127.0.0.1:8009",job="pikkit-traffic"'
IS_BLUE = {"deployment": "blue", "instance": "127.0.0.1:8001", "job": "pikkit"}
IS_PROBE = {"instance": "127.0.0.1:8009", "job": "pikkit-traffic"}


def level(alert: str, metric: str, over: float, under: float, minutes: int, **said: object) -> tuple[Case, Case]:
    """An alert on a gauge: it fires once the value has been over the threshold for so many minutes, not under it."""
    fires, silent = f"{over}x{minutes + 2}", f"{under}x{2 * minutes + 2}"
    firing = {max(minutes - 1, 0): 0, minutes: 1} if minutes else {0: 1}
    labels = said.get("labels")
    return (
        Case(alert, {metric: fires}, firing, str(said.get("summary", "")), labels if isinstance(labels, dict) else {}),
        Case(alert, {metric: silent}, {2 * minutes + 1: 0}),
    )


def event(alert: str, metric: str, minutes: int, window: int, **said: object) -> tuple[Case, Case]:
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
