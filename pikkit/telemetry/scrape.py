"""One scrape: what was counted, and what is known only at its moment (living workers, model set, outbox)."""

from __future__ import annotations

import gzip
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from pikkit.errors import outlived
from pikkit.telemetry.logs import get_logger
from pikkit.telemetry.series import Merged

__all__ = ["OFF_REASONS", "CustomMetrics", "Exposed", "Exposition", "OutboxState", "Snapshot", "expose"]

OFF_REASONS = ("disk_full", "read_only", "locked", "corrupt", "other")

_log = get_logger("pikkit.metrics")


class OutboxState(Protocol):
    """What the metrics need of the alert outbox."""

    @property
    def depth(self) -> int:
        """Alerts that wait for delivery."""
        ...

    @property
    def oldest_age_s(self) -> float:
        """Age of the oldest of them in seconds; 0 without any."""
        ...

    @property
    def parked(self) -> int:
        """Alerts given up until somebody retries them."""
        ...

    @property
    def off(self) -> str:
        """Why no alert can be stored, one of OFF_REASONS; '' while they can."""
        ...


Pick = Callable[[Sequence[float]], float]

_TRAINED = "trained"
_OF_WORKERS: tuple[tuple[str, str, str, Pick], ...] = (
    ("pikkit_start_time_seconds", "When the youngest worker started", "started", max),
    ("pikkit_worker_start_seconds", "What the slowest worker took from its start until it served", "start_s", max),
    ("pikkit_model_load_timestamp", "When a model set was last taken into service", "loaded", max),
    ("pikkit_model_load_timestamp_seconds", "When a model set was last taken into service", "loaded", max),
    ("pikkit_model_load_seconds", "What the slowest worker took to load it", "load_s", max),
    ("pikkit_model_trained_timestamp", "Old name of pikkit_model_trained_timestamp_seconds", _TRAINED, min),
    ("pikkit_model_trained_timestamp_seconds", "When the oldest set in service was trained", _TRAINED, min),
    ("pikkit_history_size", "Settled bets behind the history", "history", min),
    ("pikkit_model_reload_error", "1 while the files in MODEL_DIR can't be used", "reload_error", max),
    ("process_start_time_seconds", "When the oldest worker started", "started", min),
    ("process_resident_memory_bytes", "Memory of all workers; pages that they share count in each", "resident", sum),
    ("process_open_fds", "Open files and connections of all workers", "fds", sum),
)


class Exposed(NamedTuple):
    """The answer to a scrape: its body and the headers that say how it is written."""

    body: bytes
    headers: Mapping[str, str]


def expose(series: Collector, accept: str = "", accept_encoding: str = "") -> Exposed:
    """Series as a scraper asks for them: OpenMetrics (with request ids as exemplars) or Prometheus text; gzip."""
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # the client's way with a version that is none
        encode, content_type = choose_encoder("")
    body: bytes = encode(series)
    headers = {"content-type": content_type, "vary": "Accept, Accept-Encoding"}
    if "gzip" in accept_encoding:
        return Exposed(gzip.compress(body, compresslevel=1), {**headers, "content-encoding": "gzip"})
    return Exposed(body, headers)


class Exposition(Collector):
    """Everything of one scrape. What can't be had is left out and named, rather than all of it lost."""

    def __init__(self, counted: Merged, collectors: Sequence[Collector], broken: Sequence[str]) -> None:
        """`broken`: files that the counts are without."""
        self._counted = counted
        self._asked = collectors
        self._broken = tuple(broken)

    def collect(self) -> Iterator[Metric]:
        """The series, by name."""
        yield from self._counted.metrics()
        failed: list[str] = []
        for collector in self._asked:
            found: list[Metric] = []
            with outlived(partial(self._left_out, collector, failed)):  # a damaged file of one hides no others
                found += collector.collect()
            yield from found
        errors = GaugeMetricFamily("pikkit_scrape_errors", "1 for what this scrape is without", labels=["source"])
        for source in (*self._broken, *failed):
            errors.add_metric([source], 1)
        yield errors

    @staticmethod
    def _left_out(collector: Collector, failed: list[str], cause: Exception) -> None:
        failed.append(type(collector).__name__)
        _log.error("metrics left out", collector=failed[-1], exc_info=cause)


class CustomMetrics(Collector):
    """What a service's own code counts with the Prometheus client, in the client's files of all workers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Merged over the workers; without files that have no size yet, or that a killed worker left so."""
        files = [str(file) for file in self._folder.glob("*.db") if file.stat().st_size]
        yield from MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]


class Snapshot(Collector):
    """One look at an instance."""

    def __init__(
        self,
        labels: Mapping[str, str],
        states: Sequence[Mapping[str, Any]],
        expected: int,
        outbox: OutboxState | None,
    ) -> None:
        """Take `states`, what each living worker says of itself, for one scrape."""
        self._labels = labels
        self._states = states
        self._expected = expected
        self._outbox = outbox

    def collect(self) -> Iterator[Metric]:
        """The series, by name."""
        yield _info("pikkit_build", "Version and slot", [self._labels])
        yield _gauge("pikkit_workers_alive", "Worker processes that live", len(self._states))
        yield _gauge("pikkit_workers_expected", "Worker processes that there should be", self._expected)
        sets = Tally(tuple(state["model"].items()) for state in self._states if "model" in state)
        yield _info("pikkit_model", "Model sets in service", [dict(labels) for labels in sets])
        serving = GaugeMetricFamily("pikkit_model_workers", "Workers that serve a model set", labels=["sha256"])
        for labels, count in sets.items():
            serving.add_metric([dict(labels)["sha256"]], count)
        yield serving
        yield _gauge("pikkit_models_loaded", "Workers that have a model set", sets.total())
        memory = GaugeMetricFamily(
            "pikkit_worker_resident_memory_bytes", "Memory, oldest worker first", labels=["worker"]
        )
        for number, state in enumerate(sorted(self._states, key=lambda state: float(state.get("started", 0))), 1):
            memory.add_metric([str(number)], state.get("resident", 0))
        yield memory
        for name, text, key, pick in _OF_WORKERS:
            found = [state[key] for state in self._states if state.get(key) is not None]
            if found or key != _TRAINED:  # a version that tells no time is not of 1970
                yield _gauge(name, text, pick(found) if found else 0)
        if self._outbox is not None:
            yield _gauge("pikkit_alert_outbox_depth", "Alerts that wait", self._outbox.depth)
            yield _gauge(
                "pikkit_alert_outbox_oldest_age_seconds", "Age of the oldest waiting", self._outbox.oldest_age_s
            )
            yield _gauge("pikkit_alert_outbox_parked", "Alerts given up", self._outbox.parked)
            off = GaugeMetricFamily("pikkit_alerts_off", "1 while a worker can't store alerts", labels=["reason"])
            told = {self._outbox.off, *(state.get("alerts_off") for state in self._states)}
            for reason in OFF_REASONS:
                off.add_metric([reason], reason in told)
            yield off


def _info(name: str, text: str, labelled: Sequence[Mapping[str, str]]) -> Metric:
    """A series of value 1 for each set of labels."""
    info = InfoMetricFamily(name, text, labels=[])
    for labels in labelled:
        info.add_metric([], dict(labels))
    return info


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
