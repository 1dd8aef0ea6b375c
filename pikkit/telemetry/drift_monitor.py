"""Live distribution of one service instance over the past day, kept by its workers together.

Each worker counts a sample of its bets by the hour and writes its counts into a file of its own a few times a
minute; whoever is asked adds the files up. Memory is bounded by hours and bins, whatever the traffic.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pikkit.bets.bet import CATEGORICAL
from pikkit.errors import ModelError
from pikkit.telemetry.drift import OUTPUTS, Baseline, Counts, drift_report
from pikkit.telemetry.logs import get_logger
from pikkit.telemetry.recorder import Graded

__all__ = ["DriftMonitor"]

HOURS = 24
_HOUR_S = 3600
_BETS_PER_S = 200  # sampled beyond: features are computed a second time for this
_WRITE_EVERY_S = 5.0

_log = get_logger("pikkit.drift")


class _Counting(NamedTuple):
    """What is counted at the moment; swapped as a whole with the model set."""

    sha256: str
    baseline: Baseline | None
    hours: dict[int, Counts]


class DriftMonitor(Collector):
    """A sink of the recorder and a collector of the metrics. Call `use` whenever a model set begins to serve."""

    def __init__(self, folder: Path) -> None:
        """`folder` is shared by the workers of the instance, and ends with it."""
        self._folder = folder
        self._file = folder / f"{os.getpid()}.drift"
        self._now = _Counting("", None, {})
        self._budget = float(_BETS_PER_S)
        self._budget_at = 0.0
        self._written_at = 0.0
        self._changed = False

    def use(self, models: Any) -> None:
        """Count against the baseline of this model set (`.sha256`, `.baseline`) from now on."""
        baseline = None
        if models.baseline:
            try:
                baseline = Baseline.from_json(models.baseline)
            except ModelError as error:
                _log.warning("no drift report for this model set", reason=error.message)
        self._now = _Counting(str(models.sha256), baseline, {})

    def wants(self, bets: int, now: float) -> bool:
        """Up to 200 bets a second, in the mean."""
        if self._now.baseline is None:
            return False
        self._budget = min(_BETS_PER_S, self._budget + (now - self._budget_at) * _BETS_PER_S)
        self._budget_at = now
        if self._budget <= 0:
            return False
        self._budget -= bets
        return True

    def take(self, graded: Graded) -> None:
        """Count bets, unless another model set graded them."""
        now = self._now
        if now.baseline is None or str(graded.models.sha256) != now.sha256:
            return
        hour = int(graded.at // _HOUR_S)
        if hour not in now.hours:
            now.hours[hour] = Counts(now.baseline)
            for old in [known for known in now.hours if known <= hour - HOURS]:
                del now.hours[old]
        columns = {name: graded.rows.matrix[:, i] for i, name in enumerate(graded.models.spec.names)}
        for name in OUTPUTS:
            columns[name] = np.array([prediction[name] for prediction in graded.predictions])  # type: ignore[literal-required]
        grades = [prediction["bet_grade"] for prediction in graded.predictions]
        now.hours[hour].add(columns, grades, graded.rows.unknown_columns)
        self._changed = True

    def flush(self) -> None:
        """Write the file, if it is due."""
        if time.monotonic() - self._written_at >= _WRITE_EVERY_S:
            self.close()

    def close(self) -> None:
        """Write the file, if anything is new."""
        if not self._changed:
            return
        self._changed = False
        self._written_at = time.monotonic()
        state = {
            "sha256": self._now.sha256,
            "hours": {str(hour): counts.to_json() for hour, counts in self._now.hours.items()},
        }
        with tempfile.NamedTemporaryFile("w", dir=self._folder, delete=False, encoding="utf-8") as file:
            json.dump(state, file)
        Path(file.name).replace(self._file)

    def live(self) -> Counts | None:
        """Counts of all workers over the past day; None without a baseline."""
        sha256, baseline, _ = self._now
        if baseline is None:
            return None
        total = Counts(baseline)
        newest = int(time.time() // _HOUR_S)
        for path in self._folder.glob("*.drift"):
            state: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if state["sha256"] == sha256:
                for hour, counts in state["hours"].items():
                    if int(hour) > newest - HOURS:
                        total.merge(counts)
        return total

    def report(self) -> dict[str, Any]:
        """Body of /api/v1/drift-report."""
        live = self.live()
        baseline = self._now.baseline
        if baseline is None or live is None:
            return {
                "status": "no_baseline",
                "message": "this model set was trained without a baseline: train it with `python -m training`",
            }
        return drift_report(baseline, live, hours=HOURS)

    def collect(self) -> Iterator[Metric]:
        """PSI by feature, share of unknowns, bets behind them. With too few bets no PSI, rather than a wild one."""
        live = self.live()
        baseline = self._now.baseline
        score = GaugeMetricFamily("pikkit_drift_psi", "Live traffic against training, PSI", labels=["feature"])
        share = GaugeMetricFamily("pikkit_drift_unknown_share", "Live share of unknown values", labels=["column"])
        trained = GaugeMetricFamily("pikkit_drift_trained_unknown_share", "The same in training", labels=["column"])
        if live is not None and baseline is not None:
            for name, value in live.psi().items():
                score.add_metric([name], value)
            for column, count in zip(CATEGORICAL, live.unknown.tolist(), strict=True):
                share.add_metric([column], count / max(live.bets, 1))
                trained.add_metric([column], baseline.unknown[column])
        yield GaugeMetricFamily(
            "pikkit_drift_baseline", "1 if the model set has a drift baseline", value=int(baseline is not None)
        )
        yield GaugeMetricFamily("pikkit_drift_bets", "Bets behind the drift figures", value=live.bets if live else 0)
        yield score
        yield share
        yield trained
