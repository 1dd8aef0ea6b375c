"""Series of a quiet stack, as Prometheus scrapes them once a minute; what slots tell is the metrics' own text.

Some traffic by day, then a night without any: nothing but the supervisor's bet every 15 s, and a redeploy every hour,
blue and green in turns. A new slot is called production at once and does not answer in its first minute: worse than it
is in truth. The old one is kept until its port is needed again.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from monitoring.prometheus.promtool import RULES
from pikkit.bets.prediction import Grade
from pikkit.settings import Settings
from pikkit.telemetry.backlog import Answered
from pikkit.telemetry.metrics import Metrics
from tests.support.samples import a_bet, a_model_set, a_prediction

_HOUR = 60
_PROBES = 4  # a minute, as bets are below
_BETS, _A_BETS = 50, 1 / 16
_SLOTS = {"blue": 8001, "green": 8002}
_SKIPPED = re.compile(r'le="(?!0.005|0.1"|0.5"|\+Inf)|endpoint="other')  # for speed: buckets between those
_READ = set(re.findall(r"(?<![:\w])pikkit_\w+", " ".join(str(rule["expr"]) for rule in RULES.values())))


def night(*, day_hours: int, hours: int, down: int = 1) -> Mapping[str, str]:
    """Series by name and labels, in promtool's notation; `down`: minutes in which a new slot does not answer."""
    end = (day_hours + hours) * _HOUR
    starts = [0, *range(day_hours * _HOUR, end, _HOUR)]
    found = dict(_of_nginx(starts, end))
    for number, begin in enumerate(starts):
        until = starts[number + 2] if number + 2 < len(starts) else end
        found |= _of_slot(number, begin, until, day_hours * _HOUR if not number else _HOUR - down, down)
    return found


def _of_slot(number: int, begin: int, until: int, serves: int, down: int) -> Iterator[tuple[str, str]]:
    """A release: the first has clients and no successor while it serves, the others the supervisor alone."""
    slot, port = list(_SLOTS.items())[number % 2]
    own = f'deployment="{slot}",version="{number}",instance="127.0.0.1:{port}",job="pikkit"'
    down = down if number else 0
    before = f"_x{begin + down} " if begin + down else ""
    yield f"up{{{own}}}", f"{f'_x{begin} 0x{down - 1} ' if down else ''}1x{until - begin - down - 1} stale"
    idle, sent, high = _exposed(0), _exposed(1, None if number else "F"), _exposed(1, "A")
    for series, first in idle.items():
        name, _, labels = series.replace("version=", "model_version=").partition("{")
        slope = (_PROBES if number else _BETS) * (sent[series] - first) + (not number) * _A_BETS * (
            high[series] - first
        )
        kept = until - begin - down - serves
        values = _ramp(first, slope, serves) + (f" {_ramp(first + slope * serves, 0, kept)}" if kept else "")
        yield f"{name}{{{own}{',' * bool(labels)}{labels.rstrip('}')}}}", f"{before}{values} stale"


def _of_nginx(starts: list[int], end: int) -> Iterator[tuple[str, str]]:
    labels, traffic = (f'instance="127.0.0.1:8009",job="{job}"' for job in ("pikkit-lb", "pikkit-traffic"))
    for at, slot in enumerate(_SLOTS):
        turns = [f"{int(n % 2 == at)}x{b - a - 1}" for n, (a, b) in enumerate(pairwise([*starts, end]))]
        yield f'pikkit_lb_production{{slot="{slot}",{labels}}}', " ".join(turns)
        yield f'pikkit_slot_answers{{deployment="{slot}",{traffic}}}', f"1x{end}"
        for status, slope in (("2xx", _PROBES), ("5xx", 0)):
            yield f'pikkit_lb_requests_total{{deployment="{slot}",status="{status}",{traffic}}}', _ramp(0, slope, end)
    yield f"up{{{labels}}}", f"1x{end}"
    yield f"up{{{traffic}}}", f"1x{end}"
    yield f"pikkit_probe_success{{{traffic}}}", f"1x{end}"
    yield f"pikkit_probe_duration_seconds{{{traffic}}}", "0.01 0.012 " * (end // 2)


def _ramp(first: float, slope: float, minutes: int) -> str:
    return f"{first:.10g}+{slope:.10g}x{minutes - 1}"


def _exposed(bets: int, grade: Grade | None = None) -> dict[str, float]:
    """What a slot says of as many bets, or of the supervisor's, whose grades do not count; of what rules read."""
    metrics, models = Metrics(Settings(), endpoints=("predict", "batch-predict")), a_model_set()
    metrics.model_loaded(models)
    for _ in range(bets):
        metrics.answered(Answered("predict", 200, 0.004))
        if grade:
            metrics.predictions([a_bet()], [a_prediction(grade)], models)
    lines = (line.rpartition(" ") for line in metrics.render().decode().splitlines() if not line.startswith("#"))
    found = {series: float(value) for series, _, value in lines if series.partition("{")[0] in _READ}
    return {series: value for series, value in found.items() if "memory" not in series and not _SKIPPED.search(series)}
