"""Metrics of one service instance, merged over its workers.

The Prometheus client's multiprocess mode keeps counters and histograms in files that outlive their worker, so they
never decrease. What a worker says of itself (model set, start) stands in its worker file and ends with it
(`pikkit.telemetry.workers`), so a killed worker leaves no stale series. Every label has a bounded set of values.

BentoML's own metrics are off (raw paths as labels); with them goes `bentoml_service_adaptive_batch_size`, which it
only observes while they are on. `pikkit_merged_requests` counts the same: requests merged into one model call.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from pikkit.bets.bet import CATEGORICAL, Bet
from pikkit.bets.prediction import Prediction
from pikkit.errors import PikkitError
from pikkit.settings import Settings
from pikkit.telemetry.deferred import Tally
from pikkit.telemetry.labels import Labels
from pikkit.telemetry.scrape import OutboxState, Snapshot
from pikkit.telemetry.workers import Workers

__all__ = ["ENDPOINTS", "PROBES", "Metrics", "WorkerFiles", "trained_at"]

ENDPOINTS = (
    "predict",
    "batch-predict",
    "ml-predict",
    "legacy-batch-predict",
    "model-info",
    "reload-models",
    "drift-report",
    "health",
    "ready",
    "live",
    "metrics",
    "other",
)
PROBES = frozenset({"health", "ready", "live", "metrics"})  # a drain that counted them would wait for its own scrape
GRADES = ("A", "B", "C", "D", "F")
HIGH_GRADES = ("A", "B")
RELOAD_REASONS = ("incomplete", "invalid_model", "unsafe_pickle", "other")
CHANNELS = ("n8n", "telegram", "supabase")
OUTCOMES = ("delivered", "retried", "parked", "dropped", "duplicate")

_STATUSES = frozenset({200, 204, 304, 400, 401, 403, 404, 405, 413, 415, 422, 429, 500, 502, 503, 504})
_MS = (1, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 2000, 5000, 10000)
_SECONDS = tuple(ms / 1000 for ms in _MS)
_BETS = (1, 2, 5, 10, 20, 50, 100)
_TENTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)
_REQUESTS = (1, 2, 4, 8, 16)
_COMPACT_TIMES = ("%Y%m%d_%H%M%S", "%Y%m%d%H%M%S", "%Y%m%d")


class WorkerFiles(Collector):
    """What all workers have counted in the files of `folder`.

    The client makes a file and gives it its size afterwards; its own collector fails on one that has none yet, or
    that a killed worker left so.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """Merged over the workers."""
        files = [str(file) for file in self._folder.glob("*.db") if _size(file)]
        merged: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return merged


class Metrics:
    """Everything that one worker counts. Made once per process; `join` counts the process as a worker.

    Not a worker: BentoML's parent process imports the service too, and must not call `join`.
    """

    def __init__(self, settings: Settings, *, workers_expected: int | None = None) -> None:
        """Make every series that rules need, at zero.

        Raises:
            RuntimeError: PROMETHEUS_MULTIPROC_DIR is set, but the client was imported before that.
        """
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        if bool(folder) != bool(getattr(values.ValueClass, "_multiprocess", False)):
            raise RuntimeError(
                "prometheus_client was imported before PROMETHEUS_MULTIPROC_DIR was set: "
                "call pikkit.bento.run_folder.prepare_runtime_dir() first"
            )
        self._folder = Path(folder) if folder else None
        self._workers = Workers(self._folder) if self._folder else None
        self._registry = CollectorRegistry()
        self._expected = workers_expected if workers_expected is not None else _expected(settings.workers)
        self._labels = {"version": settings.app_version, "deployment": settings.deployment}
        self._state: dict[str, Any] = {"started": time.time()}
        self._outbox: Callable[[], OutboxState] | None = None
        self._collectors: list[Collector] = []
        self._tally = Tally()
        self._in_progress = 0
        self._vocabulary = Labels({})
        self._vocabulary_of: object = None
        self._children: dict[tuple[str, str, str], Counter] = {}

        def counter(name: str, text: str, labels: Sequence[str] = ()) -> Counter:
            return Counter(name, text, labels, registry=self._registry)

        def histogram(name: str, text: str, buckets: Sequence[float], labels: Sequence[str] = ()) -> Histogram:
            return Histogram(name, text, labels, buckets=buckets, registry=self._registry)

        self._active = Gauge(
            "pikkit_active_requests", "Requests in progress", registry=self._registry, multiprocess_mode="livesum"
        )
        latency = histogram("pikkit_prediction_latency_seconds", "Time from request to answer", _SECONDS, ["endpoint"])
        self._latency = {endpoint: latency.labels(endpoint) for endpoint in ENDPOINTS}
        self._requests = counter("pikkit_requests_total", "Requests answered", ["endpoint", "status"])
        self._answered = {
            (endpoint, status): self._requests.labels(endpoint, str(status))
            for endpoint in ENDPOINTS
            for status in (200, 400, 500, 503)
        }
        self._predictions = counter("pikkit_predictions_total", "Bets graded", ["sport", "market", "grade"])
        for letter in GRADES:
            self._child("other", "other", letter)
        grades = counter("pikkit_grades_total", "Bets graded, by grade alone", ["grade"])
        self._grades = {letter: grades.labels(letter) for letter in GRADES}
        high = counter("pikkit_high_grade_bets_total", "Bets graded A or B", ["grade"])
        self._high = {letter: high.labels(letter) for letter in HIGH_GRADES}
        self._probability = histogram("pikkit_win_probability", "Predicted win probabilities", _TENTHS)
        unknown = counter("pikkit_unknown_categories_total", "Values that the model set does not know", ["column"])
        self._unknown = {column: unknown.labels(column) for column in CATEGORICAL}
        self._batch = histogram("pikkit_batch_size", "Bets in one prediction call", _BETS)
        self._merged = histogram("pikkit_merged_requests", "Requests merged into one prediction call", _REQUESTS)
        errors = counter("pikkit_prediction_errors_total", "Requests and bets refused or failed", ["code"])
        self._errors = {code: errors.labels(code) for code in (*_codes(PikkitError), "other")}
        failures = counter("pikkit_model_reload_failures_total", "Model sets that could not be used", ["reason"])
        self._reload_failures = {reason: failures.labels(reason) for reason in RELOAD_REASONS}
        self._reloads = counter("pikkit_model_reloads_total", "Model sets taken into service")
        alerts = counter("pikkit_alerts_total", "What became of alerts", ["channel", "outcome"])
        self._alerts = {pair: alerts.labels(*pair) for pair in ((c, o) for c in CHANNELS for o in OUTCOMES)}
        self._alerts_dropped = counter("pikkit_alerts_dropped_total", "Alerts that never reached the outbox")
        self._log_dropped = counter("pikkit_prediction_log_dropped_total", "Predictions that were not logged")

    def join(self) -> None:
        """Count this process as a worker from now until it ends."""
        self._active.set(0)  # a recycled process id inherits the file of its predecessor
        if self._workers:
            self._workers.join(self._state)

    @property
    def workers_expected(self) -> int:
        """How many workers there should be."""
        return self._expected

    def workers_alive(self) -> int:
        """How many workers live."""
        return len(self._states())

    def begin(self) -> None:
        """A request has come in that is no probe."""
        self._in_progress += 1
        self._tally.set(self._active, self._in_progress)

    def end(self, endpoint: str, status: int, seconds: float) -> None:
        """A request was answered; call exactly once for each `begin`, and for each probe.

        Args:
            endpoint: one of ENDPOINTS; anything else counts as `other`.
            status: HTTP status; an unusual one is counted by its class.
            seconds: time from request to answer.
        """
        if endpoint not in PROBES:
            self._in_progress -= 1
            self._tally.set(self._active, self._in_progress)
        if endpoint not in self._latency:
            endpoint = "other"
        self._tally.observe(self._latency[endpoint], (seconds,))
        child = self._answered.get((endpoint, status))
        if child is None:
            label = str(status) if status in _STATUSES else f"{status // 100}xx"
            child = self._requests.labels(endpoint, label)
            if status in _STATUSES:
                self._answered[endpoint, status] = child
        self._tally.count(child)

    def predictions(self, bets: Sequence[Bet], predictions: Sequence[Prediction], model_set: Any) -> None:
        """These bets were graded in one call of `model_set` (needs `.spec.encoders`)."""
        if not bets:
            return
        if self._vocabulary_of is not model_set:
            self._vocabulary = Labels(model_set.spec.encoders)
            self._vocabulary_of = model_set
        tally = self._tally
        tally.observe(self._batch, (len(bets),))
        series, unknown = self._vocabulary.count(bets, predictions)
        for (sport, market, letter), count in series.items():
            tally.count(self._child(sport, market, letter), count)
            tally.count(self._grades[letter], count)
            if letter in self._high:
                tally.count(self._high[letter], count)
        for column, count in unknown.items():
            tally.count(self._unknown[column], count)
        tally.observe(self._probability, [prediction["win_probability"] for prediction in predictions])

    def merged(self, requests: int) -> None:
        """So many batch requests were graded in one call."""
        self._tally.observe(self._merged, (requests,))

    def error(self, code: str) -> None:
        """A request or a bet was refused or failed with this error code."""
        self._errors.get(code, self._errors["other"]).inc()

    def model_loaded(self, model_set: Any) -> None:
        """This worker serves `model_set` (`.version`, `.tag`, `.sha256`, `.starter`, `.history`) from now on."""
        self._reloads.inc()
        self._say(
            model={
                "version": str(model_set.version),
                "tag": str(model_set.tag),
                "sha256": str(model_set.sha256)[:12],
                "starter": str(bool(model_set.starter)).lower(),
            },
            loaded=time.time(),
            trained=trained_at(str(model_set.version)),
            history=int(model_set.history.size),
            reload_error=0,
        )

    def reload_failed(self, reason: str) -> None:
        """A look at MODEL_DIR found a set that can't be used; `reason` is one of RELOAD_REASONS."""
        self._reload_failures.get(reason, self._reload_failures["other"]).inc()
        self._say(reload_error=1)

    def reload_ok(self) -> None:
        """A look at MODEL_DIR found nothing wrong."""
        if self._state.get("reload_error"):
            self._say(reload_error=0)

    def alert(self, channel: str, outcome: str, count: int = 1) -> None:
        """An alert had this outcome on this channel; pairs outside CHANNELS and OUTCOMES are not counted."""
        child = self._alerts.get((channel, outcome))
        if child is not None:
            child.inc(count)

    def alert_dropped(self, count: int = 1) -> None:
        """Alerts could not be put into the outbox."""
        self._alerts_dropped.inc(count)

    def log_dropped(self, count: int) -> None:
        """Predictions were not written to the prediction log, because it could not keep up."""
        self._log_dropped.inc(count)

    def watch_outbox(self, state: Callable[[], OutboxState]) -> None:
        """Ask for the state of the outbox at each scrape."""
        self._outbox = state

    def watch(self, collector: Collector) -> None:
        """Ask `collector` for more series at each scrape."""
        self._collectors.append(collector)

    def defer(self) -> None:
        """Hold back for an instant what the running event loop counts: see `pikkit.telemetry.deferred`."""
        self._tally.defer()

    def flush(self) -> None:
        """Write what this worker's event loop holds back; call it there."""
        self._tally.flush()

    async def scrape(self) -> bytes:
        """Prometheus text with everything that this worker counted until now."""
        self.flush()
        return await asyncio.to_thread(self.render)

    def render(self) -> bytes:
        """Prometheus text of the whole instance. Takes milliseconds and reads files: call it in a thread."""
        states = self._states()  # first: it removes the gauges of dead workers
        registry = self._registry
        if self._folder:
            registry = CollectorRegistry()
            registry.register(WorkerFiles(self._folder))
        outbox = self._outbox() if self._outbox else None
        moment = CollectorRegistry()
        moment.register(Snapshot(self._labels, states, self._expected, outbox))
        for collector in self._collectors:
            moment.register(collector)
        return generate_latest(registry) + generate_latest(moment)

    def _child(self, sport: str, market: str, grade: str) -> Counter:
        child = self._children.get((sport, market, grade))
        if child is None:
            child = self._children[sport, market, grade] = self._predictions.labels(sport, market, grade)
        return child

    def _say(self, **news: Any) -> None:
        self._state.update(news)
        if self._workers:
            self._workers.publish(self._state)

    def _states(self) -> list[dict[str, Any]]:
        return list(self._workers.alive().values()) if self._workers else [self._state]


def trained_at(version: str) -> float | None:
    """Seconds since the epoch of a metadata timestamp (ISO 8601 or 20251222_210102; UTC); None when it is none."""
    moment = None
    try:
        moment = datetime.fromisoformat(version)
    except ValueError:
        for form in _COMPACT_TIMES:
            try:
                moment = datetime.strptime(version, form).replace(tzinfo=UTC)
                break
            except ValueError:
                continue
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # of a worker that is gone
        return 0


def _codes(error: type[PikkitError]) -> set[str]:
    return {error.code}.union(*(_codes(child) for child in error.__subclasses__()))


def _expected(workers: int | str) -> int:
    if isinstance(workers, int):
        return workers
    from bentoml._internal.resource import CpuResource  # noqa: PLC0415 - costs an import that only this setting needs

    return int(CpuResource.from_system()) or 1  # as BentoML itself counts
