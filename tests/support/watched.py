"""The service's real metrics, drift monitor and recorder, fed by a stub service that has no models."""

import json
import tempfile
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from pikkit.settings import Settings
from pikkit.telemetry.backlog import Answered
from pikkit.telemetry.drift import Baseline
from pikkit.telemetry.drift_monitor import DriftMonitor
from pikkit.telemetry.metrics import Metrics
from pikkit.telemetry.recorder import Recorder
from tests.support.samples import a_bet, a_model_set, a_prediction

_FEATURES = ("implied_prob", "is_live")
_FAULT = 500


@dataclass(frozen=True)
class Outbox:
    depth: int = 2
    oldest_age_s: float = 3.0
    parked: int = 0
    off: str = ""


class Watched:
    """Counts requests as the service's gateway and grader do."""

    def __init__(self, version: str, slot: str) -> None:
        random = np.random.default_rng(7)
        self.metrics = Metrics(Settings(app_version=version, deployment=slot), endpoints=("predict", "batch-predict"))
        self.models = a_model_set()
        self.models.baseline = Baseline.of(
            _FEATURES,
            random.normal(0.5, 0.1, (5000, 2)).astype(np.float32),
            {"win_probability": random.uniform(0.3, 0.7, 5000), "expected_roi": random.normal(0, 4, 5000)},
            ["C", "D"] * 2500,
            np.zeros((5000, 5), dtype=bool),
        ).to_json()
        self.models.spec.names = _FEATURES
        drift = DriftMonitor(Path(tempfile.mkdtemp(prefix="pikkit-test-")))
        drift.use(self.models)
        self.metrics.watch(drift)
        self.metrics.watch_outbox(Outbox)
        self.metrics.model_loaded(self.models)
        self.metrics.alert("n8n", "delivered")

        def rows(_models: Any, bets: Any, _times: Any) -> Any:
            n = len(bets)
            return SimpleNamespace(
                matrix=random.normal(0.51, 0.1, (n, 2)).astype(np.float32), unknown_columns=np.zeros((n, 5), dtype=bool)
            )

        self.recorder = Recorder(rows, [drift], dropped=self.metrics.log_dropped)
        self.recorder.start()

    async def request(self, path: str, answer: Awaitable[tuple[int, bytes]], body: dict[str, Any]) -> tuple[int, bytes]:
        """Await the answer and count it."""
        self.metrics.in_progress += 1
        status, content = 0, b""
        try:
            status, content = await answer
        finally:
            self.metrics.in_progress -= 1
            self.metrics.answered(Answered(path.rsplit("/", 1)[1], status or _FAULT, 0.004))
        if status >= _FAULT:
            self.metrics.error("internal_error")
        else:
            said = json.loads(content)
            first = said if "bet_grade" in said else said["predictions"][0]["prediction"]
            n = len(body.get("bets", (1,)))
            bets = [a_bet(institution_name="FanDuel")] * n
            predictions = [a_prediction(first["bet_grade"], win_probability=first["win_probability"])] * n
            self.metrics.predictions(bets, predictions, self.models)
            self.recorder.graded(self.models, bets, predictions)
        return status, content
