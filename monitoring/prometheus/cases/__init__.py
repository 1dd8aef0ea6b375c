"""What each rule makes of which series: the table that the tests run and that the mutants are tried on.

Alerts are given the series that they read, recorded ones included; what the recording rules make of what slots and
load balancer tell is in `RECORDED`. Values are in promtool's notation, one a minute: `0+6x20` is 0, 6, 12 … 120.
"""

from monitoring.prometheus.cases import bets, canary, clients, models, slots, traffic
from monitoring.prometheus.cases.case import Case
from monitoring.prometheus.cases.recorded import RECORDED, Recorded

__all__ = ["ALERTS", "RECORDED", "Case", "Recorded"]

ALERTS: tuple[Case, ...] = (
    *clients.CASES,
    *slots.CASES,
    *models.CASES,
    *canary.CASES,
    *traffic.CASES,
    *bets.CASES,
)
