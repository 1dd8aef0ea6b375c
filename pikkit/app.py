"""The composition root: builds the real objects from the settings, once per worker."""

from __future__ import annotations

import gc
import importlib.util
import sys
import time
from contextlib import suppress
from itertools import accumulate
from pathlib import Path

import orjson
from starlette.types import ASGIApp

from pikkit.alerts import AlertSink, build_sink, why_none
from pikkit.bets.bet import OddsLimits
from pikkit.bets.reading import read_bet
from pikkit.errors import InvalidBet, PikkitError, outlived
from pikkit.grading.grader import Graded, Grader, Observer
from pikkit.models.activation import home
from pikkit.models.hub import ModelHub
from pikkit.models.model_set import ModelSet
from pikkit.models.rules import predictor_of
from pikkit.settings import Settings
from pikkit.telemetry.afterwards import Afterwards
from pikkit.telemetry.drift_monitor import DriftMonitor
from pikkit.telemetry.logs import get_logger
from pikkit.telemetry.metrics import Metrics
from pikkit.telemetry.prediction_log import PredictionLog
from pikkit.telemetry.recorder import Recorder
from pikkit.telemetry.scrape import CustomMetrics
from pikkit.telemetry.worker_health import WorkerHealth
from pikkit.web.gateway import Gateway
from pikkit.web.handlers import Handlers
from pikkit.web.merger import Merger
from pikkit.web.openapi import EXAMPLE_BET, document
from pikkit.web.request import Request
from pikkit.web.routes import PREDICT, endpoints
from pikkit.web.status import Status

__all__ = ["Application"]

_SWITCH_S = 0.001  # that a request waits for the interpreter while a scrape is written, instead of 5 ms
_REHEARSALS = 10
_YOUNG = 20_000  # objects before a collection: those of requests die within 20 ms, once they are counted
_log = get_logger("pikkit.app")


class Application:
    """Everything that one worker holds."""

    def __init__(self, settings: Settings, runtime_dir: Path, *, workers: int) -> None:
        self._settings = settings
        self._metrics = Metrics(settings, runtime_dir / "workers", endpoints=endpoints(), workers_expected=workers)
        self._hub = ModelHub(
            settings, runtime_dir, on_failure=self._metrics.reload_failed, on_success=self._metrics.reload_ok
        )
        self._predictor = predictor_of(settings)
        self._drift = DriftMonitor(runtime_dir)
        self._metrics.watch(self._drift)
        self._metrics.watch(CustomMetrics(runtime_dir / "metrics"))
        self._recorder = Recorder[ModelSet](
            self._predictor.rows,
            [self._drift, *([PredictionLog(settings)] if settings.prediction_log else [])],
            dropped=self._metrics.log_dropped,
        )
        self._alerts = build_sink(
            settings, runtime_dir, counted=self._metrics.alert, dropped=self._metrics.alert_dropped
        )
        observers: list[Observer] = [Afterwards(self._metrics, self._recorder)]
        if self._alerts:
            observers.append(_Alerting(self._alerts))
            self._metrics.watch_outbox(self._alerts.figures)
        self._grader = Grader(
            self._predictor,
            self._hub,
            observers,
            limits=OddsLimits(settings.min_odds, settings.max_odds),
            clock=time.time,
        )
        alerts = self._alerts.status if self._alerts else lambda: f"off, because {why_none(settings)}"
        self._status = Status(settings, self._hub, drift=self._drift.report, alerts=alerts)
        self._health = WorkerHealth(
            self._metrics.worker.alive, self._metrics.workers_expected, ended=self._metrics.worker_ended
        )
        self.handlers = Handlers(
            self._grader,
            self._status,
            merger=Merger(self._grader.grade),
            scrape=self._metrics.scrape,
            document=document(settings),
        )

    def gateway(self, app: ASGIApp, *, shortcut: bool) -> Gateway:
        """What every request to `app` goes through first."""
        return Gateway(app, self.handlers, settings=self._settings, metrics=self._metrics, shortcut=shortcut)

    async def scrape(self) -> str:
        """Prometheus text."""
        return (await self._metrics.scrape()).body.decode()

    def load(self) -> None:
        """Join the workers and load a model set. Without one the service starts, says so, and keeps looking."""
        self._metrics.worker.join()
        if self._settings.environment == "production" and not self._settings.api_keys:
            _log.warning("API_KEYS is not set: whoever reaches the port is answered")
        for missing in [name for name in ("uvloop", "httptools") if importlib.util.find_spec(name) is None]:
            _log.warning(f"{missing} is not installed: about half the speed; install requirements/serve.txt")
        try:
            self._hub.load_initial()
        except PikkitError as error:
            _log.error("no model set", reason=error.message)
        if self._hub.current is not None:
            self._serves(self._hub.current)
        # What is loaded now lives as long as the worker: a full collection need not walk it (50 to 100 ms each).
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG)
        sys.setswitchinterval(_SWITCH_S)

    async def start(self) -> None:
        """Begin to watch for new models, to record and to deliver alerts."""
        await self._rehearse()
        self._metrics.worker.start()
        self._hub.start(self._serves)
        self._recorder.start()
        if self._alerts:
            self._alerts.start()
        self._health.start()

    async def stop(self) -> None:
        """Finish what is under way."""
        self._health.stop()
        self._hub.stop()
        self._metrics.worker.flush()
        self._recorder.stop()
        if self._alerts:
            self._alerts.stop()
        self._metrics.worker.flush()

    def ready(self) -> bool:
        """Whether a model set is loaded and has predicted once."""
        return self._status.ready()

    async def _rehearse(self) -> None:
        """So that the first answer takes no longer than any: what was asked some times, Python has adapted to."""
        request = Request(PREDICT, orjson.dumps(EXAMPLE_BET), b"dry_run=true")
        with suppress(PikkitError):  # no model set, or a price beyond MIN_ODDS and MAX_ODDS
            for _ in range(_REHEARSALS):
                await self.handlers.predict(request)
        self._metrics.forget()

    def _serves(self, models: ModelSet) -> None:
        """`models` serves from now on: warm it up, and say so. After the first, it is called in a thread."""
        bets = [read_bet(EXAMPLE_BET)]
        self._predictor.predict(models, bets, time.time())
        with outlived(lambda cause: _log.warning("explanations fail", exc_info=cause)):
            self._predictor.predict(models, bets, time.time(), explain=True)  # imports for 0.15 s what explains
        self._drift.use(models)
        self._metrics.model_loaded(models, self._hub.load_seconds)
        self._status.warmed = True
        _log.info(
            "model set serves",
            model_version=models.version,
            tag=models.tag,
            history=models.history.size,
            source=models.source,
            model_dir=str(self._settings.model_dir.absolute()),
            store=str(home()),
        )
        if models.starter:
            _log.warning("these are the starter models, trained on simulated bets: import your own before you bet")
        if not models.history.size:
            _log.warning("no betting history: confidence is at most 0.5, so nothing is graded A or B")


class _Alerting:
    """Offers A and B bets to the outbox."""

    def __init__(self, sink: AlertSink) -> None:
        self._sink = sink

    def graded(self, graded: Graded) -> None:
        models, bets, predictions, options, sizes, _ = graded
        if options.dry_run or not options.raises_alerts:
            return
        start = 0
        for end in accumulate(sizes):
            self._sink.offer(
                bets[start:end], predictions[start:end], model_version=models.version, caller=options.caller
            )
            start = end

    def refused(self, error: InvalidBet) -> None:
        """A refused bet raises no alert."""
