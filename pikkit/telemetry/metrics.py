"""Metrics of one service instance, added up over its workers.

A worker counts in memory (`pikkit.telemetry.series`) and tells the others through its file
(`pikkit.telemetry.worker_files`), which also holds what it says of itself: model set, start, memory. So counters and
histograms outlive their worker and never decrease, and a killed worker leaves no stale series. Every label has a
bounded set of values.

BentoML's own metrics are off (raw paths as labels); with them goes `bentoml_service_adaptive_batch_size`, which it
only observes while they are on. `pikkit_merged_requests` counts the same: requests merged into one model call.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

from prometheus_client.registry import Collector

from pikkit.bets.bet import CATEGORICAL, Bet
from pikkit.bets.prediction import Prediction
from pikkit.errors import PikkitError
from pikkit.settings import Settings
from pikkit.telemetry.backlog import Answered, Backlog
from pikkit.telemetry.labels import Labels
from pikkit.telemetry.scrape import Exposed, Exposition, OutboxState, Snapshot, expose
from pikkit.telemetry.series import Merged, Series
from pikkit.telemetry.this_worker import ThisWorker

__all__ = ["OTHER", "Metrics", "trained_at"]

OTHER = "other"  # where an endpoint, a sport, a market or a code is none of those that are counted apart
GRADES = ("A", "B", "C", "D", "F")
HIGH_GRADES = ("A", "B")
RELOAD_REASONS = ("incomplete", "invalid_model", "unsafe_pickle", "other")
CHANNELS = ("n8n", "telegram", "supabase")
OUTCOMES = (
    "delivered",
    "retried",
    "parked",
    "dropped",
    "duplicate",
    "improved",
    "late",
    "left_out",
    "unclaimed",
)  # docs/alerts.md says what each means

_STATUSES = frozenset({200, 204, 304, 400, 401, 403, 404, 405, 413, 415, 422, 429, 500, 502, 503, 504})
_FREQUENT = (200, 400, 500, 503, 504)
_MS = (1, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 2000, 5000, 10000)
_SECONDS = tuple(ms / 1000 for ms in _MS)
_BETS = (1, 2, 5, 10, 20, 50, 100)
_TENTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)
_REQUESTS = (1, 2, 4, 8, 16)
_COMPACT_TIMES = ("%Y%m%d_%H%M%S", "%Y%m%d%H%M%S", "%Y%m%d")


class Metrics:
    """Everything that one worker counts. Made once per process.

    Not a worker: BentoML's parent process imports the service too, and must not let `worker` join.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path | None = None,
        *,
        endpoints: Sequence[str] = (),
        workers_expected: int = 1,
    ) -> None:
        """Make every series that rules need, at zero.

        Args:
            settings: version and slot.
            folder: shared by the workers of the instance; None where this process is all of it.
            endpoints: what requests are counted by; any other counts as OTHER.
            workers_expected: how many workers there should be.
        """
        self._series = series = Series()
        self.worker = ThisWorker(series, folder)  # among others; `join` it to count as one
        self._expected = workers_expected
        endpoints = (*endpoints, OTHER)
        self._labels = {"version": settings.app_version, "deployment": settings.deployment}
        self._outbox: Callable[[], OutboxState] | None = None
        self._collectors: list[Collector] = []
        series.before_dump(self._settle)
        self._backlogs: list[Backlog[Any]] = []
        self.answered: Callable[[Answered], None] = self.later(self._count_requests).append
        self.in_progress = 0  # requests that are no probes: a drain that counted them would wait for its own scrape
        self._vocabulary = Labels({})
        self._vocabulary_of: object = None
        self._active = series.gauge("pikkit_active_requests", "Requests in progress")
        latency = series.histogram(
            "pikkit_prediction_latency_seconds", "Time from request to answer", _SECONDS, ["endpoint"]
        )
        self._latency = {endpoint: latency.of(endpoint) for endpoint in endpoints}
        self._requests = series.counter("pikkit_requests_total", "Requests answered", ["endpoint", "status"])
        for endpoint, status in product(endpoints, _FREQUENT):
            self._requests.of(endpoint, str(status))
        self._predictions = series.counter("pikkit_predictions_total", "Bets graded", ["sport", "market", "grade"])
        for letter in GRADES:
            self._predictions.of("other", "other", letter)
        grades = series.counter("pikkit_grades_total", "Bets graded, by grade alone", ["grade"])
        self._grades = {letter: grades.of(letter) for letter in GRADES}
        high = series.counter("pikkit_high_grade_bets_total", "Bets graded A or B", ["grade"])
        self._high = {letter: high.of(letter) for letter in HIGH_GRADES}
        self._probability = series.histogram("pikkit_win_probability", "Predicted win probabilities", _TENTHS).of()
        unknown = series.counter(
            "pikkit_unknown_categories_total", "Values that the model set does not know", ["column"]
        )
        self._unknown = {column: unknown.of(column) for column in CATEGORICAL}
        self._batch = series.histogram("pikkit_batch_size", "Bets in one prediction call", _BETS).of()
        self._merged = series.histogram(
            "pikkit_merged_requests", "Requests merged into one prediction call", _REQUESTS
        ).of()
        errors = series.counter("pikkit_prediction_errors_total", "Requests and bets refused or failed", ["code"])
        self._errors = {code: errors.of(code) for code in sorted({*_codes(PikkitError), "other"})}
        failures = series.counter("pikkit_model_reload_failures_total", "Model sets that could not be used", ["reason"])
        self._reload_failures = {reason: failures.of(reason) for reason in RELOAD_REASONS}
        self._reloads = series.counter("pikkit_model_reloads_total", "Model sets taken into service").of()
        alerts = series.counter("pikkit_alerts_total", "What became of alerts", ["channel", "outcome"])
        self._alerts = {(c, o): alerts.of(c, o) for c in CHANNELS for o in OUTCOMES}
        self._alerts_dropped = series.counter(
            "pikkit_alerts_dropped_total", "Alerts that never reached the outbox"
        ).of()
        self._log_dropped = series.counter(
            "pikkit_prediction_log_dropped_total", "Predictions that were not logged"
        ).of()
        self._ended = series.counter("pikkit_workers_ended_total", "Workers ended because they answered no more").of()

    @property
    def workers_expected(self) -> int:
        """How many workers there should be."""
        return self._expected

    def later(self, take: Callable[[list[Any]], None]) -> Backlog[Any]:
        """A place for what is counted by `take` before the next look at the metrics."""
        backlog = Backlog(take)
        self._series.before_dump(backlog.settle)
        self._backlogs.append(backlog)
        return backlog

    def forget(self) -> None:
        """Leave out what was not counted or logged yet."""
        for backlog in self._backlogs:
            backlog.waiting.clear()

    def predictions(
        self, bets: Sequence[Bet], predictions: Sequence[Prediction], model_set: Any, *, calls: Sequence[int] = ()
    ) -> None:
        """These bets were graded by `model_set` (needs `.spec.encoders`).

        Args:
            bets: the bets.
            predictions: theirs.
            model_set: that graded them.
            calls: how many of them each prediction call had; without, there was one call.
        """
        if not bets:
            return
        if self._vocabulary_of is not model_set:
            self._vocabulary = Labels(model_set.spec.encoders)
            self._vocabulary_of = model_set
        self._batch.observe_all(calls or (len(bets),))
        series, unknown = self._vocabulary.count(bets, predictions)
        for (sport, market, letter), count in series.items():
            self._predictions.of(sport, market, letter).inc(count)
            self._grades[letter].inc(count)
            if letter in self._high:
                self._high[letter].inc(count)
        for column, count in unknown.items():
            self._unknown[column].inc(count)
        self._probability.observe_all([prediction["win_probability"] for prediction in predictions])

    def merged(self, requests: Sequence[int]) -> None:
        """How many requests were graded in each call."""
        self._merged.observe_all(requests)

    def error(self, code: str) -> None:
        """A request or a bet was refused or failed with this error code."""
        self._errors.get(code, self._errors["other"]).inc()

    def model_loaded(self, model_set: Any, seconds: float = 0.0) -> None:
        """This worker serves a set from now on.

        Args:
            model_set: has `.version`, `.tag`, `.sha256`, `.starter` and `.history`.
            seconds: that it took to load.
        """
        self._reloads.inc()
        self.worker.say(
            model={
                "version": str(model_set.version),
                "tag": str(model_set.tag),
                "sha256": str(model_set.sha256)[:12],
                "starter": str(bool(model_set.starter)).lower(),
            },
            loaded=time.time(),
            load_s=seconds,
            trained=trained_at(str(model_set.version)),
            history=int(model_set.history.size),
            reload_error=0,
        )

    def reload_failed(self, reason: str) -> None:
        """A look at MODEL_DIR found a set that can't be used; `reason` is one of RELOAD_REASONS."""
        self._reload_failures.get(reason, self._reload_failures["other"]).inc()
        self.worker.say(reload_error=1)

    def reload_ok(self) -> None:
        """A look at MODEL_DIR found nothing wrong."""
        if self.worker.said("reload_error"):
            self.worker.say(reload_error=0)

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

    def worker_ended(self) -> None:
        """A worker answered no more and was ended."""
        self._ended.inc()

    def watch_outbox(self, state: Callable[[], OutboxState]) -> None:
        """Ask for the state of the outbox at each scrape."""
        self._outbox = state

    def watch(self, collector: Collector) -> None:
        """Ask `collector` for more series at each scrape."""
        self._collectors.append(collector)

    def _settle(self) -> None:
        self._active.set(self.in_progress)
        if self._outbox:
            self.worker.note(alerts_off=self._outbox().off)

    def _count_requests(self, answered: Sequence[Answered]) -> None:
        by_endpoint: dict[str, list[tuple[float, str]]] = {}
        statuses: Counter[tuple[str, int]] = Counter()
        for one in answered:
            endpoint = one.endpoint if one.endpoint in self._latency else OTHER
            by_endpoint.setdefault(endpoint, []).append((one.seconds, one.request_id))
            statuses[endpoint, one.status] += 1
            if one.error:
                self.error(one.error)
        for endpoint, told in by_endpoint.items():
            seconds_of, ids = zip(*told, strict=True)
            self._latency[endpoint].observe_all(seconds_of, ids)
        for (endpoint, status), count in statuses.items():
            label = str(status) if status in _STATUSES else f"{status // 100}xx"
            self._requests.of(endpoint, label).inc(count)

    async def scrape(self, accept: str = "", accept_encoding: str = "") -> Exposed:
        """Everything that was counted until now, in the format and encoding that a scraper asks for."""
        return await asyncio.to_thread(lambda: expose(self.exposition(), accept, accept_encoding))

    def render(self) -> bytes:
        """Prometheus text of the whole instance. Reads files: call it in a thread."""
        return expose(self.exposition()).body

    def exposition(self) -> Exposition:
        """Every series of the whole instance. Takes milliseconds and reads files: call it in a thread."""
        states, look = self.worker.look()
        merged = Merged()
        merged.add(self._series.dump())
        for dump in look.living:
            merged.add(dump)
        for dump in look.ended:
            merged.add(dump, alive=False)
        outbox = self._outbox() if self._outbox else None
        now = Snapshot(self._labels, states, self._expected, outbox)
        return Exposition(merged, [now, *self._collectors], look.broken)


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


def _codes(error: type[PikkitError]) -> set[str]:
    return {error.code}.union(*(_codes(child) for child in error.__subclasses__()))
